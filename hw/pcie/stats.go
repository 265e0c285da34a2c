package pcie

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Stats counts what the link carried for its users. The wire's own bytes, busy
// time and waiting are counters of its two directions.
type Stats struct {
	Reads, Writes         int64 // DMA requests ended
	ReadBytes, WriteBytes int64 // payload of those without error
	Errors                int64 // DMA requests with a status other than OK
	TimeOuts              int64 // segments without completion in time
	Interrupts            int64
	ReadTLPs, WriteTLPs   int64 // upstream
	CompletionTLPs        int64
	MMIOReads, MMIOWrites int64
	ConfigAccesses        int64
	ReadTime, WriteTime   int64 // picoseconds from Submit to Done, summed
}

// Stats returns the counters.
func (l *Link) Stats() Stats { return l.stats }

// Traffic implements hw.Meter.
func (l *Link) Traffic() (received, sent int64) { return l.stats.ReadBytes, l.stats.WriteBytes }

func (l *Link) declare(name string) {
	s := &l.stats
	l.e.Stats.Add(name,
		sim.Counter{Name: "dma_reads", Help: "DMA reads ended", Value: &s.Reads},
		sim.Counter{Name: "dma_writes", Help: "DMA writes ended", Value: &s.Writes},
		sim.Counter{Name: "dma_read_bytes", Help: "payload host to device", Value: &s.ReadBytes},
		sim.Counter{Name: "dma_write_bytes", Help: "payload device to host", Value: &s.WriteBytes},
		sim.Counter{Name: "dma_errors", Help: "DMA requests that ended with an error", Value: &s.Errors},
		sim.Counter{Name: "completion_timeouts", Help: "reads whose completion did not come in time", Value: &s.TimeOuts},
		sim.Counter{Name: "interrupts", Help: "MSI-X messages", Value: &s.Interrupts},
		sim.Counter{Name: "read_tlps", Help: "memory read TLPs upstream", Value: &s.ReadTLPs},
		sim.Counter{Name: "write_tlps", Help: "memory write TLPs upstream, interrupts included", Value: &s.WriteTLPs},
		sim.Counter{Name: "completion_tlps", Help: "completion TLPs downstream", Value: &s.CompletionTLPs},
		sim.Counter{Name: "mmio_reads", Help: "reads of the host", Value: &s.MMIOReads},
		sim.Counter{Name: "mmio_writes", Help: "posted writes of the host", Value: &s.MMIOWrites},
		sim.Counter{Name: "config_accesses", Help: "accesses to configuration space", Value: &s.ConfigAccesses},
		sim.Counter{Name: "dma_read_ps", Help: "time of DMA reads, summed", Value: &s.ReadTime},
		sim.Counter{Name: "dma_write_ps", Help: "time of DMA writes, summed", Value: &s.WriteTime},
		sim.Counter{Name: "tag_stall_ps", Help: "time a read waited for tags", Value: &l.tags.stalled},
		sim.Counter{Name: "posted_stall_ps", Help: "time a write waited for credits", Value: &l.posted.stalled},
		sim.Counter{Name: "nonposted_stall_ps", Help: "time a read waited for request credits", Value: &l.nonPosted.stalled},
		sim.Counter{Name: "completion_stall_ps", Help: "time a read waited for completion credits", Value: &l.completions.stalled},
		sim.Counter{Name: "tags_peak", Help: "most tags in use at once", Value: &l.tags.peak},
	)
	l.trace = newLinkTrace(l.e, name)
}

// count books a transfer that has ended.
func (l *Link) count(t *transfer) {
	r, s := t.r, &l.stats
	took, n := int64(l.e.Now()-t.asked), r.Bytes
	if r.Status != hw.OK {
		s.Errors++
		n = 0
	}
	if r.Op == hw.Read {
		s.Reads++
		s.ReadBytes += n
		s.ReadTime += took
	} else {
		s.Writes++
		s.WriteBytes += n
		s.WriteTime += took
	}
}

// countAccess books an access of the host.
func (l *Link) countAccess(a *access) {
	switch {
	case a.config != nil:
		l.stats.ConfigAccesses++
	case a.r.Op == hw.Read:
		l.stats.MMIOReads++
	default:
		l.stats.MMIOWrites++
	}
	l.trace.access(l.e, a)
}

// linkTrace is the link's row of the trace.
type linkTrace struct {
	track                                      sim.Track
	read, write, message, mmioR, mmioW, config sim.Label
}

func newLinkTrace(e *sim.Engine, name string) linkTrace {
	return linkTrace{e.Track(name), e.Label("DMA read"), e.Label("DMA write"), e.Label("MSI-X"),
		e.Label("MMIO read"), e.Label("MMIO write"), e.Label("config access")}
}

func (t *linkTrace) add(e *sim.Engine, from sim.Time, l sim.Label, arg uint64) {
	e.Trace.Add(sim.Span{Start: from, End: e.Now(), Track: t.track, Label: l, Arg: arg})
}

func (t *linkTrace) transfer(e *sim.Engine, x *transfer) {
	if e.Trace == nil {
		return
	}
	label := t.read
	if x.r.Op == hw.Write {
		label = t.write
	}
	t.add(e, x.asked, label, uint64(x.r.Bytes))
}

func (t *linkTrace) interrupt(e *sim.Engine, x *transfer) {
	if e.Trace != nil {
		t.add(e, x.asked, t.message, uint64(x.vector))
	}
}

func (t *linkTrace) access(e *sim.Engine, a *access) {
	switch {
	case e.Trace == nil:
	case a.config != nil:
		t.add(e, a.asked, t.config, uint64(a.config.Off))
	case a.r.Op == hw.Read:
		t.add(e, a.asked, t.mmioR, a.r.Addr)
	default:
		t.add(e, a.asked, t.mmioW, a.r.Addr)
	}
}
