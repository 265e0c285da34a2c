package fwtest

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// Ideas of other suites: limits, sweeps and combinations.

// A descriptor that is duplicated keeps the file open: handles, queues and jobs
// are those of the file, until its last descriptor closes.
func s04Dup(c *Case) {
	u := c.open()
	b := u.NewBuffer(4096, abi.BOHost)
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	second, err := u.node.Dup()
	require.NoError(c, err)
	v := &User{t: c.TB, node: second}
	b.Write(0, pattern(64, 3))
	u.close()
	info := abi.BOInfo{Handle: b.Handle}
	Must(v, abi.NrBOInfo, &info)
	assert.Equal(c, b.Addr, info.DeviceAddr)
	b.p, b.area = v, nil
	assert.Equal(c, pattern(64, 3), b.Read(0, 64))
	assert.Zero(c, c.ended(v, v.Start(q, nop()), 1e9))
	v.close()
}

// Command buffers of every size: from one packet to the largest that there may
// be, in steps of a packet as long as they are small; none that is misaligned.
func s08Commands(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	commands := u.NewBuffer(abi.MaxCommandBytes, abi.BOHost|abi.BOCommand)
	raw := make([]byte, abi.MaxCommandBytes)
	for off := 0; off < len(raw); off += 16 {
		(&abi.Packet{Op: abi.OpNop}).Encode(raw[off:])
	}
	commands.Write(0, raw)
	done := u.NewSyncobj()
	submit := func(offset, length uint64) error {
		a := abi.Submit{Queue: q, CommandBO: commands.Handle, Offset: offset, Length: length,
			OutSyncs: u.syncs([]abi.Sync{{Syncobj: done}}), NumOutSync: 1}
		err := Ioctl(u, abi.NrSubmit, &a)
		u.node.Unmap(a.OutSyncs)
		return err
	}
	sizes := []uint64{}
	for n := uint64(16); n <= 2048; n += 16 {
		sizes = append(sizes, n)
	}
	for n := uint64(4096); n <= abi.MaxCommandBytes; n *= 2 {
		sizes = append(sizes, n-16, n)
	}
	for _, n := range sizes {
		require.NoError(c, submit(abi.MaxCommandBytes-n, n), "%d bytes, up to the buffer's end", n)
		require.NoError(c, u.Wait(done, c.Now()+1e9))
		require.Zero(c, u.fenceError(&Job{Done: done}), "%d bytes", n)
	}
	// What lies before and behind the part that is submitted is not run.
	slots := u.NewBuffer(4096, abi.BOHost)
	const marks, size = 8, 32
	for i := range uint64(marks) {
		(&abi.Packet{Op: abi.OpSignal, Addr: slots.Addr + 8*i, Value: 1}).Encode(raw[i*size:])
	}
	commands.Write(0, raw[:marks*size])
	for _, x := range [][2]uint64{{0, 1}, {3, 2}, {7, 1}} {
		slots.Write(0, make([]byte, 8*marks))
		a := abi.Submit{Queue: q, CommandBO: commands.Handle, Offset: x[0] * size, Length: x[1] * size, NumBOs: 1, BOs: u.Array(slots.Handle),
			OutSyncs: u.syncs([]abi.Sync{{Syncobj: done}}), NumOutSync: 1}
		Must(u, abi.NrSubmit, &a)
		require.NoError(c, u.Wait(done, c.Now()+1e9))
		for i := range uint64(marks) {
			assert.Equal(c, i >= x[0] && i < x[0]+x[1], slots.word(int64(i)) == 1, "packet %d, of %d from %d on", i, x[1], x[0])
		}
	}
	for n := uint64(1); n < 32; n++ {
		if n%16 != 0 {
			c.is(submit(0, n), unix.EINVAL, "length %d", n)
			c.is(submit(n, 16), unix.EINVAL, "offset %d", n)
		}
	}
	c.is(submit(0, abi.MaxCommandBytes+16), unix.EINVAL)
	u.close()
}

