package pcie

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

var update = flag.Bool("update", false, "rewrite golden files")

// card is a function on a recording host.
type card struct {
	*Function
	e        *sim.Engine
	messages []string
	dma      int
	ended    int
	done     sim.Handler
}

func (c *card) host() hw.Host { return cardHost{c} }

type cardHost struct{ c *card }

func (h cardHost) Submit(r *hw.Request) { h.c.dma++; h.c.e.After(0, r.Done) }
func (h cardHost) Interrupt(v int, addr uint64, data uint32) {
	h.c.messages = append(h.c.messages, fmt.Sprintf("%d: %#x=%#x", v, addr, data))
}

func newCard(t *testing.T, vectors int) *card {
	t.Helper()
	c := &card{e: sim.New(0)}
	c.Function = NewFunction(c.e, "fn", DefaultFunction(DefaultConfig(), vectors), FunctionParts{Host: c.host()})
	c.done = c.e.Register("end", func(uint64) { c.ended++ })
	serve := func(r *hw.Request) {
		if r.Op == hw.Read {
			binary.LittleEndian.PutUint32(r.Data, uint32(r.Addr))
		}
		c.e.After(0, r.Done)
	}
	c.BAR(0, 2<<20, false, serve)
	c.BAR(2, 256<<20, true, serve)
	return c
}

// enable does what a driver does: memory decode, bus mastering, MSI-X.
func (c *card) enable() {
	c.ConfigWrite(regCommand, 2, commandMemory|commandMaster)
	c.ConfigWrite(regMSIX, 2, msixEnable)
}

func (c *card) read(t *testing.T, bar int, off uint64) uint32 {
	t.Helper()
	r := hw.Request{Op: hw.Read, Addr: off, Bytes: 4, Data: make([]byte, 4), Done: sim.Call{H: c.done}}
	c.mmio(t, bar, &r)
	return binary.LittleEndian.Uint32(r.Data)
}

func (c *card) write(t *testing.T, bar int, off uint64, v uint32) {
	t.Helper()
	data := binary.LittleEndian.AppendUint32(nil, v)
	c.mmio(t, bar, &hw.Request{Op: hw.Write, Addr: off, Bytes: 4, Data: data, Done: sim.Call{H: c.done}})
}

func (c *card) mmio(t *testing.T, bar int, r *hw.Request) {
	t.Helper()
	before := c.ended
	c.MMIO(bar, r)
	require.Equal(t, before, c.ended, "Done fires in a later event")
	require.NoError(t, c.e.Run())
	require.Equal(t, before+1, c.ended)
	require.Equal(t, hw.OK, r.Status)
}

// vector programs and unmasks a vector.
func (c *card) vector(t *testing.T, v int, addr uint64, data uint32) {
	t.Helper()
	for i, w := range []uint32{uint32(addr), uint32(addr >> 32), data, 0} {
		c.write(t, msixBAR, uint64(16*v+4*i), w)
	}
}

func TestConfigurationSpaceGolden(t *testing.T) {
	c := newCard(t, 33)
	var b strings.Builder
	for off := 0; off < spaceSize; off += 16 {
		line := ""
		for i := range 16 {
			line += fmt.Sprintf(" %02x", c.ConfigRead(off+i, 1))
		}
		if strings.Trim(line, " 0") != "" {
			fmt.Fprintf(&b, "%03x:%s\n", off, line)
		}
	}
	const file = "testdata/config.golden"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
}

