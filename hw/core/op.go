package core

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

var le = binary.LittleEndian

// numUnits is how many units a core has, by their numbers in abi.
const numUnits = abi.NumUnits

// window is how many micro-operations a unit's queue holds: what the sequencer
// may look ahead. A power of two.
const window = 32

// token orders a micro-operation: what it waits for, what its end raises, and
// the critical path to its start.
type token struct {
	need  [numUnits]uint64 // completions of each unit
	wait  uint16           // semaphores, taken down by one
	post  uint16           // semaphores, raised by one at the end
	start sim.Time
	bill  hw.Bill
}

// after makes the operation wait for a unit's n-th completion.
func (t *token) after(unit int, n uint64) { t.need[unit] = max(t.need[unit], n) }

// ring is a unit's queue: operations [head, next) are under way, [next, tail)
// wait. The counts are free-running, so head is also how many have completed.
type ring[T any] struct {
	ops              [window]T
	head, next, tail uint64
}

func (r *ring[T]) free() int     { return window - int(r.tail-r.head) }
func (r *ring[T]) waiting() bool { return r.next != r.tail }
func (r *ring[T]) empty() bool   { return r.head == r.tail }
func (r *ring[T]) at(i uint64) *T {
	return &r.ops[i%window]
}

// push appends a zeroed operation and returns it with the count of completions
// at which it has completed.
func (r *ring[T]) push() (*T, uint64) {
	var zero T
	o := r.at(r.tail)
	*o = zero
	r.tail++
	return o, r.tail
}

// Where a load goes.
const (
	toScratchpad = iota
	toParams
	toIndices
)

// memOp is a load or a store.
type memOp struct {
	token
	transfer
	into   uint8
	gather uint8  // 0, or 1 + the index buffer whose entries are the rows
	names  uint64 // gather: address of the first index
	wipe   int64  // bytes from wipeAt on to zero before the data arrives: padding
	wipeAt int64

	runs    int64 // progress: contiguous pieces of memory left, the present one included
	run     int64 // number of the present run
	runSize int64
	off     int64 // in the present run
	linear  int64 // payload bytes issued
	pending int32 // requests in flight
	issued  bool

	waited  sim.Time // sums over requests: from issue to arrival,
	stalled sim.Time // of it, translation,
	ported  sim.Time // the core's port,
	remote  sim.Time // and the link
}

// transfer is the rows a load or store moves: planes of rows of contiguous
// bytes, in memory and in the scratchpad.
type transfer struct {
	addr        uint64
	planes      int64
	rows        int64
	rowBytes    int64
	planeStride uint64
	rowStride   uint64
	spad        int64
	spadPlane   int64
	spadRow     int64
}

// bytes returns the payload.
func (t *transfer) bytes() int64 { return t.planes * t.rows * t.rowBytes }

// packed lays the rows out one after another in the scratchpad, from at on.
func (t *transfer) packed(at int64) {
	t.spad, t.spadRow, t.spadPlane = at, t.rowBytes, t.rows*t.rowBytes
}

// prepare finds the contiguous runs of memory: neighbouring rows are one.
func (o *memOp) prepare() {
	if o.planes == 0 || o.rows == 0 || o.rowBytes == 0 {
		o.runs = 0
		return
	}
	o.runs, o.runSize = o.planes*o.rows, o.rowBytes
	if o.gather != 0 {
		return
	}
	if o.rows == 1 || o.rowStride == uint64(o.rowBytes) {
		o.runs, o.runSize = o.planes, o.rows*o.rowBytes
		if o.planes == 1 || o.planeStride == uint64(o.runSize) {
			o.runs, o.runSize = 1, o.planes*o.runSize
		}
	}
}

// runAddr returns where the present run begins.
func (o *memOp) runAddr() uint64 {
	if o.runSize == o.rowBytes && o.rows > 1 {
		return o.addr + uint64(o.run/o.rows)*o.planeStride + uint64(o.run%o.rows)*o.rowStride
	}
	return o.addr + uint64(o.run)*o.planeStride
}

// path returns the critical path through the operation up to now: its time is
// shared out as its requests spent theirs.
func (o *memOp) path(now sim.Time) hw.Bill {
	b, d := o.bill, now-o.start
	if o.waited == 0 {
		b[hw.Memory] += d
		return b
	}
	part := func(t sim.Time) sim.Time { return sim.Time(sim.MulDiv(int64(d), int64(t), int64(o.waited))) }
	translation, port, link := part(o.stalled), part(o.ported), part(o.remote)
	b[hw.Translation] += translation
	b[hw.Scratchpad] += port
	b[hw.Link] += link
	b[hw.Memory] += d - translation - port - link
	return b
}

// arrayOp is a product on tiles in the scratchpad.
type arrayOp struct {
	token
	spec    ArraySpec
	a, b, c int64 // scratchpad offsets
	geom    patch // of a convolution's input; zero for plain products
	transB  bool
	end     ticks // of the unit's own time: its last result
	lag     ticks // the unit's at its start
	stretch ticks // by which its bytes make it longer even alone
}

// patch is the part of an image under a tile of outputs, with its padding.
type patch struct {
	ih, iw, c int64
	oh, ow    int64
	top, left int64 // padding cut away (pools)
}

// vectorOp is a pass of the vector unit over a tile.
type vectorOp struct {
	token
	op         uint8 // abi.Vec…, or opEpilogue
	in, out    abi.DType
	rows, cols int64
	x, y, z    int64 // scratchpad offsets: inputs and output
	residual   int64 // epilogue: offset, -1 without
	params     int64 // offset of the parameter slot, -1 without
	flags      uint32
	act        uint8
	valid      int64 // softmax: columns that count in row 0,
	step       int64 // more of them each row,
	first      int64 // the tile's first row,
	period     int64 // and the rows after which they start over
	scales     [3]float32
	param      float32
	taps       int64 // pools: pixels of the window
	geom       patch
	end        ticks // of the unit's own time
	lag        ticks // the unit's at its start
	stretch    ticks // by which its bytes make it longer even alone
}

// opEpilogue is the vector operation that turns accumulators into outputs.
const opEpilogue = abi.NumVecOps
