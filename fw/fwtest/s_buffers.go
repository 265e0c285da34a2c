package fwtest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

func (u *User) available() uint64 { return Query[abi.DeviceInfo](u, abi.QueryDevice).MemAvailable }

func s13PerFile(c *Case) {
	u, v := c.open(), c.open()
	for range 20 {
		assert.NotZero(c, u.NewBuffer(4096, abi.BOHost).Handle)
	}
	b := v.NewBuffer(4096, abi.BODevice)
	b.Write(0, pattern(64, 1))
	b.Close()
	c.is(Ioctl(v, abi.NrGemClose, &abi.GemClose{Handle: b.Handle}), unix.EINVAL, "closed twice")
	c.is(Ioctl(v, abi.NrBOInfo, &abi.BOInfo{Handle: 20}), unix.ENOENT, "another file's handle")
	Must(u, abi.NrBOInfo, &abi.BOInfo{Handle: 20})
	u.close()
	v.close()
}

// What BO_CREATE was asked for is there: rounded up to pages, within the file's
// address space, with every flag, wherever it lies and however large.
func s13Info(c *Case) {
	u := c.open()
	device := Query[abi.DeviceInfo](u, abi.QueryDevice)
	page := device.PageSizes & -device.PageSizes
	require.NotZero(c, page)
	assert.Less(c, device.VAStart, device.VAEnd)
	require.LessOrEqual(c, device.VABits, uint32(64))
	assert.Zero(c, (device.VAEnd-1)>>(device.VABits-1)>>1, "the address space lies within the device's")
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	for _, x := range []struct {
		size  uint64
		flags uint32
	}{
		{1, abi.BODevice}, {page, abi.BODevice | abi.BOReadOnly}, {page + 1, abi.BODevice | abi.BOUncached}, {3*page - 1, abi.BOHost},
		{100, abi.BOHost | abi.BOCommand}, {5000, abi.BOHost | abi.BOReadOnly}, {2 * page, abi.BOHost | abi.BOUncached},
		{1, abi.BODevice | abi.BOCommand | abi.BOUncached}, {100 << 20, abi.BOHost},
	} {
		a := abi.BOCreate{Size: x.size, Flags: x.flags}
		Must(u, abi.NrBOCreate, &a)
		assert.Zero(c, a.Size%page, "%d bytes, flags %#x", x.size, x.flags)
		assert.True(c, a.Size >= x.size && a.Size < x.size+max(page, 64<<10), "%d bytes, flags %#x: %d are given", x.size, x.flags, a.Size)
		assert.True(c, a.DeviceAddr >= device.VAStart && a.DeviceAddr < device.VAEnd && device.VAEnd-a.DeviceAddr >= a.Size,
			"%#x to %#x", a.DeviceAddr, a.DeviceAddr+a.Size)
		info := abi.BOInfo{Handle: a.Handle}
		Must(u, abi.NrBOInfo, &info)
		want := abi.BOInfo{Handle: a.Handle, Flags: x.flags, Size: a.Size, DeviceAddr: a.DeviceAddr, MmapOffset: info.MmapOffset}
		if x.flags&abi.BODevice != 0 {
			want.Resident = 1
		}
		assert.Equal(c, want, info)
		b := &Buffer{p: u, Handle: a.Handle, Addr: a.DeviceAddr, Size: a.Size}
		b.Write(int64(a.Size)-64, pattern(64, 2))
		to := u.NewBuffer(64, abi.BOHost)
		require.NoError(c, u.Finish(q, u.Start(q, &Job{Packets: []abi.Packet{Copy(to.Addr, b.Addr+b.Size-64, 64)}, Buffers: []*Buffer{b, to}})))
		assert.Equal(c, pattern(64, 2), to.Read(0, 64), "the last bytes")
		u.unmapAll()
		b.Close()
	}
	u.close()
}

// The handles of all of a job's buffers go while it runs: it ends well, and then
// the memory is free.
func s13Job(c *Case) {
	u := c.open()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	before := u.available()
	w := u.copying(256<<10, 5)
	w.dst.Map()
	u.Start(q, w.Job)
	w.mid.Close()
	w.src.Close()
	w.Commands.Close()
	w.dst.Close()
	assert.Less(c, u.available(), before, "the job holds the memory")
	require.NoError(c, u.Finish(q, w.Job))
	assert.True(c, w.right())
	c.Sleep(1e6)
	assert.Equal(c, before, u.available())
	u.close()
}

func s13Mapping(c *Case) {
	u := c.open()
	before := u.available()
	b := u.NewBuffer(8192, abi.BODevice)
	b.Write(0, pattern(8192, 3))
	b.Close()
	assert.Equal(c, pattern(8192, 3), b.Read(0, 8192))
	assert.Equal(c, before-8192, u.available())
	u.unmapAll()
	assert.Equal(c, before, u.available())
	u.close()
}