// Device memory is given out to the last buffer that fits, wherever it lies, above
// 4 GiB too where there is so much; each is another's neighbour and no more.
func s11UntilFull(c *Case) {
	u := c.open()
	before := u.available()
	size := max(large, before/48&^(large-1))
	var all []*Buffer
	for {
		a := abi.BOCreate{Size: size, Flags: abi.BODevice}
		if u.available() < size {
			break
		}
		require.NoError(c, Ioctl(u, abi.NrBOCreate, &a))
		all = append(all, &Buffer{p: u, Handle: a.Handle, Addr: a.DeviceAddr, Size: a.Size})
	}
	require.GreaterOrEqual(c, len(all), int(before/size)-1)
	for i, b := range all {
		mark := 0x0101010101010101 * uint64(i+1)
		for _, at := range []uint64{b.Addr, b.Addr + b.Size - 64} {
			require.Zero(c, c.one(u, Fill(at, mark, 64), b))
		}
	}
	out := u.NewBuffer(4096, abi.BOHost)
	for i, b := range all {
		for _, at := range []uint64{b.Addr, b.Addr + b.Size - 64} {
			require.Zero(c, c.one(u, Copy(out.Addr, at, 64), b, out))
			require.EqualValues(c, byte(i+1), out.Read(63, 1)[0], "buffer %d at %#x", i, at)
		}
	}
	for _, b := range all {
		b.Close()
	}
	c.Sleep(1e6)
	assert.Equal(c, before, u.available())
	u.close()
}

// One buffer of more than half of the device's memory, and more than 4 GiB where
// there is so much, can be used to its last byte.
func s11Large(c *Case) {
	u := c.open()
	b, out := u.NewBuffer(u.available()/8*5&^(large-1), abi.BODevice), u.NewBuffer(4096, abi.BOHost)
	require.Zero(c, c.one(u, Fill(b.Addr+b.Size-64, 0x4242424242424242, 64), b))
	require.Zero(c, c.one(u, Copy(out.Addr, b.Addr+b.Size-64, 64), b, out))
	assert.EqualValues(c, 0x42, out.Read(63, 1)[0])
	u.close()
}

// One buffer named thousands of times is one buffer.
func s17Duplicates(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	before := u.available()
	b := u.NewBuffer(64<<10, abi.BODevice)
	for _, n := range []int{2, 5000, 1 << 16} {
		j := &Job{Packets: []abi.Packet{Fill(b.Addr, uint64(n), 64<<10)}}
		for range n {
			j.Buffers = append(j.Buffers, b)
		}
		assert.Zero(c, c.ended(u, u.Start(q, j), 1e9), "%d times", n)
		j.Commands.Close()
	}
	b.Close()
	c.Sleep(1e6)
	assert.Equal(c, before, u.available(), "and held by nothing")
	u.close()
}

// sweep are the sizes of copies: from 1 KiB by powers of four to 1 GiB, or as large
// as the memory of the device lets them be.
func (c *Case) sweep(u *User) (sizes []uint64) {
	for n := uint64(1 << 10); n <= 1<<30 && n <= u.available()/4; n *= 4 {
		sizes = append(sizes, n)
	}
	return sizes
}

// Copies within the device of every size take their time: more for more. Of the
// large ones no byte is looked at but those at the ends.
func s19Sweep(c *Case) {
	u := c.open()
	out := u.NewBuffer(4096, abi.BOHost)
	took := int64(0)
	for _, n := range c.sweep(u) {
		from, to := u.NewBuffer(n, abi.BODevice), u.NewBuffer(n, abi.BODevice)
		mark := 0x0101010101010101 * (n>>10%251 + 1)
		require.Zero(c, c.one(u, Fill(from.Addr+n-64, mark, 64), from))
		start := c.Now()
		require.Zero(c, c.one(u, Copy(to.Addr, from.Addr, n), from, to), "%d bytes", n)
		if now := c.Now() - start; n >= 64<<10 {
			assert.Greater(c, now, took, "%d bytes are copied in no more time than a quarter of them", n)
			took = now
		}
		require.Zero(c, c.one(u, Copy(out.Addr, to.Addr+n-64, 64), to, out))
		require.EqualValues(c, byte(mark), out.Read(63, 1)[0], "%d bytes", n)
		from.Close()
		to.Close()
	}
	u.close()
}