// The walk of pci_find_next_capability and pci_find_ext_capability in Linux.
func TestCapabilityWalk(t *testing.T) {
	c := newCard(t, 33)
	require.NotZero(t, c.ConfigRead(regStatus, 2)&0x10)
	var found []string
	for pos, ttl := c.ConfigRead(0x34, 1)&^3, 48; pos >= 0x40 && ttl > 0; ttl-- {
		found = append(found, fmt.Sprintf("%02x@%02x", c.ConfigRead(int(pos), 1), pos))
		pos = c.ConfigRead(int(pos)+1, 1) &^ 3
	}
	for pos, ttl := uint32(0x100), (4096-256)/8; pos >= 0x100 && ttl > 0; ttl-- {
		h := c.ConfigRead(int(pos), 4)
		found = append(found, fmt.Sprintf("%04x.%d@%03x", h&0xffff, h>>16&0xf, pos))
		pos = h >> 20 &^ 3
	}
	assert.Equal(t, []string{"01@40", "11@50", "10@60", "0001.2@100", "0003.1@150"}, found)
	assert.Equal(t, uint32(0xacc11234), c.ConfigRead(0, 4))
	assert.Equal(t, uint32(0x120000), c.ConfigRead(8, 4)>>8)
	assert.Equal(t, uint32(0x10008021), c.ConfigRead(capPCIe+4, 4), "DevCap")
	assert.Equal(t, uint32(2), c.ConfigRead(capPCIe+2, 2)&0xff, "version 2, endpoint")
	assert.Equal(t, uint32(8<<4|4), c.ConfigRead(capPCIe+0x12, 2)&0x3ff, "Gen4 x8")
	assert.Equal(t, uint32(32), c.ConfigRead(regMSIX, 2)&0x7ff, "table size − 1")
}

// Software sizes a BAR by writing ones.
func TestBARSizing(t *testing.T) {
	c := newCard(t, 33)
	for _, w := range []struct {
		bar   int
		size  uint64
		flags uint32
	}{{0, 2 << 20, 0x4}, {2, 256 << 20, 0xc}, {4, 4096, 0x4}} {
		off := regBAR0 + 4*w.bar
		c.ConfigWrite(off, 4, all)
		c.ConfigWrite(off+4, 4, all)
		low, high := c.ConfigRead(off, 4), c.ConfigRead(off+4, 4)
		assert.Equal(t, w.flags, low&0xf)
		mask := uint64(high)<<32 | uint64(low&^0xf)
		assert.Equal(t, w.size, -mask, "BAR%d", w.bar)
		assert.Equal(t, w.size, c.BARSize(w.bar))
		c.ConfigWrite(off, 4, 0xe0000000)
		assert.Equal(t, 0xe0000000|w.flags, c.ConfigRead(off, 4))
	}
	c.ConfigWrite(0x30, 4, all)
	assert.Zero(t, c.ConfigRead(0x30, 4), "no expansion ROM")
}

func TestAccessesOutsideAnything(t *testing.T) {
	c := newCard(t, 4)
	c.enable()
	for _, a := range [][2]int{{4096, 4}, {4094, 4}, {2, 4}, {0, 3}, {-4, 4}} {
		assert.Equal(t, uint32(all), c.ConfigRead(a[0], a[1]), "%v", a)
		c.ConfigWrite(a[0], a[1], 0)
	}
	assert.Equal(t, uint32(0x1000), c.read(t, 0, 0x1000))
	assert.Equal(t, uint32(all), c.read(t, 0, 2<<20), "behind the BAR")
	assert.Equal(t, uint32(all), c.read(t, 1, 0), "no BAR")
	assert.NotZero(t, c.ConfigRead(regDevSta, 2)&devStaUnsupported)
	c.ConfigWrite(regDevSta, 2, devStaUnsupported)
	assert.Zero(t, c.ConfigRead(regDevSta, 2)&devStaUnsupported, "W1C")
	c.ConfigWrite(regCommand, 2, commandMaster)
	assert.Equal(t, uint32(all), c.read(t, 0, 0), "memory decode is off")
}

func TestBusMaster(t *testing.T) {
	c := newCard(t, 4)
	submit := func() hw.Status {
		r := hw.Request{Space: hw.BusAddr, Bytes: 4, Done: sim.Call{H: c.done}}
		c.Submit(&r)
		require.NoError(t, c.e.Run())
		return r.Status
	}
	assert.Equal(t, hw.Unsupported, submit())
	c.enable()
	assert.Equal(t, hw.OK, submit())
	c.ConfigWrite(regPMCSR, 2, 3)
	assert.Equal(t, hw.Unsupported, submit())
	assert.Equal(t, 1, c.dma)
}

