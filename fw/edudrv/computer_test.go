package edudrv_test

import (
	"io/fs"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/edu"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

const forever = math.MaxInt64

// computer is a simulated host with an edu card.
type computer struct {
	*testing.T
	engine *sim.Engine
	link   *pcie.Link
	host   *host.Host
	card   *edu.Card
	class  *fw.Class
	bus    hw.Bus     // what the driver gets; a test may put itself before it
	driver bound      // when it is bound
	open   []*program // what has been opened
}

// bound is a driver that has the card.
type bound interface {
	Node() string
	Leaks() error
	Remove()
}

// newComputer puts one together. At the end of the test nothing may be left over.
func newComputer(t *testing.T) *computer {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	e := sim.New(1)
	link := pcie.New(e, "pcie", cfg.PCIe, []int{1})
	h := host.New(e, cfg.Host, cfg.IOMMU, link)
	card := edu.New(e, edu.DefaultConfig(), cfg.PCIe, link)
	link.SetFunction(card)
	c := &computer{T: t, engine: e, link: link, host: h, card: card, bus: h.Bus(), class: fw.NewClass(h.Bus())}
	t.Cleanup(c.end)
	return c
}

// run runs fn as a process of the computer: simulated time passes while it waits.
func (c *computer) run(fn func()) {
	c.Helper()
	ended := false
	c.engine.Go("test", func(*sim.Proc) {
		fn()
		ended = true
		c.engine.Stop()
	})
	require.NoError(c, c.engine.Run())
	require.True(c, ended, "the test's process has not ended")
}

func (c *computer) remove() {
	c.driver.Remove()
	c.driver = nil
}

// end closes and removes everything and holds the invariants.
func (c *computer) end() {
	defer c.engine.Shutdown()
	if c.Failed() {
		return
	}
	c.run(func() {
		for _, p := range c.open {
			p.close()
		}
		if c.driver != nil {
			require.NoError(c, c.driver.Leaks())
			c.remove()
		}
	})
	require.NoError(c, c.engine.Run())
	require.NoError(c, c.card.Idle())
	require.NoError(c, c.link.Idle())
	require.NoError(c, c.host.Leaks())
}

// text reads an attribute.
func (c *computer) text(tree *fw.Tree, name string) string {
	c.Helper()
	b, err := fs.ReadFile(tree, name)
	require.NoError(c, err)
	return string(b)
}

// program is a program that has the node open: its file and its memory.
type program struct {
	*computer
	file   *fw.File
	memory fw.Arena
	areas  []*fw.VMA
}

func (c *computer) program() *program {
	p := &program{computer: c}
	var err error
	p.file, err = c.class.Open(0, &p.memory)
	require.NoError(c, err)
	c.open = append(c.open, p)
	return p
}

func (p *program) close() {
	if !p.file.Closed() {
		require.NoError(p, p.file.Close())
	}
	p.unmap()
}

func (p *program) unmap() {
	for _, a := range p.areas {
		a.Unmap()
	}
	p.areas = nil
}

// ioctl calls a read-write ioctl with a struct.
func ioctl[T any](p *program, nr uint32, arg *T) error { return ioctlIn(p, &p.memory, nr, arg) }

// ioctlIn is ioctl with the struct in a memory of several files.
func ioctlIn[T any](p *program, memory *fw.Arena, nr uint32, arg *T) error {
	buf := make([]byte, abi.SizeOf[T]())
	abi.Store(buf, arg)
	at := memory.Map(buf)
	defer memory.Unmap(at)
	err := p.file.Ioctl(abi.RequestOf[T](nr), at)
	*arg = abi.Load[T](buf)
	return err
}

// must is ioctl that has to succeed.
func must[T any](p *program, nr uint32, arg *T) {
	p.Helper()
	require.NoError(p, ioctl(p, nr, arg))
}

// syncobj makes a syncobj that holds nothing.
func (p *program) syncobj() uint32 {
	p.Helper()
	a := abi.SyncobjCreate{}
	must(p, abi.NrSyncobjCreate, &a)
	return a.Handle
}

// wait waits until a syncobj is signalled.
func (p *program) wait(syncobj uint32, until int64) error {
	h := []byte{byte(syncobj), byte(syncobj >> 8), byte(syncobj >> 16), byte(syncobj >> 24)}
	a := abi.SyncobjWait{Handles: p.memory.Map(h), Count: 1, TimeoutNS: until}
	defer p.memory.Unmap(a.Handles)
	return ioctl(p, abi.NrSyncobjWait, &a)
}