// Thousands of handles: all closed again, by the program or with the file.
func s13Many(c *Case) {
	u := c.open()
	var all []*Buffer
	for range 2000 {
		all = append(all, u.NewBuffer(4096, abi.BOHost))
	}
	for i := len(all) - 1; i >= 0; i -= 2 {
		all[i].Close()
	}
	assert.NotZero(c, u.NewBuffer(4096, abi.BOHost).Handle)
	u.close()
}

func s14Offsets(c *Case) {
	u, v := c.open(), c.open()
	b := u.NewBuffer(8192, abi.BOHost)
	info := abi.BOInfo{Handle: b.Handle}
	Must(u, abi.NrBOInfo, &info)
	assert.GreaterOrEqual(c, info.MmapOffset, uint64(4<<30))
	for name, x := range map[string]struct {
		by     *User
		offset uint64
		length int64
		want   unix.Errno
	}{
		"unknown offset": {u, info.MmapOffset + 1<<40, 4096, unix.EINVAL}, "offset 0": {u, 0, 4096, unix.EINVAL},
		"beyond the buffer": {u, info.MmapOffset, 12288, unix.EINVAL}, "another file's": {v, info.MmapOffset, 4096, unix.EACCES},
	} {
		_, err := x.by.node.Mmap(x.offset, x.length)
		c.is(err, x.want, name)
	}
	b.Write(0, pattern(8192, 9))
	assert.Equal(c, pattern(8192, 9), b.Read(0, 8192))
	u.close()
	v.close()
}

func s14Unplugged(c *Case) {
	u := c.open()
	info := abi.BOInfo{Handle: u.NewBuffer(4096, abi.BOHost).Handle}
	Must(u, abi.NrBOInfo, &info)
	c.Unbind()
	for _, offset := range []uint64{info.MmapOffset, 0} {
		_, err := u.node.Mmap(offset, 4096)
		c.is(err, unix.ENODEV)
	}
	u.close()
}

// export gives a buffer a descriptor.
func (b *Buffer) export() int32 {
	b.p.t.Helper()
	a := abi.PrimeHandle{Handle: b.Handle, Flags: unix.O_RDWR | unix.O_CLOEXEC}
	Must(b.p, abi.NrPrimeHandleToFD, &a)
	return a.FD
}

// imported gives a descriptor a handle.
func (u *User) imported(fd int32) *Buffer {
	u.t.Helper()
	a := abi.PrimeHandle{FD: fd}
	Must(u, abi.NrPrimeFDToHandle, &a)
	info := abi.BOInfo{Handle: a.Handle}
	Must(u, abi.NrBOInfo, &info)
	return &Buffer{p: u, Handle: a.Handle, Addr: info.DeviceAddr, Size: info.Size}
}

func s15Again(c *Case) {
	u := c.open()
	v := c.again(u)
	for range 3 {
		v.NewBuffer(4096, abi.BOHost)
	}
	b := u.NewBuffer(4096, abi.BODevice)
	fd := b.export()
	assert.Equal(c, b.Handle, u.imported(fd).Handle, "into the file that exports")
	first := v.imported(fd)
	assert.Equal(c, first.Handle, v.imported(fd).Handle)
	b.Write(0, pattern(64, 4))
	assert.Equal(c, pattern(64, 4), first.Read(0, 64), "the same memory")
	c.is(Ioctl(u, abi.NrPrimeFDToHandle, &abi.PrimeHandle{FD: 12345}), unix.EBADF)
	require.NoError(c, u.node.CloseFD(fd))
	u.close()
	v.close()
}

// Descriptors are opened with the flags that open(2) knows for them, and no others.
func s15Flags(c *Case) {
	u := c.open()
	b := u.NewBuffer(4096, abi.BOHost)
	for _, flags := range []uint32{0, unix.O_CLOEXEC, unix.O_RDWR, unix.O_CLOEXEC | unix.O_RDWR} {
		a := abi.PrimeHandle{Handle: b.Handle, Flags: flags}
		Must(u, abi.NrPrimeHandleToFD, &a)
		assert.Equal(c, b.Handle, u.imported(a.FD).Handle)
		require.NoError(c, u.node.CloseFD(a.FD))
	}
	for _, flags := range []uint32{unix.O_WRONLY, unix.O_NONBLOCK, unix.O_RDWR | unix.O_APPEND, 1 << 31} {
		c.is(Ioctl(u, abi.NrPrimeHandleToFD, &abi.PrimeHandle{Handle: b.Handle, Flags: flags}), unix.EINVAL, "flags %#x", flags)
	}
	u.close()
}

