// Package dma is the device's copy engines. A channel takes one copy at a time
// (linear, 2-D, 3-D or a fill), cuts it into requests of at most a chunk and
// keeps a bounded number of them in flight; each is a read followed by the
// write of what was read. Copies wait in one list, served by priority, then by
// the queue that asked, then by arrival.
package dma

import (
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// Stats counts what the engines did.
type Stats struct {
	Copies, Fills, Failed int64
	ReadBytes, WriteBytes int64
	Busy                  int64 // ps, summed over channels
}

// Engine is the set of channels. It implements hw.Copier and hw.Resetter.
type Engine struct {
	e        *sim.Engine
	cfg      Config
	port     hw.Target
	channels []channel
	waiting  []waiting
	arbiter  *sim.Arbiter
	halted   bool
	idle     sim.Call // fired when halted and nothing runs
	stats    Stats
}

// waiting is a copy that no channel has taken.
type waiting struct {
	c     *hw.Copy
	since sim.Time
}

// New returns the engines. Channel i issues its requests to port as source
// first+i.
func New(e *sim.Engine, cfg Config, port hw.Target, first hw.Source) *Engine {
	d := &Engine{e: e, cfg: cfg, port: port, channels: make([]channel, cfg.Channels)}
	d.arbiter = e.NewArbiter("dma arbiter", d.dispatch)
	start := e.Register("dma start", func(arg uint64) { d.channels[arg].pump() })
	read := e.Register("dma read", func(arg uint64) { d.channels[arg>>32].readDone(int(uint32(arg))) })
	write := e.Register("dma write", func(arg uint64) { d.channels[arg>>32].writeDone(int(uint32(arg))) })
	for i := range d.channels {
		d.channels[i].init(d, i, first+hw.Source(i), start, read, write)
	}
	e.Stats.Add("dma",
		sim.Counter{Name: "copies", Help: "copies finished", Value: &d.stats.Copies},
		sim.Counter{Name: "fills", Help: "fills finished", Value: &d.stats.Fills},
		sim.Counter{Name: "failed", Help: "copies and fills ended by an error", Value: &d.stats.Failed},
		sim.Counter{Name: "read_bytes", Help: "bytes read", Value: &d.stats.ReadBytes},
		sim.Counter{Name: "write_bytes", Help: "bytes written", Value: &d.stats.WriteBytes},
		sim.Counter{Name: "busy_ps", Help: "time with a copy running, summed over channels", Value: &d.stats.Busy})
	return d
}

// Stats returns the counters.
func (d *Engine) Stats() Stats { return d.stats }

// Copy implements hw.Copier.
func (d *Engine) Copy(c *hw.Copy) {
	d.waiting = append(d.waiting, waiting{c, d.e.Now()})
	d.arm()
}

// arm lets everybody who asks at this instant be seen before one is chosen.
func (d *Engine) arm() {
	if !d.halted && len(d.waiting) > 0 {
		d.arbiter.Ask()
	}
}

// dispatch gives waiting copies to free channels.
func (d *Engine) dispatch() {
	if d.halted {
		return
	}
	for i := range d.channels {
		if ch := &d.channels[i]; ch.job == nil && len(d.waiting) > 0 {
			w := d.take()
			ch.begin(w.c, w.since)
		}
	}
}

// take removes the first copy by priority, queue and arrival.
func (d *Engine) take() waiting {
	best := 0
	for i := range d.waiting {
		c, b := d.waiting[i].c, d.waiting[best].c
		if c.Priority > b.Priority || c.Priority == b.Priority && c.Queue < b.Queue {
			best = i
		}
	}
	w := d.waiting[best]
	d.waiting = append(d.waiting[:best], d.waiting[best+1:]...)
	return w
}

// Halt implements hw.Resetter: running copies issue nothing more and end as
// aborted once what is in flight has completed; waiting ones end at once.
func (d *Engine) Halt(done sim.Call) {
	d.halted = true
	d.idle = done
	left := d.waiting
	d.waiting = nil
	for _, w := range left {
		d.finish(w.c, hw.Result{Code: abi.StatusAborted})
	}
	for i := range d.channels {
		d.channels[i].abort()
	}
	d.checkIdle()
}

// Reset implements hw.Resetter.
func (d *Engine) Reset() { d.halted = false }

func (d *Engine) checkIdle() {
	if d.halted && d.idle != (sim.Call{}) && d.Idle() == nil {
		done := d.idle
		d.idle = sim.Call{}
		d.e.After(0, done)
	}
}

func (d *Engine) finish(c *hw.Copy, r hw.Result) {
	c.Result = r
	switch {
	case r.Code != 0:
		d.stats.Failed++
	case c.Fill:
		d.stats.Fills++
	default:
		d.stats.Copies++
	}
	d.e.After(0, c.Done)
}

// Idle reports what still runs or waits, nil if nothing does.
func (d *Engine) Idle() error {
	var running int
	for i := range d.channels {
		if d.channels[i].job != nil {
			running++
		}
	}
	if running+len(d.waiting) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d copies run, %d wait", ErrBusy, running, len(d.waiting))
}

// ErrBusy is wrapped by Idle's error.
var ErrBusy = errors.New("dma engines are busy")
