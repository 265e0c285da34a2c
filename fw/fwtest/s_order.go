package fwtest

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw/abi"
)

// one runs a packet on a queue of its own and returns how it ends.
func (c *Case) one(u *User, k abi.Packet, buffers ...*Buffer) unix.Errno {
	c.Helper()
	commands := u.NewBuffer(4096, abi.BOHost|abi.BOCommand)
	defer commands.Close()
	return c.by(u, commands, k, buffers...)
}

// by is one with the buffer of its commands.
func (c *Case) by(u *User, commands *Buffer, k abi.Packet, buffers ...*Buffer) unix.Errno {
	c.Helper()
	q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
	j := u.Start(q, &Job{Packets: []abi.Packet{k}, Buffers: buffers, Commands: commands})
	errno := c.ended(u, j, 2e9)
	Must(u, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q})
	return errno
}

// large is the size of a large page.
const large = 2 << 20

// pieces fills device memory with at most 32 buffers that the device has written.
func (c *Case) pieces(u *User, fill uint64) (all []*Buffer, size uint64) {
	c.Helper()
	size = max(large, u.available()/32&^(large-1))
	for range u.available() / size {
		b := u.NewBuffer(size, abi.BODevice)
		require.Zero(c, c.one(u, Fill(b.Addr, fill, 4096), b))
		all = append(all, b)
	}
	return all, size
}

// A buffer that makes room for another's is found again where it went, by the
// addresses that the device has seen.
func s16Evicted(c *Case) {
	u, v := c.open(), c.open()
	held, size := c.pieces(u, 0x1111111111111111)
	big := v.NewBuffer(size, abi.BODevice)
	require.Zero(c, c.one(v, Fill(big.Addr, 0x2222222222222222, size), big))
	out := u.NewBuffer(4096, abi.BOHost)
	for i, b := range held {
		require.Zero(c, c.one(u, Copy(out.Addr, b.Addr, 4096), b, out))
		require.EqualValues(c, 0x11, out.Read(0, 1)[0], "buffer %d, not what lies where it was", i)
	}
	u.close()
	v.close()
}

// Memory that a program gives back is zero when another gets it.
func s16Cleared(c *Case) {
	u := c.open()
	_, size := c.pieces(u, 0x5ec2e75ec2e75ec2)
	u.close()
	v := c.open()
	out := v.NewBuffer(4096, abi.BOHost)
	for i := range v.available() / size {
		b := v.NewBuffer(size, abi.BODevice)
		require.Zero(c, c.one(v, Copy(out.Addr, b.Addr, 4096), b, out))
		require.Equal(c, make([]byte, 4096), out.Read(0, 4096), "piece %d", i)
	}
	v.close()
}

// A large page takes the place of a page table that the device remembers.
func s16Replaced(c *Case) {
	u, v := c.open(), c.open()
	first := u.NewBuffer(large, abi.BODevice) // at the space's beginning
	commands := u.NewBuffer(4096, abi.BOHost|abi.BOCommand)
	first.Close()
	small := u.NewBuffer(4096, abi.BODevice)
	require.Equal(c, first.Addr, small.Addr, "it lies where the large one lay")
	require.Zero(c, c.by(u, commands, Fill(small.Addr, 1, 8), small))
	small.Close()
	assert.Equal(c, unix.EFAULT, c.by(u, commands, Fill(small.Addr, 1, 8)), "the walk reads the table, and finds nothing")
	again := u.NewBuffer(large, abi.BODevice)
	require.Equal(c, first.Addr, again.Addr)
	w := v.NewBuffer(large+4096, abi.BODevice) // its tables take the place of the one that is gone
	require.Zero(c, c.one(v, Fill(w.Addr, 0x5555555555555555, w.Size), w))
	require.Zero(c, c.by(u, commands, Fill(again.Addr, 0x6666666666666666, large), again))
	assert.EqualValues(c, 0x55, w.Read(0, 1)[0])
	assert.EqualValues(c, 0x66, again.Read(large-1, 1)[0])
	u.close()
	v.close()
}