func s15Outlives(c *Case) {
	u := c.open()
	v := c.again(u)
	before := v.available()
	b := u.NewBuffer(64<<10, abi.BODevice)
	b.Write(0, pattern(64<<10, 8))
	fd := b.export()
	b.Close()
	u.close()
	x := v.imported(fd)
	require.NoError(c, v.node.CloseFD(fd))
	assert.Equal(c, pattern(64<<10, 8), x.Read(0, 64<<10))
	q, to := v.NewQueue(abi.EngineCopy, fw.PriorityNormal), v.NewBuffer(64<<10, abi.BOHost)
	require.NoError(c, v.Finish(q, v.Start(q, &Job{Packets: []abi.Packet{Copy(to.Addr, x.Addr, 64<<10)}, Buffers: []*Buffer{x, to}})))
	assert.Equal(c, pattern(64<<10, 8), to.Read(0, 64<<10))
	v.unmapAll()
	x.Close()
	c.Sleep(1e6)
	assert.Equal(c, before, v.available(), "the last use frees it")
	v.close()
}

// Two files use the same address for memory of their own.
func s16Same(c *Case) {
	u, v := c.open(), c.open()
	a, b := u.NewBuffer(4096, abi.BODevice), v.NewBuffer(4096, abi.BODevice)
	require.Equal(c, a.Addr, b.Addr, "the first buffer of a file lies where that of another does")
	for i, x := range []struct {
		u *User
		b *Buffer
	}{{u, a}, {v, b}} {
		q := x.u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		fill := Fill(x.b.Addr, 0x0101010101010101*uint64(i+1), 4096)
		require.NoError(c, x.u.Finish(q, x.u.Start(q, &Job{Packets: []abi.Packet{fill}, Buffers: []*Buffer{x.b}})))
	}
	assert.EqualValues(c, 1, a.Read(0, 1)[0])
	assert.EqualValues(c, 2, b.Read(4095, 1)[0])
	u.close()
	v.close()
}

func s16Across(c *Case) {
	victim, thief := c.open(), c.open()
	var secret *Buffer
	for range 50 {
		secret = victim.NewBuffer(4096, abi.BODevice)
	}
	secret.Write(0, pattern(4096, 6))
	loot := thief.NewBuffer(4096, abi.BODevice)
	for _, k := range []abi.Packet{Copy(loot.Addr, secret.Addr, 64), Copy(secret.Addr, loot.Addr, 64), Fill(secret.Addr, 1, 64),
		{Op: abi.OpSignal, Addr: secret.Addr, Value: 1}, {Op: abi.OpTimestamp, Addr: secret.Addr}, WaitFor(secret.Addr, 1),
		{Op: abi.OpIndirect, Addr: secret.Addr, Value: 16}, Copy(loot.Addr, 0, 8), Copy(loot.Addr, abi.DeviceBit, 64)} {
		q := thief.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		j := thief.Start(q, &Job{Packets: []abi.Packet{k}, Buffers: []*Buffer{loot}})
		assert.Equal(c, unix.EFAULT, c.ended(thief, j, 1e9), "%s", abi.PacketNames[k.Op])
	}
	assert.Equal(c, pattern(4096, 6), secret.Read(0, 4096))
	// A buffer that was mapped and is closed is reached no more.
	q := thief.NewQueue(abi.EngineCompute, fw.PriorityNormal)
	gone, commands := thief.NewBuffer(4096, abi.BODevice), thief.NewBuffer(4096, abi.BOHost|abi.BOCommand)
	require.NoError(c, thief.Finish(q, thief.Start(q, &Job{Packets: []abi.Packet{Copy(loot.Addr, gone.Addr, 64)}, Buffers: []*Buffer{loot, gone}})))
	gone.Close()
	j := thief.Start(q, &Job{Packets: []abi.Packet{Copy(loot.Addr, gone.Addr, 64)}, Buffers: []*Buffer{loot}, Commands: commands})
	assert.Equal(c, unix.EFAULT, c.ended(thief, j, 1e9), "after its last handle is closed")
	victim.close()
	thief.close()
}

// A file that takes the place of a closed one reaches nothing of it by the
// addresses that the device has seen.
func s16Next(c *Case) {
	for range 3 {
		u := c.open()
		var b *Buffer
		for range 20 {
			b = u.NewBuffer(4096, abi.BODevice)
		}
		q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		require.NoError(c, u.Finish(q, u.Start(q, &Job{Packets: []abi.Packet{Fill(b.Addr, 7, 4096)}, Buffers: []*Buffer{b}})))
		u.close()
		v := c.open()
		q, to := v.NewQueue(abi.EngineCopy, fw.PriorityNormal), v.NewBuffer(4096, abi.BODevice)
		j := v.Start(q, &Job{Packets: []abi.Packet{Copy(to.Addr, b.Addr, 4096)}, Buffers: []*Buffer{to}})
		assert.Equal(c, unix.EFAULT, c.ended(v, j, 1e9))
		v.close()
	}
}
