package core

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Counts is what a core, or all cores of a launch together, did. Times are
// picoseconds.
type Counts struct {
	MACs          int64
	ArrayBusy     int64 // at least one product is in the array
	VectorBusy    int64
	Busy          int64 // a launch is running
	ScratchStall  int64 // of busy times: waiting for the scratchpad
	LoadBytes     int64
	StoreBytes    int64
	LoadRequests  int64
	StoreRequests int64
	Tiles         int64 // output tiles stored
	Ops           int64 // micro-operations completed
}

// counters declares the counts as statistics.
func (n *Counts) counters() []sim.Counter {
	return []sim.Counter{
		{Name: "macs", Help: "multiply-accumulates of the array", Value: &n.MACs},
		{Name: "array_busy_ps", Help: "time with a product in the array", Value: &n.ArrayBusy},
		{Name: "vector_busy_ps", Help: "time with an operation in the vector unit", Value: &n.VectorBusy},
		{Name: "busy_ps", Help: "time with a launch on the core", Value: &n.Busy},
		{Name: "scratchpad_stall_ps", Help: "time that array and vector operations took longer for want of scratchpad bandwidth", Value: &n.ScratchStall},
		{Name: "load_bytes", Help: "bytes read from memory", Value: &n.LoadBytes},
		{Name: "store_bytes", Help: "bytes written to memory", Value: &n.StoreBytes},
		{Name: "load_requests", Help: "read requests", Value: &n.LoadRequests},
		{Name: "store_requests", Help: "write requests", Value: &n.StoreRequests},
		{Name: "tiles", Help: "output tiles stored", Value: &n.Tiles},
		{Name: "microops", Help: "micro-operations completed", Value: &n.Ops},
	}
}

// each calls f with the fields of two counts, pair by pair.
func (n *Counts) each(m *Counts, f func(a *int64, b int64)) {
	f(&n.MACs, m.MACs)
	f(&n.ArrayBusy, m.ArrayBusy)
	f(&n.VectorBusy, m.VectorBusy)
	f(&n.Busy, m.Busy)
	f(&n.ScratchStall, m.ScratchStall)
	f(&n.LoadBytes, m.LoadBytes)
	f(&n.StoreBytes, m.StoreBytes)
	f(&n.LoadRequests, m.LoadRequests)
	f(&n.StoreRequests, m.StoreRequests)
	f(&n.Tiles, m.Tiles)
	f(&n.Ops, m.Ops)
}

func (n *Counts) add(m *Counts) { n.each(m, func(a *int64, b int64) { *a += b }) }
func (n *Counts) sub(m *Counts) { n.each(m, func(a *int64, b int64) { *a -= b }) }

// Observation is a finished launch as a report wants it. Counts are summed over
// its cores.
type Observation struct {
	Launch    *hw.Launch
	Kind      uint8 // abi.Kernel…
	Op        uint8 // VECTOR: abi.Vec…
	Cores     int
	Submitted sim.Time // when Launch was called
	Start     sim.Time // when its cores were free
	End       sim.Time
	Counts
}

// Observer is told of every launch that ends, before its Done fires. The
// Observation is the observer's only during the call.
type Observer interface {
	Launched(o *Observation)
}
