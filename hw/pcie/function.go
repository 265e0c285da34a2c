package pcie

import (
	"fmt"
	"math/bits"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// FunctionConfig is the identity of a PCI function.
type FunctionConfig struct {
	Vendor, Device             uint16
	SubsystemVendor, Subsystem uint16
	Revision                   uint8
	Class                      uint32 // base class, subclass, interface in 24 bits
	Vectors                    int    // MSI-X vectors, 1 to 2048
	Serial                     uint64 // EUI-64
	Link                       Config // what the capabilities say of the link
}

// DefaultFunction returns the identity of a processing accelerator with n
// vectors behind a link.
func DefaultFunction(link Config, vectors int) FunctionConfig {
	return FunctionConfig{Vendor: 0x1234, Device: 0xacc1, SubsystemVendor: 0x1234, Subsystem: 0x0001, Revision: 1,
		Class: 0x120000, Vectors: vectors, Serial: 0x0200_00ff_fe00_0001, Link: link}
}

// Function is a PCI function: it implements hw.Function for its host and is the
// device's way out (hw.Target for DMA, Raise for interrupts), which it closes
// as COMMAND, power state and reset demand.
type Function struct {
	e    *sim.Engine
	host hw.Host
	cfg  space
	bars [6]bar
	msix vectorTable

	resetting bool
	onReset   func(done sim.Call)
	resetDone sim.Handler
	restarts  restarts
	pending   func() bool
	onError   func(Error, Severity)
	faults    faults
	link      Config
	linkUp    sim.Handler
	stats     FunctionStats
}

// FunctionStats counts what a function refused or sent.
type FunctionStats struct {
	Refused    int64 // MMIO that reached nobody
	DMARefused int64 // DMA with bus mastering off, in D3 or in reset
	Interrupts int64 // sent
	Held       int64 // interrupts that had to wait for a mask
	Resets     int64 // function-level
}

// bar is a base address register with who serves it.
type bar struct {
	size  uint64
	serve func(r *hw.Request)
}

// FunctionParts is what a function works with.
type FunctionParts struct {
	Host hw.Host // takes its DMA and interrupts
	// Faults is asked at DMA, interrupts and accesses of the host. Nil: none.
	Faults *fault.Injector
	// Reset resets the device at a function-level or a conventional reset; it is to
	// fire done when the device is as after power-on. Nil: the reset is over at once.
	Reset func(done sim.Call)
	// Pending says whether reads of the device are outstanding, which shows in
	// DevSta (section 7.5.3.5). Nil: a host that is a hw.Awaiter says so.
	Pending func() bool
}

// NewFunction returns a function in its power-on state. BAR4 is MSI-X; register
// the others with BAR.
func NewFunction(e *sim.Engine, name string, c FunctionConfig, parts FunctionParts) *Function {
	if c.Vectors < 1 || c.Vectors > 2048 {
		panic(fmt.Sprintf("pcie: %d MSI-X vectors: a function has 1 to 2048", c.Vectors))
	}
	f := &Function{e: e, host: parts.Host, link: c.Link, onReset: parts.Reset, pending: parts.Pending}
	f.msix.init(c.Vectors)
	for _, rows := range [][]register{header(&c), power, msix(c.Vectors, &f.msix), express(&c.Link), aer, serial(c.Serial)} {
		f.cfg.add(rows...)
	}
	f.cfg.after = []effect{
		{regCommand, regCommand + 2, func(_, _ uint32) { f.flush() }},
		{regMSIX, regMSIX + 2, func(_, _ uint32) { f.flush() }},
		{regPMCSR, regPMCSR + 2, f.powerWritten},
		{regDevCtl, regDevCtl + 2, f.controlWritten},
	}
	f.resetDone = e.Register(name+" reset done", f.onResetDone)
	f.restarts.init(f, name)
	if link, ok := parts.Host.(hw.Awaiter); ok && f.pending == nil {
		f.pending = link.ReadsPending
	}
	if up, ok := parts.Host.(rootPort); ok {
		f.onError = func(_ Error, s Severity) { up.SendError(s) }
	}
	f.linkUp = e.Register(name+" link returns", func(uint64) { f.host.(hw.Unpluggable).Up() })
	f.BAR(msixBAR, f.msix.barSize, false, f.serveMSIX)
	f.declare(name)
	if parts.Faults != nil {
		f.setFaults(parts.Faults)
	}
	return f
}

func (f *Function) declare(name string) {
	s := &f.stats
	f.e.Stats.Add(name,
		sim.Counter{Name: "refused", Help: "MMIO accesses that reached nobody", Value: &s.Refused},
		sim.Counter{Name: "dma_refused", Help: "DMA with bus mastering off, in D3 or in reset", Value: &s.DMARefused},
		sim.Counter{Name: "interrupts", Help: "MSI-X messages sent", Value: &s.Interrupts},
		sim.Counter{Name: "interrupts_held", Help: "MSI-X messages that waited for a mask", Value: &s.Held},
		sim.Counter{Name: "resets", Help: "function-level resets", Value: &s.Resets},
	)
}

// Stats returns the counters.
func (f *Function) Stats() FunctionStats { return f.stats }

// BAR makes a 64-bit memory BAR (0, 2 or 4) of size bytes, a power of two. serve
// gets every access in it that the function's state allows, with Addr as the
// offset, and must fire its Done in a later event.
func (f *Function) BAR(n int, size uint64, prefetch bool, serve func(r *hw.Request)) {
	if n < 0 || n > 4 || n%2 != 0 || size < page || bits.OnesCount64(size) != 1 {
		panic(fmt.Sprintf("pcie: BAR%d of %d bytes: want BAR 0, 2 or 4 of a power of two from 4 KiB", n, size))
	}
	f.bars[n] = bar{size, serve}
	f.cfg.add(barRows(n, size, prefetch)...)
}

// BARSize returns a BAR's size, 0 if there is none.
func (f *Function) BARSize(n int) uint64 {
	if n < 0 || n >= len(f.bars) {
		return 0
	}
	return f.bars[n].size
}

// ConfigRead implements hw.Function.
func (f *Function) ConfigRead(off, size int) uint32 {
	if !inside(off, size) {
		return all
	}
	pending := uint32(0)
	if f.resetting || f.pending != nil && f.pending() {
		pending = statusPending
	}
	f.cfg.set(regDevSta, 2, statusPending, pending)
	return f.vectorsShown(off, size, f.cfg.get(off, size))
}

// ConfigWrite implements hw.Function.
func (f *Function) ConfigWrite(off, size int, v uint32) {
	if inside(off, size) {
		f.cfg.store(off, size, v)
	}
}

// MMIO implements hw.Function.
func (f *Function) MMIO(bar int, r *hw.Request) {
	size := f.BARSize(bar)
	if !f.command(commandMemory) || !f.awake() || r.Addr >= size || uint64(r.Bytes) > size-r.Addr ||
		r.Op == hw.Read && f.faults.Hit(fault.AllOnes, bar, r.Addr) != nil {
		f.refuse(r)
		return
	}
	f.bars[bar].serve(r)
}

// refuse ends an access that nobody answers (section 2.3.1).
func (f *Function) refuse(r *hw.Request) {
	f.stats.Refused++
	f.cfg.set(regDevSta, 2, devStaUnsupported, devStaUnsupported)
	r.Status = hw.OK
	if r.Op == hw.Read {
		allOnes(r)
	}
	f.e.After(0, r.Done)
}

func (f *Function) command(bit uint32) bool { return f.cfg.get(regCommand, 2)&bit != 0 }

// awake reports whether the function is in D0 and not in reset.
func (f *Function) awake() bool { return !f.resetting && f.cfg.get(regPMCSR, 2)&3 == 0 }

// mayMaster reports whether the function may send requests.
func (f *Function) mayMaster() bool { return f.awake() && f.command(commandMaster) }

// Submit implements hw.Target: DMA of the device, refused with hw.Unsupported
// unless the function may master the bus.
func (f *Function) Submit(r *hw.Request) {
	if f.mayMaster() {
		if f.faults.Injector != nil && f.strikes(r) {
			return
		}
		f.host.Submit(r)
		return
	}
	f.stats.DMARefused++
	r.Status, r.FaultAddr = hw.Unsupported, r.Addr
	f.e.After(0, r.Done)
}
