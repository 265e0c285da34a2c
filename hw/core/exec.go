package core

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/kern"
)

// exec computes a core's values on the host's worker pool. A task is submitted
// when its operation starts and joined when it completes, or earlier when
// somebody touches bytes it reads or writes: what a task reads is what the
// scratchpad held at its start, so results do not depend on the workers. Without
// a pool every method does nothing.
type exec struct {
	pool   *kern.Pool
	arrays [2]arrayTask // by operation number
	vec    vectorTask
	params []byte // the vector unit's parameter memory
	result []byte // of a vector operation that cannot write in place
}

// task is a submitted task with what it touches.
type task struct {
	active bool
	ticket kern.Ticket
	reads  [3]span
	writes span
}

type arrayTask struct {
	task
	gemm    kern.Gemm
	conv    kern.Conv
	deep    kern.Depthwise
	grouped groupTask
}

func (x *exec) init(pool *kern.Pool) {
	x.pool = pool
	x.params = make([]byte, 4*paramBytes)
}

// touch joins every task that reads or writes bytes which are about to be
// overwritten, or writes bytes which are about to be read.
func (x *exec) touch(c *core, s span, write bool) {
	for i := range x.arrays {
		if t := &x.arrays[i].task; t.conflicts(s, write) {
			t.join()
		}
	}
	if x.vec.conflicts(s, write) {
		x.joinVector(c)
	}
}

func (t *task) conflicts(s span, write bool) bool {
	if !t.active {
		return false
	}
	if t.writes.meets(s) {
		return true
	}
	return write && (t.reads[0].meets(s) || t.reads[1].meets(s) || t.reads[2].meets(s))
}

func (t *task) join() {
	if t.active {
		t.ticket.Wait()
		t.active = false
	}
}

// submit hands k to the pool once nothing in flight is in its way.
func (x *exec) submit(c *core, t *task, k kern.Task) {
	for _, s := range t.reads {
		x.touch(c, s, false)
	}
	x.touch(c, t.writes, true)
	t.ticket, t.active = x.pool.Submit(k), true
}

// joinArray joins the product of operation number n.
func (x *exec) joinArray(n uint64) { x.arrays[n%2].join() }

// joinVector joins the vector task and puts its result in place.
func (x *exec) joinVector(c *core) {
	v := &x.vec
	if !v.active {
		return
	}
	v.join()
	if v.copied {
		copy(c.spad.bytes[v.writes.at:], x.result[:v.writes.n])
	}
}

// drain joins everything.
func (x *exec) drain(c *core) {
	x.arrays[0].join()
	x.arrays[1].join()
	x.joinVector(c)
}

// zero clears padding before a load.
func (x *exec) zero(c *core, at, n int64) {
	if x.pool != nil {
		x.touch(c, span{at, n}, true)
		clear(c.spad.bytes[at : at+n])
	}
}

// scatter puts what a read brought where its rows belong.
func (x *exec) scatter(c *core, r *hw.Request, o *memOp, linear int64) {
	mem := c.spad.bytes
	if o.into == toParams {
		mem = x.params
		x.joinVector(c)
	}
	o.pieces(linear, r.Bytes, func(at, off, n int64) {
		if o.into == toScratchpad {
			x.touch(c, span{at, n}, true)
		}
		if r.Zero {
			clear(mem[at : at+n])
		} else {
			copy(mem[at:at+n], r.Data[off:off+n])
		}
	})
}

// gather takes the bytes of a write from its rows.
func (x *exec) gather(c *core, data []byte, o *memOp, linear int64) {
	o.pieces(linear, int64(len(data)), func(at, off, n int64) {
		x.touch(c, span{at, n}, false)
		copy(data[off:off+n], c.spad.bytes[at:at+n])
	})
}

// pieces calls f for each contiguous piece of the scratchpad under payload bytes
// [linear, linear+n): where it is, its offset from linear, its length.
func (t *transfer) pieces(linear, n int64, f func(at, off, n int64)) {
	if t.spadRow == t.rowBytes && t.spadPlane == t.rows*t.rowBytes {
		f(t.spad+linear, 0, n)
		return
	}
	for off := int64(0); off < n; {
		row, in := (linear+off)/t.rowBytes, (linear+off)%t.rowBytes
		most := t.rowBytes - in
		at := t.spad + row/t.rows*t.spadPlane + row%t.rows*t.spadRow + in
		if t.spadRow == t.rowBytes { // the rows of a plane touch
			most = t.rows*t.rowBytes - (linear+off)%(t.rows*t.rowBytes)
		}
		piece := min(most, n-off)
		f(at, off, piece)
		off += piece
	}
}

