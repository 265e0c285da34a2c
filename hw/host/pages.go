package host

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/mem"
	"github.com/presi-sim/presi/sim"
)

// Page sizes of the host.
const (
	pageSize = 4 * sim.KiB
	hugePage = 2 * sim.MiB
)

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// alignment is how an allocation of n bytes is aligned: large ones so that the
// IOMMU maps them by large pages, and so that a Go slice covers them.
func alignment(n int64) uint64 {
	switch {
	case n >= int64(hugePage):
		return uint64(hugePage)
	case n >= mem.ChunkBytes:
		return mem.ChunkBytes
	}
	return uint64(pageSize)
}

// size rounds an allocation so that no two of them share a chunk's slice.
func allocSize(n int64) int64 {
	if n > int64(pageSize) {
		return roundUp(n, mem.ChunkBytes)
	}
	return int64(pageSize)
}

// AllocPages implements hw.Bus.
func (h *Host) AllocPages(bytes int64) (*hw.Pages, error) {
	if bytes <= 0 {
		return nil, fmt.Errorf("allocation of %d bytes: %w", bytes, hw.ErrNoMemory)
	}
	n := allocSize(bytes)
	align := alignment(n)
	if n > int64(pageSize) {
		align = max(align, mem.ChunkBytes)
	}
	at, ok := h.phys.Take(uint64(n), align)
	if !ok {
		return nil, fmt.Errorf("%d bytes of host memory (%d are free): %w", bytes, h.phys.Left(), hw.ErrNoMemory)
	}
	h.held += n
	p := &hw.Pages{Phys: at, Size: roundUp(bytes, int64(pageSize))}
	p.Touch = func() []byte { return h.memory.store.Bytes(at, p.Size) }
	return p, nil
}

// FreePages implements hw.Bus.
func (h *Host) FreePages(p *hw.Pages) {
	if p.Bus != 0 {
		panic("host: pages are freed while the device has them mapped")
	}
	n := allocSize(p.Size)
	h.memory.store.Free(p.Phys, n)
	h.phys.Give(p.Phys, uint64(n))
	h.held -= n
}

// MapDMA implements hw.Bus.
func (h *Host) MapDMA(p *hw.Pages, dir hw.Direction) (uint64, error) {
	n := uint64(p.Size)
	iova, ok := h.iova.take(n, alignment(p.Size))
	if !ok {
		return 0, fmt.Errorf("bus addresses for %d bytes: %w", n, hw.ErrNoMemory)
	}
	mapped := h.tables.set(iova, p.Phys, n, dir)
	if mapped {
		p.Bus = iova
	}
	h.freeOrphans()
	if !mapped {
		h.iova.give(iova, n)
		return 0, fmt.Errorf("page tables for %d bytes of bus addresses (%d are free): %w", n, h.phys.Left(), hw.ErrNoMemory)
	}
	return iova, nil
}

// freeOrphans frees the tables that large pages have replaced, when the IOMMU
// has forgotten them.
func (h *Host) freeOrphans() {
	orphans := h.tables.orphans
	if orphans == nil {
		return
	}
	h.tables.orphans = nil
	h.invalidate(0, everything)
	for _, at := range orphans {
		h.phys.Give(at, uint64(pageSize))
	}
}

// UnmapDMA implements hw.Bus.
func (h *Host) UnmapDMA(p *hw.Pages) {
	h.tables.clear(p.Bus, uint64(p.Size))
	h.invalidate(p.Bus, uint64(p.Size))
	h.iova.give(p.Bus, uint64(p.Size))
	p.Bus = 0
}

// AllocDMA implements hw.Bus.
func (h *Host) AllocDMA(bytes int64) (*hw.DMA, error) {
	p, err := h.AllocPages(bytes)
	if err != nil {
		return nil, err
	}
	b := p.Touch()
	clear(b)
	bus, err := h.MapDMA(p, hw.Bidirectional)
	if err != nil {
		h.FreePages(p)
		return nil, err
	}
	h.coherent[bus] = p
	return &hw.DMA{Bytes: h.order.view(p.Phys, b[:bytes]), Addr: bus}, nil
}

// FreeDMA implements hw.Bus.
func (h *Host) FreeDMA(d *hw.DMA) {
	p := h.coherent[d.Addr]
	delete(h.coherent, d.Addr)
	h.order.forget(p.Phys)
	h.UnmapDMA(p)
	h.FreePages(p)
}
