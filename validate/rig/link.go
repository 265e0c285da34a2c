// Package rig puts blocks of the device on a bench: the DMA engine on a link,
// the same behind an IOMMU, a whole machine for one product. What is measured is
// what the blocks do in a run; there are no formulas here.
package rig

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/presi-sim/presi/dma"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

// Link is a point to measure: a link and the size of the DMA requests on it.
type Link struct {
	pcie.Config
	Size sim.Bytes // of a request, aligned to a page
	// RoundTrip is of one read of Size (of MRRS if that is less) alone, instead of
	// Config.Latency; 0: by Latency. The request's time on the wire is its least.
	RoundTrip sim.Time
}

// LinkRates is what a link carried at saturation, in payload.
type LinkRates struct {
	WriteGbps     float64 `json:"wr_Gbps"`        // writes alone
	ReadGbps      float64 `json:"rd_Gbps"`        // reads alone
	BothGbps      float64 `json:"rdwr_each_Gbps"` // each, a read for every write
	ReadLatencyNs float64 `json:"rd_latency_ns"`  // of one read alone
}

// The largest request that a row can ask for: chunks of the engine are at most this.
const maxRequest = sim.MiB

// Measure drives the link with the device's DMA engine, between a device memory
// and a host that take no time: copies to the host, from it, and from host to
// host. The error names what is wrong with the point by hw.ConfigFault.
func (l Link) Measure() (m LinkRates, err error) {
	if l, err = l.resolve(); err != nil {
		return m, err
	}
	for _, run := range []struct {
		src, dst uint64
		to       *float64
	}{{0, hostSide, &m.WriteGbps}, {hostSide, 0, &m.ReadGbps}, {hostSide, hostSide | otherHalf, &m.BothGbps}} {
		b := newLinkBench(l, run.src != 0, run.dst != 0)
		if *run.to, err = b.saturate(run.src, run.dst); err != nil {
			return m, err
		}
	}
	latency, err := l.lone(int64(l.Size))
	m.ReadLatencyNs = float64(latency) / float64(sim.Nanosecond)
	return m, err
}

// Validate names everything that is wrong with the point by hw.ConfigFault.
func (l Link) Validate() error {
	faults := l.Config.Validate()
	if l.Size < 1 || l.Size > maxRequest {
		faults = append(faults, hw.BadConfig("pcie.size_B", int64(l.Size), "1 to %d bytes", int64(maxRequest)))
	}
	return errors.Join(faults...)
}

// resolve checks the point and sets the latency that makes its round trip.
func (l Link) resolve() (Link, error) {
	if err := l.Validate(); err != nil {
		return l, err
	}
	if l.RoundTrip == 0 {
		return l, nil
	}
	l.Latency = 0
	wire, err := l.lone(int64(min(l.Size, l.MRRS)))
	l.Latency = max(0, l.RoundTrip-wire) / 2
	return l, err
}

// lone returns the latency of one read.
func (l Link) lone(size int64) (sim.Time, error) {
	l.Size = sim.Bytes(size)
	b := newLinkBench(l, true, false)
	b.window, b.total = 1, 1
	_, err := b.saturate(hostSide, 0)
	return b.latency, err
}

// Addresses of the bench: which side of the link, and apart from it in the host.
const (
	hostSide  = 1 << 62
	otherHalf = 1 << 61
)

// linkBench is a DMA engine between a memory in no time and a link to a host in
// no time. It watches the link's end of the engine.
type linkBench struct {
	e      *sim.Engine
	link   *pcie.Link
	size   int64
	window int64 // requests in flight
	total  int64 // requests
	passes *passes

	counted  hw.Op
	ended    int64    // requests of the op that is counted
	from, to sim.Time // ends of the requests at a quarter and at three quarters
	latency  sim.Time // of the last read
	result   *hw.Copy
}

func newLinkBench(l Link, reads, writes bool) *linkBench {
	b := &linkBench{e: sim.New(0), size: int64(l.Size)}
	l.CompletionTimeout = 64 * sim.Second // the longest: a slow link has much to send
	b.link = pcie.New(b.e, "pcie", l.Config, []int{1})
	b.link.SetUpstream(pcie.Ordered(instant{b.e}), nil)
	b.passes = newPasses(b.e, b.link, b.seen)
	const header, queueing = 24, 100 * sim.Nanosecond // room beyond what a round trip holds
	flight := int64(float64(l.TLPRate()) * (2*l.Latency + queueing).Seconds())
	b.window = 8 + 3*flight/(2*(b.size+header))
	both := reads && writes
	if both { // a read, its write behind it
		b.window = 8 + 2*flight/(b.size+2*header)
	}
	if reads && l.Tags != pcie.Unlimited { // more than tags serve
		b.window = min(b.window, 2*int64(l.Tags)+8)
	}
	switch b.total = 4 * b.window; { // until the first burst has spread
	case reads && l.Tags != pcie.Unlimited: // tags come back in bursts, one a round trip: of some hundred
		requests := (b.size + int64(l.MRRS) - 1) / int64(l.MRRS)
		flying := min(int64(l.Tags)+8, b.window*requests)
		b.total = max(64, (256*flying+1024)/requests)
	case both: // the directions beat, on small requests longest
		b.total = max(6*b.total, 8192*256/(b.size+256))
	}
	return b
}

// saturate copies row by row, each a request, and returns the payload rate of
// either op in Gbit/s.
func (b *linkBench) saturate(src, dst uint64) (float64, error) {
	chunk := sim.Bytes(max(64, 1<<bits.Len64(uint64(b.size-1))))
	stride := max(int64(chunk), 4096)
	if b.counted = hw.Read; dst&hostSide != 0 {
		b.counted = hw.Write // of both there are as many
	}
	engine := dma.New(b.e, dma.Config{Channels: 1, Outstanding: int(b.window), Chunk: chunk}, b.passes, 0)
	b.result = &hw.Copy{Src: src, Dst: dst, RowBytes: b.size, Counts: [2]int64{b.total, 1},
		SrcStride: [2]int64{stride}, DstStride: [2]int64{stride}}
	engine.Copy(b.result)
	if err := b.e.Run(); err != nil {
		return 0, err
	}
	if b.result.Result.Code != 0 {
		return 0, fmt.Errorf("a copy of %d requests of %d bytes ended with status %d", b.total, b.size, b.result.Result.Code)
	}
	if err := b.link.Idle(); err != nil {
		return 0, err
	}
	bits := float64(b.total/4*3-b.total/4) * float64(b.size) * 8
	return bits / (b.to - b.from).Seconds() / 1e9, nil
}

// seen is told of each request that the link has ended.
func (b *linkBench) seen(op hw.Op, took sim.Time) {
	if op == hw.Read {
		b.latency = took
	}
	if op != b.counted {
		return
	}
	b.ended++
	switch b.ended {
	case b.total / 4:
		b.from = b.e.Now()
	case b.total / 4 * 3:
		b.to = b.e.Now()
	}
}

// instant is a host that serves in the instant.
type instant struct{ e *sim.Engine }

// Submit implements hw.Target.
func (h instant) Submit(r *hw.Request) {
	r.Status = hw.OK
	h.e.After(0, r.Done)
}