// array submits a product.
func (x *exec) array(c *core, o *arrayOp, number uint64) {
	if x.pool == nil {
		return
	}
	t := &x.arrays[number%2]
	t.join()
	s, size := &o.spec, int64(o.spec.Type.Size())
	columns := s.N * max(s.Groups, 1)
	input := s.M * s.K * size
	if o.geom.ih > 0 {
		input = o.geom.ih * o.geom.iw * o.geom.c * size
	}
	t.reads = [3]span{{o.a, input}, {o.b, s.K * columns * size}}
	t.writes = span{o.c, s.M * columns * 4}
	if p := &c.run.plan; p.k.Kind == abi.KernelConv {
		x.submit(c, &t.task, t.convolution(c, o, p))
	} else {
		x.submit(c, &t.task, t.product(c, o))
	}
}

// product fills in a plain matrix product.
func (t *arrayTask) product(c *core, o *arrayOp) kern.Task {
	s, size := &o.spec, int64(o.spec.Type.Size())
	ldb := s.N * size
	if o.transB {
		ldb = s.K * size
	}
	t.gemm = kern.Gemm{M: int(s.M), N: int(s.N), K: int(s.K),
		A: c.spad.part(t.reads[0]), B: c.spad.part(t.reads[1]), C: c.spad.part(t.writes),
		LDA: int(s.K * size), LDB: int(ldb), LDC: int(s.N * 4),
		In: kern.DType(s.Type), TransB: o.transB, Accumulate: s.Accumulate}
	return &t.gemm
}

// convolution fills in a convolution of one group or of many.
func (t *arrayTask) convolution(c *core, o *arrayOp, p *plan) kern.Task {
	s, g, size := &o.spec, &o.geom, int64(o.spec.Type.Size())
	groups := s.Groups
	t.conv = kern.Conv{IH: int(g.ih), IW: int(g.iw), C: int(g.c / groups), N: int(s.N), R: int(p.r), S: int(p.s),
		OH: int(g.oh), OW: int(g.ow), StrideH: int(p.sh), StrideW: int(p.sw), DilH: int(p.dh), DilW: int(p.dw),
		X: c.spad.part(t.reads[0]), XRow: int(g.iw * g.c * size), XPixel: int(g.c * size),
		W: c.spad.part(t.reads[1]), LDW: int(s.N * groups * size),
		Acc: c.spad.part(t.writes), LDAcc: int(s.N * groups * 4),
		In: kern.DType(s.Type), Accumulate: s.Accumulate}
	switch {
	case groups == 1:
		return &t.conv
	case s.N == 1 && g.c == groups:
		t.depthwise()
		return &t.deep
	}
	t.grouped = groupTask{conv: t.conv, groups: int(groups)}
	return &t.grouped
}

// depthwise makes the prepared convolution one of a filter a channel.
func (t *arrayTask) depthwise() {
	v := &t.conv
	t.deep = kern.Depthwise{IH: v.IH, IW: v.IW, C: v.XPixel / v.In.Size(), R: v.R, S: v.S, OH: v.OH, OW: v.OW,
		StrideH: v.StrideH, StrideW: v.StrideW, DilH: v.DilH, DilW: v.DilW, X: v.X, XRow: v.XRow, XPixel: v.XPixel,
		W: v.W, LDW: v.LDW, Acc: v.Acc, LDAcc: v.LDAcc, In: v.In, Accumulate: v.Accumulate}
}

// groupTask is a convolution of several groups, a part each: group i has
// channels and filters behind those of group i−1.
type groupTask struct {
	conv   kern.Conv
	groups int
}

func (t *groupTask) group(i int) kern.Conv {
	v := t.conv
	size := v.In.Size()
	v.X, v.W, v.Acc = v.X[i*v.C*size:], v.W[i*v.N*size:], v.Acc[i*v.N*4:]
	return v
}

// Check implements kern.Task.
func (t *groupTask) Check() error {
	v := t.group(t.groups - 1)
	return v.Check()
}

// Parts implements kern.Task.
func (t *groupTask) Parts(int) int { return t.groups }

// Run implements kern.Task.
func (t *groupTask) Run(part, _ int, s *kern.Scratch) {
	v := t.group(part)
	v.Run(0, 1, s)
}