func TestMSIX(t *testing.T) {
	c := newCard(t, 70)
	c.vectorsOff(t)
	c.enable()
	c.vector(t, 1, 0xfee0_1000_0000_0040, 0x4041)
	c.vector(t, 69, 0xfee00000, 0x69)
	c.Raise(1)
	assert.Equal(t, []string{"1: 0xfee0100000000040=0x4041"}, c.messages)

	c.messages = nil
	c.Raise(0) // masked by its own bit since reset
	c.Raise(0)
	assert.Equal(t, uint32(1), c.read(t, msixBAR, c.msix.pba))
	c.ConfigWrite(regMSIX, 2, msixEnable|msixMask)
	c.Raise(69)
	assert.Equal(t, uint32(1<<5), c.read(t, msixBAR, c.msix.pba+8))
	assert.Empty(t, c.messages)

	c.vector(t, 0, 0x1000, 7) // still held by the function mask
	assert.Empty(t, c.messages)
	c.ConfigWrite(regMSIX, 2, msixEnable)
	assert.Equal(t, []string{"0: 0x1000=0x7", "69: 0xfee00000=0x69"}, c.messages, "once each, lowest first")
	assert.Zero(t, c.read(t, msixBAR, c.msix.pba))

	c.messages = nil
	c.ConfigWrite(regCommand, 2, commandMemory) // an MSI-X message is a write too
	c.Raise(1)
	assert.Empty(t, c.messages)
	c.ConfigWrite(regCommand, 2, commandMemory|commandMaster)
	assert.Len(t, c.messages, 1)
	c.Raise(70)
	c.Raise(-1)
	assert.Len(t, c.messages, 1, "no such vector")
}

// vectorsOff checks that nothing leaves while MSI-X is off.
func (c *card) vectorsOff(t *testing.T) {
	t.Helper()
	c.ConfigWrite(regCommand, 2, commandMemory|commandMaster)
	c.Raise(1)
	assert.Empty(t, c.messages)
	assert.Zero(t, c.read(t, msixBAR, c.msix.pba))
}

func TestMSIXTableAccess(t *testing.T) {
	c := newCard(t, 2)
	c.enable()
	c.write(t, msixBAR, 0, all)
	assert.Equal(t, uint32(0xfffffffc), c.read(t, msixBAR, 0), "the address is of dwords")
	c.write(t, msixBAR, 12, all)
	assert.Equal(t, uint32(1), c.read(t, msixBAR, 12))
	c.write(t, msixBAR, c.msix.pba, all)
	assert.Zero(t, c.read(t, msixBAR, c.msix.pba), "pending bits are read-only")
	wide := hw.Request{Op: hw.Write, Addr: 16, Bytes: 8, Data: []byte{4, 0, 0, 0, 5, 0, 0, 0}, Done: sim.Call{H: c.done}}
	c.mmio(t, msixBAR, &wide)
	assert.Equal(t, []uint32{4, 5}, []uint32{c.read(t, msixBAR, 16), c.read(t, msixBAR, 20)})
	odd := hw.Request{Op: hw.Read, Addr: 2, Bytes: 2, Data: make([]byte, 2), Done: sim.Call{H: c.done}}
	c.mmio(t, msixBAR, &odd)
	assert.Equal(t, []byte{0xff, 0xff}, odd.Data)
	assert.Zero(t, c.read(t, msixBAR, 32), "between table and pending bits")
}

func TestHostOwnsVectors(t *testing.T) {
	c := newCard(t, 8)
	c.HostOwnsVectors()
	c.Raise(3)
	assert.Equal(t, []string{"3: 0x0=0x0"}, c.messages)
}

func TestFunctionLevelReset(t *testing.T) {
	c := newCard(t, 4)
	var done sim.Call
	c.onReset = func(d sim.Call) { done = d }
	c.enable()
	c.vector(t, 1, 0x40, 1)
	c.ConfigWrite(regBAR0, 4, 0xe0000000)
	c.Inject(BadTLP)
	control := c.ConfigRead(regDevCtl, 2)
	c.ConfigWrite(regDevCtl, 2, control|controlReset)
	require.NotZero(t, done.H)
	assert.True(t, c.InReset())
	assert.Zero(t, c.ConfigRead(regDevCtl, 2)&controlReset, "the bit reads zero")
	assert.NotZero(t, c.ConfigRead(regDevSta, 2)&statusPending)
	assert.Zero(t, c.ConfigRead(regCommand, 2))
	c.ConfigWrite(regCommand, 2, commandMemory|commandMaster)
	assert.Equal(t, uint32(all), c.read(t, 0, 0), "until the device is back")
	c.ConfigWrite(regDevCtl, 2, control|controlReset) // again, while it runs: nothing

	c.e.Fire(done)
	assert.False(t, c.InReset())
	assert.Equal(t, int64(1), c.Stats().Resets)
	assert.Zero(t, c.ConfigRead(regDevSta, 2)&statusPending)
	assert.Equal(t, uint32(4), c.ConfigRead(regBAR0, 4))
	assert.Equal(t, uint32(0x1000), c.read(t, 0, 0x1000))
	assert.Equal(t, uint32(1), c.read(t, msixBAR, 16+12), "vectors are masked")
	assert.Zero(t, c.read(t, msixBAR, 16))
	assert.NotZero(t, c.ConfigRead(regCEStatus, 4), "sticky")
	c.ConventionalReset(true, sim.Call{H: c.done})
	assert.Zero(t, c.ConfigRead(regCEStatus, 4))
}