// A buffer is mapped whole or not at all: where memory for page tables ends in its
// midst, nothing of it can be reached.
func s16Whole(c *Case) {
	u := c.open()
	v := c.again(u)
	b := u.NewBuffer(large+64<<10, abi.BOHost) // a large page, and an entry of a table that is yet to come
	fd := b.export()
	commands := v.NewBuffer(4096, abi.BOHost|abi.BOCommand)
	var rest []Node
	for {
		n, err := c.OpenNode()
		if err != nil {
			c.is(err, unix.ENOSPC)
			break
		}
		rest = append(rest, n)
	}
	a := abi.PrimeHandle{FD: fd}
	Must(v, abi.NrPrimeFDToHandle, &a)
	err := Ioctl(v, abi.NrBOInfo, &abi.BOInfo{Handle: a.Handle})
	if err != nil { // else it was not memory that ended the opens
		c.is(err, unix.ENOSPC)
		at := commands.Addr&^(large-1) + large
		assert.Equal(c, unix.EFAULT, c.by(v, commands, Fill(at, 0x7777777777777777, 64)), "the part that could be mapped")
		assert.Zero(c, b.Read(0, 1)[0])
	}
	for _, n := range rest {
		require.NoError(c, n.Close())
	}
	Must(v, abi.NrBOInfo, &abi.BOInfo{Handle: a.Handle})
	require.NoError(c, u.node.CloseFD(fd))
	u.close()
	v.close()
}

// When the close of a buffer returns, the device writes there no more, also for a
// job that has not listed it: whoever gets the memory next has it alone.
func s16Awaited(c *Case) {
	u := c.open()
	const n, page = 1 << 20, 4096
	for i := range 24 {
		q := u.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		x := u.NewBuffer(n, abi.BODevice)
		j := u.Start(q, &Job{Packets: []abi.Packet{Fill(x.Addr, 0x7777777777777777, n)}})
		c.Sleep(int64(4000 + i*1000))
		x.Close()
		y := u.NewBuffer(n, abi.BODevice)
		y.Write(n-page, make([]byte, page))
		require.NoError(c, u.Wait(j.Done, c.Now()+2e9))
		require.Equal(c, make([]byte, page), y.Read(n-page, page), "round %d: a late write in another buffer", i)
		y.Close()
		j.Commands.Close()
		Must(u, abi.NrQueueDestroy, &abi.QueueDestroy{Queue: q})
	}
	u.close()
}

// register is what debugfs shows of a register.
func (c *Case) register(name string) (v uint64) {
	c.Helper()
	for _, line := range strings.Split(c.debug("registers"), "\n") {
		if _, text, ok := strings.Cut(line, name+" = "); ok {
			_, err := fmt.Sscanf(text, "0x%x", &v)
			require.NoError(c, err)
			return v
		}
	}
	require.Fail(c, "debugfs shows no register "+name)
	return 0
}

// records returns how many fault records the driver has taken, in-process.
func (c *Case) records() int {
	if c.Dev == nil {
		return 0
	}
	return c.Dev.Driver.Faults()
}

// The driver takes every fault record, more of them than the ring holds, and
// acknowledges what it has taken, also behind a reset.
func s18Records(c *Case) {
	u := c.open()
	b := u.NewBuffer(4096, abi.BOHost)
	taken := func(want int, when string) {
		c.Helper()
		c.Sleep(1e6)
		assert.Equal(c, c.register("MMU[0].FAULT_TAIL"), c.register("MMU[0].FAULT_HEAD"), when)
		assert.Zero(c, c.register("MMU[0].FAULT_STATUS"), when)
		assert.Zero(c, c.register("IDENT[0].IRQ_CAUSE"), when)
		if c.Dev != nil {
			assert.Equal(c, want, c.records(), when)
		}
	}
	fault := func() { assert.Equal(c, unix.EFAULT, c.one(u, Copy(b.Addr, 1<<40, 64), b)) }
	for range 70 {
		fault()
	}
	taken(70, "after 70 faults")
	f, err := c.Inject(lost)
	require.NoError(c, err)
	fault()
	assert.Equal(c, 1, f.Struck())
	taken(70, "after a record that was lost")
	for i, x := range forced {
		require.NoError(c, x.reset(c))
		assert.EqualValues(c, i+1, Query[abi.ResetInfo](u, abi.QueryReset).ResetCount, x.name)
		taken(70+i, "after a reset: "+x.name)
		fault()
		taken(71+i, "after a reset and a fault: "+x.name)
	}
	u.close()
}
