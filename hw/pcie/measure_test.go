package pcie

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Row is one point to measure: a link and the size of its DMA requests.
type Row struct {
	Generation int
	Lanes      int
	MPS        sim.Bytes
	MRRS       sim.Bytes
	RCB        sim.Bytes
	RCBChunks  bool
	Size       sim.Bytes
	Tags       Limit    // 0: unlimited
	RoundTrip  sim.Time // of one read request of Size (of MRRS if that is less) alone; 0: DefaultConfig's link
}

// Measurement is what the link carried at saturation, in payload.
type Measurement struct {
	WriteGbps   float64  // writes alone
	ReadGbps    float64  // reads alone
	BothGbps    float64  // each, with as many writes as reads at once
	ReadLatency sim.Time // of one read alone
}

// Measure drives a link of its own with aligned requests of the row's size, at
// a host whose memory takes no time. A row that makes no link is an error that
// names each key.
func Measure(row Row) (Measurement, error) {
	c, err := row.config()
	if err != nil {
		return Measurement{}, err
	}
	var m Measurement
	for _, run := range []struct {
		ops []hw.Op
		to  *float64
	}{
		{[]hw.Op{hw.Write}, &m.WriteGbps},
		{[]hw.Op{hw.Read}, &m.ReadGbps},
		{[]hw.Op{hw.Write, hw.Read}, &m.BothGbps},
	} {
		d := newSaturator(c, int64(row.Size), run.ops)
		if *run.to, err = d.run(); err != nil {
			return Measurement{}, err
		}
	}
	m.ReadLatency, err = lone(c, int64(row.Size))
	return m, err
}

// config returns the row's link.
func (row *Row) config() (Config, error) {
	c := DefaultConfig()
	c.Generation, c.Lanes, c.MPS, c.MRRS = row.Generation, row.Lanes, row.MPS, row.MRRS
	c.RCB, c.RCBChunks, c.Tags = row.RCB, row.RCBChunks, row.Tags
	if row.Tags == 0 {
		c.Tags = Unlimited
	}
	faults := c.Validate()
	if row.Size < 1 || row.Size > 64*sim.MiB {
		faults = append(faults, hw.BadConfig("size_B", row.Size, "1B to 64MiB"))
	}
	if len(faults) > 0 {
		return c, errors.Join(faults...)
	}
	if row.RoundTrip == 0 {
		return c, nil
	}
	c.Latency = 0
	wire, err := lone(c, int64(min(row.Size, row.MRRS)))
	if err == nil && row.RoundTrip < wire {
		err = hw.BadConfig("rtt_ns", row.RoundTrip, "at least the %s that the request is on the wire", wire)
	}
	c.Latency = (row.RoundTrip - wire) / 2
	return c, err
}

// lone returns the latency of one read.
func lone(c Config, size int64) (sim.Time, error) {
	d := newSaturator(c, size, []hw.Op{hw.Read})
	d.total, d.window = 1, 1
	_, err := d.run()
	return d.last, err
}

// saturator keeps a window of groups of requests outstanding; a group has one
// request of each op and is followed by another when all of it has ended.
type saturator struct {
	e      *sim.Engine
	link   *Link
	done   sim.Handler
	size   int64
	ops    []hw.Op
	groups []group
	window int64
	total  int64
	issued int64
	ended  int64
	from   sim.Time // end of the group at a quarter
	to     sim.Time // … at three quarters
	last   sim.Time
	failed error
}

type group struct {
	requests [2]hw.Request
	pending  int
}

func newSaturator(c Config, size int64, ops []hw.Op) *saturator {
	d := &saturator{e: sim.New(0), size: size, ops: ops}
	d.link = New(d.e, "pcie", c, []int{1, 1})
	d.done = d.e.Register("saturator", d.onDone)
	d.link.SetUpstream(instant{d.e}, nil)
	flight := int64(c.TLPRate()) / 1000 * (2*int64(c.Latency) + 100_000) / 1e9 // wire bytes in a round trip
	d.window = 8 + 3*flight/(2*(size+c.wire().write))
	d.total = 4 * d.window
	if len(ops) > 1 || c.Tags != Unlimited { // until the first burst has spread
		d.total *= 4
	}
	d.groups = make([]group, d.window)
	return d
}

// instant is a host that serves in the instant.
type instant struct{ e *sim.Engine }

func (h instant) Submit(r *hw.Request) {
	r.Status = hw.OK
	h.e.After(0, r.Done)
}

func (instant) WritesInOrder() bool { return true }

// run returns the payload rate of each op in Gbit/s.
func (d *saturator) run() (float64, error) {
	for i := range min(d.window, d.total) {
		d.issue(i)
	}
	if err := d.e.Run(); err != nil {
		return 0, err
	}
	if d.failed != nil {
		return 0, d.failed
	}
	if err := d.link.Idle(); err != nil {
		return 0, err
	}
	bits := float64(d.total/4*3-d.total/4) * float64(d.size) * 8
	return bits / (d.to - d.from).Seconds() / 1e9, nil
}

func (d *saturator) issue(i int64) {
	g := &d.groups[i]
	g.pending = len(d.ops)
	stride := (d.size + page - 1) / page * page
	for k, op := range d.ops {
		r := &g.requests[k]
		r.Op, r.Space, r.Source, r.Addr, r.Bytes = op, hw.BusAddr, hw.Source(k), uint64(d.issued*stride), d.size
		r.Done = sim.Call{H: d.done, Arg: uint64(i)}
		r.Send(d.link)
	}
	d.issued++
}

func (d *saturator) onDone(arg uint64) {
	i := int64(arg)
	g := &d.groups[i]
	for k := range d.ops {
		if s := g.requests[k].Status; s != hw.OK {
			d.failed = fmt.Errorf("pcie: request of %d bytes ended with %s", d.size, s)
		}
	}
	if g.pending--; g.pending > 0 {
		return
	}
	d.ended++
	d.last = d.e.Now()
	switch d.ended {
	case d.total / 4:
		d.from = d.last
	case d.total / 4 * 3:
		d.to = d.last
	}
	if d.issued < d.total {
		d.issue(i)
	}
}