func TestPowerStates(t *testing.T) {
	c := newCard(t, 4)
	c.enable()
	c.vector(t, 2, 0x40, 2)
	c.ConfigWrite(regPMCSR, 2, 1)
	assert.Zero(t, c.ConfigRead(regPMCSR, 2)&3, "there is no D1")
	c.ConfigWrite(regPMCSR, 2, 3)
	assert.Equal(t, uint32(all), c.read(t, 0, 0))
	assert.Equal(t, uint32(0xacc1), c.ConfigRead(2, 2), "configuration space lives in D3hot")
	c.Raise(2)
	assert.Empty(t, c.messages)
	c.ConfigWrite(regPMCSR, 2, 0)
	assert.Len(t, c.messages, 1, "held until D0")
	assert.Equal(t, uint32(0x40), c.read(t, msixBAR, 32), "state is kept")
}

func TestErrorReporting(t *testing.T) {
	c := newCard(t, 4)
	header := [4]uint32{1, 2, 3, 4}
	assert.Equal(t, Silent, c.Inject(PoisonedTLP), "reporting is off")
	c.ConfigWrite(regUEStatus, 4, all)
	c.ConfigWrite(regDevCtl, 2, 0x7)
	completerAbort := CompleterAbort
	completerAbort.Header = header
	assert.Equal(t, NonFatal, c.Inject(completerAbort))
	assert.Equal(t, Fatal, c.Inject(MalformedTLP))
	assert.Equal(t, uint32(15), c.ConfigRead(regAERCtl, 4), "the first error")
	for i, w := range header {
		assert.Equal(t, w, c.ConfigRead(regHeaderLog+4*i, 4))
	}
	assert.Equal(t, uint32(1<<15|1<<18), c.ConfigRead(regUEStatus, 4))
	c.ConfigWrite(regUEStatus, 4, 1<<15)
	assert.Equal(t, uint32(1<<18), c.ConfigRead(regUEStatus, 4))
	c.ConfigWrite(regUESev, 4, 0)
	assert.Equal(t, NonFatal, c.Inject(MalformedTLP))
	c.ConfigWrite(regUEMask, 4, 1<<18)
	assert.Equal(t, Silent, c.Inject(MalformedTLP))
	assert.Equal(t, Correctable, c.Inject(BadDLLP))
	assert.Equal(t, uint32(1<<7), c.ConfigRead(regCEStatus, 4))
	assert.Equal(t, uint32(0x7), c.ConfigRead(regDevSta, 2)&0x7)
	c.ConfigWrite(regDevCtl, 2, 0)
	c.ConfigWrite(regCommand, 2, commandSERR)
	assert.Equal(t, NonFatal, c.Inject(DataLinkProtocol))
	assert.NotZero(t, c.ConfigRead(regStatus, 2)&statusSignalled)
}

// Every row lies in the space, on its alignment, over no other.
func TestRegisterRows(t *testing.T) {
	c := DefaultFunction(DefaultConfig(), 8)
	f := newCard(t, 8)
	owner := map[int]string{}
	for _, rows := range [][]register{header(&c), power, msix(8, &f.msix), express(&c.Link), aer, serial(1)} {
		for _, r := range rows {
			require.True(t, inside(r.off, r.size) || r.off == 0x09, r.name)
			require.Zero(t, r.write&r.clear, r.name)
			require.NotEmpty(t, r.spec, r.name)
			for i := range r.size {
				require.Empty(t, owner[r.off+i], r.name)
				owner[r.off+i] = r.name
			}
		}
	}
}
