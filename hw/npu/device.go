// Package npu is the one place that puts the device's blocks together: who
// talks to whom, the BAR map, interrupts and the reset tree.
//
//	queue ─┐                     ┌─ DRAM
//	cores ─┼─ device MMU ports ──┤
//	dma   ─┘                     └─ PCI function ── link ── host
package npu

import (
	"errors"

	"github.com/presi-sim/presi/dma"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/hw/mgmt"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/mmu"
	"github.com/presi-sim/presi/queue"
	"github.com/presi-sim/presi/sim"
)

// Device is the whole accelerator.
type Device struct {
	e    *sim.Engine
	cfg  Config
	host hw.Host

	store    *mem.Store
	dram     *mem.DRAM
	mmu      *mmu.Unit
	cores    *core.Complex
	dma      *dma.Engine
	queues   *queue.Unit
	mgmt     *mgmt.Controller
	function *pcie.Function

	bar0    reg.Space
	ident   *ident
	trans   *translation
	tele    *telemetry
	faults  *fault.Injector
	inject  *inject
	engines engines
	ecc     ecc
	late    *fault.Late // device memory in chaos mode, else nil
	resets  resets
	trusted trusted
	front   front

	activity activity
	hot      hot
}

// New returns a device at power-on behind host. pool computes kernels; nil
// leaves values out (timing alone).
func New(e *sim.Engine, cfg Config, host hw.Host, pool *kern.Pool) *Device {
	if cfg.Chaos.Seed != 0 {
		cfg.lasting()
	}
	d := &Device{e: e, cfg: cfg, host: host, faults: fault.New(e, cfg.Faults)}
	d.engines.init(d)
	d.ecc.init(d)
	src := cfg.sources()
	d.store = mem.NewStore(cfg.DRAM.Size)
	d.dram = mem.New(e, "dram", cfg.DRAM, d.store)
	id := pcie.DefaultFunction(cfg.PCIe, 1+cfg.Queue.Count)
	id.Vendor, id.Device, id.Class, id.Revision = abi.VendorID, abi.DeviceID, abi.ClassCode, abi.HWVersion
	d.function = pcie.NewFunction(e, "function", id,
		pcie.FunctionParts{Host: host, Faults: d.faults, Reset: d.functionReset})
	d.trusted.init(e)
	route := path{d}
	d.mmu = mmu.NewUnit(e, cfg.MMU, mmu.Parts{Clock: sim.NewClock(cfg.Core.Clock), Tables: route, Source: hw.Source(src.mmu), Faults: d.faults})
	ports := make([]hw.Target, cfg.Core.Count)
	for i := range ports {
		ports[i] = d.port(route)
	}
	d.cores = core.New(e, cfg.Config, core.Parts{Ports: ports, Source: hw.Source(src.cores), Pool: pool})
	d.dma = dma.New(e, cfg.DMA, d.port(route), hw.Source(src.dma))
	d.queues = queue.New(e, cfg.Queue, queue.Parts{Port: d.port(route), Source: hw.Source(src.queue),
		Copier: &d.engines, Computer: &d.engines, Raise: d.function.Raise, Event: d.event,
		Faults: d.faults, Chaos: cfg.doorbells()})
	d.mgmt = mgmt.New(e, cfg.Mgmt, mgmt.Parts{Event: d.event, Sensors: d.sensors, CoreHz: cfg.Core.Clock, Faults: d.faults})
	d.registers()
	d.hot.init(d)
	d.chaos(cfg.Chaos.Seed)
	return d
}

// port returns a requester's way through the device MMU.
func (d *Device) port(route hw.Target) hw.Target {
	return &port{d: d, mmu: d.mmu.NewPort(route), route: route}
}

// registers maps BAR0 and BAR2.
func (d *Device) registers() {
	d.ident, d.trans, d.tele = newIdent(d), newTranslation(d), newTelemetry(d)
	d.inject = newInject(d)
	queues, bells := d.queues.Files()
	d.bar0.Map(d.ident.regs)
	d.bar0.Map(d.trans.regs)
	d.bar0.Map(d.tele.regs)
	d.bar0.Map(d.mgmt.File())
	d.bar0.Map(d.inject.regs)
	d.bar0.Map(queues...)
	d.bar0.Map(bells...)
	d.front.init(d, hw.Source(d.cfg.sources().memory))
	d.resets.init(d)
	d.function.BAR(abi.BARRegisters, abi.RegistersSize, false, func(r *hw.Request) { d.front.submit(abi.BARRegisters, r) })
	d.function.BAR(abi.BARMemory, uint64(window(d.cfg.DRAM.Size)), true, func(r *hw.Request) { d.front.submit(abi.BARMemory, r) })
}

// event sets bits of IRQ_CAUSE and raises vector 0 for those that are unmasked.
func (d *Device) event(cause uint64) { d.ident.event(cause) }

// Function returns the device as its host sees it.
func (d *Device) Function() *pcie.Function { return d.function }

// Memory is the zero-time back door to device memory.
func (d *Device) Memory() *mem.Store { return d.store }

// Queues returns the command processor.
func (d *Device) Queues() *queue.Unit { return d.queues }

// Cores returns the compute complex.
func (d *Device) Cores() *core.Complex { return d.cores }

// DRAM returns device memory's controller.
func (d *Device) DRAM() *mem.DRAM { return d.dram }

// Registers returns BAR0 for dumps.
func (d *Device) Registers() *reg.Space { return &d.bar0 }

// Idle returns an error for each block that has something outstanding. Device
// memory is not asked: it may keep writes in its buffers that are done for
// everybody else.
func (d *Device) Idle() error {
	return errors.Join(d.queues.Idle(), d.dma.Idle(), d.cores.Idle(), d.trusted.idle(), d.front.idle(), d.resets.idle(), d.engines.idle())
}
