package rig

import (
	"fmt"
	"slices"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/dma"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// Window is a point of the curve of DMA read bandwidth against the buffer that
// reads go to, as Neugebauer et al. (SIGCOMM 2018, section 6.5) measure it:
// reads of Size at random places of the buffer, mapped by 4 KiB pages, through
// the host's IOMMU.
type Window struct {
	Machine *configs.Config // its link, IOMMU and host
	Buffer  sim.Bytes       // a power of two
	Size    sim.Bytes       // likewise
}

// WindowRate is what a point shows.
type WindowRate struct {
	Buffer       int64   `json:"window_B"`
	Size         int64   `json:"size_B"`
	ReadGbps     float64 `json:"rd_Gbps"`
	ReadLatency  float64 `json:"rd_latency_ns"` // mean, under this load
	IOTLBHitRate float64 `json:"iotlb_hit_rate"`
}

const (
	// windowFlight is the requests in flight: copies of one request each. Copies of
	// several would start the next when their last has ended, and wait in step.
	windowFlight = 256
	// windowReads is the requests of a point, of which the second half counts.
	windowReads = 16384
)

// Measure reads.
func (w Window) Measure() (WindowRate, error) {
	b, err := newWindowBench(w)
	if err != nil {
		return WindowRate{}, err
	}
	for i := range b.copies {
		b.copies[i].Done = sim.Call{H: b.done, Arg: uint64(i)}
		b.next(uint64(i))
	}
	if err := b.e.Run(); err != nil {
		return WindowRate{}, err
	}
	if b.failed != 0 {
		return WindowRate{}, fmt.Errorf("%d copies of a window of %v ended with an error", b.failed, w.Buffer)
	}
	took := (b.to - b.from).Seconds()
	return WindowRate{Buffer: int64(w.Buffer), Size: int64(w.Size),
		ReadGbps:     float64(b.counted) * float64(w.Size) * 8 / took / 1e9,
		ReadLatency:  float64(b.latency) / float64(b.counted) / float64(sim.Nanosecond),
		IOTLBHitRate: float64(b.hits) / float64(max(b.hits+b.misses, 1))}, nil
}

// windowBench is the device's DMA engine behind a link and a host with its
// IOMMU and page tables.
type windowBench struct {
	w      Window
	e      *sim.Engine
	host   *host.Host
	engine *dma.Engine
	at     uint64 // the buffer's bus address
	copies [windowFlight]hw.Copy
	done   sim.Handler
	random *sim.Stream
	issued int64 // requests

	ended, counted, failed int64
	latency                sim.Time
	from, to               sim.Time
	hits, misses           int64 // of the IOTLB, of what counts
}

func newWindowBench(w Window) (*windowBench, error) {
	if w.Size < 1 || w.Buffer < w.Size || w.Buffer&(w.Buffer-1) != 0 || w.Size&(w.Size-1) != 0 {
		return nil, fmt.Errorf("a window of %v for reads of %v: want powers of two, the window at least a read", w.Buffer, w.Size)
	}
	b := &windowBench{w: w, e: sim.New(0)}
	link := pcie.New(b.e, "pcie", w.Machine.PCIe, slices.Repeat([]int{1}, windowFlight))
	b.host = host.New(b.e, w.Machine.Host, w.Machine.IOMMU, link)
	if err := b.mapBuffer(); err != nil {
		return nil, err
	}
	passes := newPasses(b.e, link, b.seen)
	b.engine = dma.New(b.e, dma.Config{Channels: windowFlight, Outstanding: 1, Chunk: max(w.Size, 64)}, passes, 0)
	b.done = b.e.Register("window", b.copied)
	b.random = b.e.Stream("window")
	return b, nil
}

// mapBuffer maps the buffer page by page, so that none is large, at bus
// addresses that follow each other.
func (b *windowBench) mapBuffer() error {
	const page = 4 * int64(sim.KiB)
	for i := int64(0); i < max(int64(b.w.Buffer), page); i += page {
		p, err := b.host.Bus().AllocPages(page)
		if err != nil {
			return err
		}
		at, err := b.host.Bus().MapDMA(p, hw.DeviceReads)
		if err != nil {
			return err
		}
		if i == 0 {
			b.at = at
		}
		if at != b.at+uint64(i) {
			return fmt.Errorf("page %d of the window is at bus address %#x, want %#x", i/page, at, b.at+uint64(i))
		}
	}
	return nil
}

// next issues a read of a random place.
func (b *windowBench) next(i uint64) {
	if b.issued >= windowReads {
		return
	}
	b.issued++
	at := b.random.Intn(int64(b.w.Buffer/b.w.Size)) * int64(b.w.Size)
	c := &b.copies[i]
	*c = hw.Copy{Src: hostSide | b.at + uint64(at), RowBytes: int64(b.w.Size), Counts: [2]int64{1, 1}, Done: c.Done}
	b.engine.Copy(c)
}

// copied is the end of a copy.
func (b *windowBench) copied(i uint64) {
	if b.copies[i].Result.Code != 0 {
		b.failed++
		return
	}
	b.next(i)
}

// seen is told of each read that the link has ended. Those between the half and
// the last that others still run beside count.
func (b *windowBench) seen(_ hw.Op, took sim.Time) {
	const last = windowReads - windowFlight
	b.ended++
	if b.ended > windowReads/2 && b.ended <= last {
		b.counted++
		b.latency += took
	}
	switch b.ended {
	case windowReads / 2:
		b.from = b.e.Now()
		b.hits, b.misses = -b.counter("iotlb_hits"), -b.counter("iotlb_misses")
	case last:
		b.to = b.e.Now()
		b.hits += b.counter("iotlb_hits")
		b.misses += b.counter("iotlb_misses")
	}
}

func (b *windowBench) counter(name string) int64 {
	for _, s := range b.e.Stats.Snapshot() {
		if s.Block == "iommu" && s.Name == name {
			return s.Value
		}
	}
	panic("rig: the IOMMU has no counter " + name)
}
