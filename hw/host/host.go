// Package host is the host around a device, in simulation: memory, an IOMMU
// with its driver, interrupt delivery and the PCI core. To the device it is
// hw.Host (through the link); to drivers it serves hw.Bus. It knows nothing of
// the device's insides.
package host

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/alloc"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/mmu"
	"github.com/presi-sim/presi/sim"
)

const (
	address  = "0000:01:00.0"
	deviceID = 0x100 // requester id of address: bus 1, device 0, function 0
)

// Host is one host with one device.
type Host struct {
	e      *sim.Engine
	cfg    Config
	memory *memory
	iommu  *mmu.IOMMU
	link   *pcie.Link
	phys   *alloc.Ranges
	iova   busAddresses
	tables tables
	driver iommuDriver
	irqs   irqs
	kernel kernel

	held         int64                // bytes that drivers have allocated
	coherent     map[uint64]*hw.Pages // AllocDMA's, by bus address
	vectorLimit  int
	accesses     []*access
	freeAccesses []int
	posted       sim.Handler
	restarted    sim.Handler
	bus          *Bus
	order        *order // of coherent memory, in chaos mode; else nil
}

// New returns a host at the upstream end of a link.
func New(e *sim.Engine, cfg Config, iommu mmu.IOMMUConfig, link *pcie.Link) *Host {
	h := &Host{e: e, cfg: cfg, link: link, memory: newMemory(e, cfg), coherent: map[uint64]*hw.Pages{}, vectorLimit: 2048}
	h.phys = alloc.New(uint64(hugePage), uint64(cfg.Memory)) // page 0 is nobody's
	h.iova = newBusAddresses()
	h.kernel = newKernel(e, &h.cfg)
	h.irqs = irqs{k: h.kernel}
	h.posted = e.Register("host posted write", func(slot uint64) {
		h.freeAccesses = append(h.freeAccesses, int(slot))
	})
	h.restarted = e.Register("function restarted", func(uint64) {})
	h.iommu = newIOMMU(e, iommu, h.memory)
	h.tables = tables{store: h.memory.store, largest: cfg.pageLevel(), alloc: func() (uint64, bool) { return h.phys.Take(uint64(pageSize), uint64(pageSize)) }}
	h.driver.init(h)
	// The IOMMU's port and host memory keep the order of writes.
	link.SetUpstream(pcie.Ordered(h.iommu.NewPort(deviceID, h.memory)), func(v int, _ uint64, _ uint32) { h.irqs.message(v) })
	h.bus = newBus(h)
	return h
}

// Bus returns the driver's view.
func (h *Host) Bus() *Bus { return h.bus }

// LimitVectors makes AllocVectors find at most n interrupt vectors.
func (h *Host) LimitVectors(n int) { h.vectorLimit = n }

// FreeMemory returns the bytes of host memory nobody holds.
func (h *Host) FreeMemory() uint64 { return h.phys.Left() }

// Leaks returns an error for what drivers still hold: memory, bus addresses,
// interrupt vectors. It is for tests, after the last driver is gone.
func (h *Host) Leaks() error {
	var all []error
	if h.held > 0 {
		all = append(all, fmt.Errorf("host: %d bytes of memory are held", h.held))
	}
	if n := h.iova.used(); n > 0 {
		all = append(all, fmt.Errorf("host: %d bytes of bus addresses are mapped", n))
	}
	if n := len(h.irqs.vectors); n > 0 {
		all = append(all, fmt.Errorf("host: %d interrupt vectors are enabled", n))
	}
	return errors.Join(all...)
}