// Rows with strides, and rows at random places, land where they should and nowhere
// else; several programs do it at once.
func s19Strided(c *Case) {
	const n = 64 << 10
	var joins []func()
	for i := range uint64(4) {
		joins = append(joins, c.Spawn(func() {
			u := c.open()
			q := u.NewQueue(uint32(i%abi.NumEngines), fw.PriorityNormal)
			src, mid, dst := u.NewBuffer(n, abi.BOHost), u.NewBuffer(n, abi.BODevice), u.NewBuffer(n, abi.BOHost)
			data := pattern(n, byte(i*50+1))
			src.Write(0, data)
			want := make([]byte, n)
			k := abi.Packet{Op: abi.OpCopy, Src: src.Addr, Dst: mid.Addr, RowBytes: 48 + i*16, Counts: [2]uint32{16, 8},
				SrcStride: [2]uint64{256, 8192}, DstStride: [2]uint64{128, 4096}}
			held := make([]byte, n)
			for y := range uint64(8) {
				for x := range uint64(16) {
					copy(held[y*4096+x*128:][:k.RowBytes], data[y*8192+x*256:])
				}
			}
			packets := []abi.Packet{Fill(mid.Addr, 0, n), barred(k)}
			at := i*7919 + 1
			for range 40 { // rows of any place and length
				at = (at*1103515245 + 12345) & (1<<31 - 1)
				from, rows := at>>4%(n-512), at%500+1
				to := (at >> 9) % (n - 512)
				packets = append(packets, barred(Copy(dst.Addr+to, mid.Addr+from, rows)))
				copy(want[to:to+rows], held[from:from+rows])
			}
			dst.Write(0, make([]byte, n))
			require.Zero(c, c.ended(u, u.Start(q, &Job{Packets: packets, Buffers: []*Buffer{src, mid, dst}}), 2e9))
			assert.Equal(c, want, dst.Read(0, n), "program %d", i)
			u.close()
		}))
	}
	for _, join := range joins {
		join()
	}
}

// barred has a packet wait for those before it.
func barred(k abi.Packet) abi.Packet {
	k.Flags |= abi.FlagBarrier
	return k
}

// Jobs of a higher priority go first where an engine arbitrates, and those below
// are not forgotten. They all become ready at once, behind a job that waits, and
// each takes much longer than it takes to start one.
func s19Priorities(c *Case) {
	const n = 16
	for engine := range uint32(abi.NumEngines) {
		u := c.open()
		b, packets := c.filling(u, engine)
		slots := u.NewBuffer(4096, abi.BOHost)
		gate := slots.Addr + 2048
		other := u.NewQueue(1-engine, fw.PriorityHigh)
		waits := u.Start(other, &Job{Packets: []abi.Packet{WaitFor(gate, 1)}, Buffers: []*Buffer{slots}})
		queues := []uint32{u.NewQueue(engine, fw.PriorityLow), u.NewQueue(engine, fw.PriorityHigh)}
		var jobs []*Job
		for p, q := range queues {
			for i := range uint64(n) {
				stamp := barred(abi.Packet{Op: abi.OpTimestamp, Addr: slots.Addr + 8*(uint64(p)*n+i)})
				jobs = append(jobs, u.Start(q, &Job{Packets: append(slices.Clone(packets), stamp),
					Buffers: []*Buffer{b, slots}, In: []abi.Sync{{Syncobj: waits.Done}}}))
			}
		}
		opens := u.Start(u.NewQueue(1-engine, fw.PriorityNormal), &Job{Packets: []abi.Packet{{Op: abi.OpSignal, Addr: gate, Value: 1}}, Buffers: []*Buffer{slots}})
		for _, j := range append(jobs, waits, opens) {
			require.Zero(c, c.ended(u, j, 5e9))
		}
		low, high := slots.word(n-1), slots.word(2*n-1)
		assert.Less(c, high, low, "engine %d: the last job of high priority, and of low", engine)
		u.close()
	}
}

// filling makes packets that keep an engine busy, and the buffer that they fill:
// more at once than it has channels, and for long.
func (c *Case) filling(u *User, engine uint32) (b *Buffer, packets []abi.Packet) {
	c.Helper()
	const most = 1 << 20
	b = u.NewBuffer(most, abi.BODevice)
	empty := c.took(u, engine, nop())
	size, fills := uint64(4096), 4*uint64(max(4, Query[abi.DeviceInfo](u, abi.QueryDevice).NumDMAChannels))
	for {
		packets = nil
		for i := range fills {
			packets = append(packets, Fill(b.Addr, i, size))
		}
		if c.took(u, engine, &Job{Packets: packets, Buffers: []*Buffer{b}}) > 2*empty {
			return b, packets
		}
		if size < most {
			size *= 2
		} else {
			fills *= 2
		}
	}
}

// A reset of an engine behind each kind of command, as a job hangs with it and as
// one is forced, leaves an engine that does the command again.
func s20EachCommand(c *Case) {
	for _, engine := range []uint32{abi.EngineCompute, abi.EngineCopy} {
		for op := range uint8(abi.NumOps) {
			if op == abi.OpKernel && engine == abi.EngineCopy {
				continue // it has no cores
			}
			name := fmt.Sprintf("%s on engine %d", abi.PacketNames[op], engine)
			guilty := c.open()
			j := guilty.hang(2e6)
			k, held := guilty.command(op, j.Buffers[0])
			j.Packets = append([]abi.Packet{k}, j.Packets...)
			j.Buffers = append(j.Buffers, held...)
			guilty.Start(guilty.NewQueue(engine, fw.PriorityNormal), j)
			assert.Equal(c, unix.ETIME, c.ended(guilty, j, 1e9), name)
			guilty.close()
			for _, force := range []bool{true, false} {
				u := c.open()
				slot := u.NewBuffer(4096, abi.BOHost)
				k, held := u.command(op, slot)
				if op == abi.OpWait && !force {
					k.Value = 0
				}
				j := u.Start(u.NewQueue(engine, fw.PriorityNormal), &Job{Packets: []abi.Packet{k}, Buffers: append(held, slot)})
				if force {
					c.Sleep(2000)
					require.NoError(c, c.StoreDebug(c.debugDir()+"reset", "1"), name)
					assert.Contains(c, []unix.Errno{0, unix.EIO}, c.ended(u, j, 1e9), name)
				} else {
					assert.Zero(c, c.ended(u, j, 1e9), "%s: after the resets", name)
				}
				u.close()
			}
		}
	}
	c.healthy()
}

// command is a packet of an opcode that can run, with its buffers.
func (u *User) command(op uint8, slot *Buffer) (abi.Packet, []*Buffer) {
	u.t.Helper()
	switch op {
	case abi.OpCopy, abi.OpFill:
		b := u.NewBuffer(64<<10, abi.BODevice)
		k := Fill(b.Addr, 7, 32<<10)
		if op == abi.OpCopy {
			k = Copy(b.Addr, b.Addr+32<<10, 32<<10)
		}
		return k, []*Buffer{b}
	case abi.OpKernel:
		in, out, desc := u.NewBuffer(4096, abi.BODevice), u.NewBuffer(4096, abi.BODevice), u.NewBuffer(4096, abi.BODevice)
		raw := make([]byte, abi.KernelSize)
		k := doubling(in, out)
		k.Encode(raw)
		desc.Write(0, raw)
		return abi.Packet{Op: op, Addr: desc.Addr, Value: abi.KernelSize, Cores: 1}, []*Buffer{in, out, desc}
	case abi.OpWait:
		return WaitFor(slot.Addr, 1), nil
	case abi.OpSignal, abi.OpTimestamp:
		return abi.Packet{Op: op, Addr: slot.Addr + 64, Value: 1}, nil
	case abi.OpBarrier:
		return abi.Packet{Op: op, Value: 7}, nil
	case abi.OpIndirect:
		b := u.NewBuffer(4096, abi.BOHost|abi.BOCommand)
		raw := make([]byte, 16)
		(&abi.Packet{Op: abi.OpNop}).Encode(raw)
		b.Write(0, raw)
		return abi.Packet{Op: op, Addr: b.Addr, Value: 16}, []*Buffer{b}
	}
	return abi.Packet{Op: abi.OpNop}, nil
}
