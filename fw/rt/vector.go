package rt

import (
	"github.com/presi-sim/presi/hw/abi"
)

// Vector is an operation of the vector unit on Rows × Cols elements of X, pools
// apart (Pool). Which fields count depends on the operation.
type Vector struct {
	Op          uint8 // abi.Vec…
	Rows, Cols  int
	X, Out      Tensor
	Y           Tensor  // add, sub, mul: second operand, of X's type; gather: int32 row numbers without gaps
	Act         uint8   // map, add, sub, mul
	Gamma, Beta uint64  // addresses of f32[Cols]: layernorm, batchnorm; rmsnorm Gamma; 0: none
	Param       float32 // epsilon of norms; factor of softmax, 0: 1
	Valid       int     // softmax: columns that count in row 0; 0: all
	ValidStep   int     // softmax: columns that count more with each row, up to all (1: a causal mask)
	Period      int     // softmax: rows after which that starts over, as those of a head; 0: never
	TableRows   int     // gather: rows of X
}

// vecRule is what the descriptor allows of an operation, and what it takes.
type vecRule struct {
	act, binary, gamma, beta bool
	whole                    bool // all columns in a tile
	reduce                   bool // one result a row
	bytes                    bool // elements of any type, moved as they are
	rowwise                  bool // each row ends in a reduction
	flat                     bool // elements are handled one by one
	passes                   passes
}

var vecRules = [abi.NumVecOps]vecRule{
	abi.VecMap:        {act: true, flat: true, passes: passes{simple: 1}},
	abi.VecAdd:        {act: true, flat: true, binary: true, passes: passes{simple: 1}},
	abi.VecSub:        {act: true, flat: true, binary: true, passes: passes{simple: 1}},
	abi.VecMul:        {act: true, flat: true, binary: true, passes: passes{simple: 1}},
	abi.VecSoftmax:    {whole: true, rowwise: true, passes: passes{simple: 5, special: 1}},
	abi.VecLayerNorm:  {whole: true, rowwise: true, gamma: true, beta: true, passes: passes{simple: 5}},
	abi.VecRMSNorm:    {whole: true, rowwise: true, gamma: true, passes: passes{simple: 3}},
	abi.VecBatchNorm:  {gamma: true, beta: true, flat: true, passes: passes{simple: 1}},
	abi.VecReduceSum:  {whole: true, rowwise: true, reduce: true, passes: passes{simple: 1}},
	abi.VecReduceMax:  {whole: true, rowwise: true, reduce: true, passes: passes{simple: 1}},
	abi.VecReduceMean: {whole: true, rowwise: true, reduce: true, passes: passes{simple: 1}},
	abi.VecTranspose:  {bytes: true, passes: passes{simple: 1}},
	abi.VecGather:     {whole: true, bytes: true, passes: passes{simple: 1}},
	abi.VecMaxPool:    {passes: passes{simple: 1}}, // each pixel of the window
	abi.VecAvgPool:    {passes: passes{simple: 1}},
}

// Vector returns the kernels of an operation: one, or several for a gather
// whose rows are longer than the scratchpad.
func (l *Library) Vector(v *Vector) ([]abi.Kernel, error) {
	if v.Op >= abi.VecMaxPool {
		return nil, refuse("vector", "operation %d, want an elementwise or row operation, 0 to %d", v.Op, abi.VecGather)
	}
	if err := v.check(); err != nil {
		return nil, err
	}
	flat := v.flat()
	m, err := l.m.vector(&flat)
	if err != nil && v.Op == abi.VecGather && v.Cols > 1 {
		return l.wideGather(v)
	}
	if err != nil {
		return nil, err
	}
	k := flat.kernel()
	m.put(&k)
	return []abi.Kernel{k}, nil
}

// flat is the operation as one row of all elements where rows mean nothing to it: an
// elementwise operation without parameters of a column, on tensors whose rows follow
// one another without gaps. Any tile is then one run of memory, whatever the shape is
// called.
func (v *Vector) flat() Vector {
	f := *v
	n := int64(v.Rows) * int64(v.Cols)
	if !vecRules[v.Op].flat || v.Gamma != 0 || v.Beta != 0 || n > maxExtent {
		return f
	}
	tensors := []*Tensor{&f.X, &f.Out}
	if vecRules[v.Op].binary {
		tensors = append(tensors, &f.Y)
	}
	for _, t := range tensors {
		if v.Rows > 1 && t.Row != uint64(v.Cols)*uint64(t.size()) {
			return *v
		}
		t.Row = uint64(n * t.size())
	}
	f.Rows, f.Cols = 1, int(n)
	return f
}

// wideGather gathers the two halves of rows that do not fit.
func (l *Library) wideGather(v *Vector) ([]abi.Kernel, error) {
	left, right := *v, *v
	left.Cols = (v.Cols + 1) / 2
	right.Cols -= left.Cols
	right.X, right.Out = v.X.At(uint64(left.Cols)*uint64(v.X.size())), v.Out.At(uint64(left.Cols)*uint64(v.Out.size()))
	ks, err := l.Vector(&left)
	if err != nil {
		return nil, err
	}
	more, err := l.Vector(&right)
	return append(ks, more...), err
}

func (v *Vector) check() error {
	op, r := abi.VecOpNames[v.Op], vecRules[v.Op]
	if err := within(op, dim("rows", v.Rows), dim("cols", v.Cols), extent{"valid", v.Valid, 0, v.Cols},
		extent{"valid step", v.ValidStep, 0, maxExtent}, extent{"period", v.Period, 0, maxExtent}); err != nil {
		return err
	}
	same := r.bytes && v.X.Type == v.Out.Type && v.X.Type < abi.NumDTypes
	if err := typed(op, &v.X, &v.Out); err != nil && !same {
		return err
	}
	switch {
	case v.Act >= abi.NumActs || v.Act != abi.ActNone && !r.act:
		return refuse(op, "activation %d does not go with it", v.Act)
	case v.Gamma != 0 && !r.gamma || v.Beta != 0 && !r.beta:
		return refuse(op, "it takes no such parameter vector")
	case r.binary && v.Y.Type != v.X.Type:
		return refuse(op, "operands of types %v and %v, want one type", v.X.Type, v.Y.Type)
	case v.Op == abi.VecTranspose && (v.X.Type != v.Out.Type || v.X.step() != v.Out.step()):
		return refuse(op, "from %v of step %g to %v of step %g, want one type and step", v.X.Type, v.X.step(), v.Out.Type, v.Out.step())
	case v.Op == abi.VecGather:
		return v.checkGather()
	case r.whole && (v.Gamma != 0 || v.Beta != 0) && v.Cols > abi.MaxParamCols:
		return refuse(op, "rows of %d columns with parameters, want at most %d", v.Cols, abi.MaxParamCols)
	}
	return apart(op, &v.Out, v.outRows(), v.outCols()*v.Out.size())
}

func (v *Vector) checkGather() error {
	const op = "gather"
	if v.Y.Type != abi.I32 || v.Y.Addr%4 != 0 {
		return refuse(op, "indices of type %v at %#x, want int32, aligned to 4 bytes", v.Y.Type, v.Y.Addr)
	}
	if err := within(op, dim("table rows", v.TableRows)); err != nil {
		return err
	}
	return apart(op, &v.Out, v.Rows, int64(v.Cols)*v.Out.size())
}

// outRows and outCols are the extents of the result.
func (v *Vector) outRows() int {
	if v.Op == abi.VecTranspose {
		return v.Cols
	}
	return v.Rows
}

func (v *Vector) outCols() int64 {
	switch {
	case v.Op == abi.VecTranspose:
		return int64(v.Rows)
	case vecRules[v.Op].reduce:
		return 1
	}
	return int64(v.Cols)
}

// kernel is the descriptor without its mapping.
func (v *Vector) kernel() abi.Kernel {
	k := abi.Kernel{Kind: abi.KernelVector, Op: v.Op, InType: v.X.Type, OutType: v.Out.Type, Act: v.Act,
		Scale: v.X.step(), OutScale: v.Out.step(), ResScale: 1, Param: v.Param, Bias: v.Beta, ColScale: v.Gamma}
	k.Dims[abi.DimRows], k.Dims[abi.DimCols] = uint32(v.Rows), uint32(v.Cols)
	k.Operands[abi.OperandInput], k.Operands[abi.OperandOutput] = v.X.operand(), v.Out.operand()
	switch {
	case vecRules[v.Op].binary:
		k.Operands[abi.OperandWeights], k.ResScale = v.Y.operand(), v.Y.step()
	case v.Op == abi.VecGather:
		k.Operands[abi.OperandWeights] = abi.Operand{Addr: v.Y.Addr}
		k.Dims[abi.DimTableRows] = uint32(v.TableRows)
	case v.Op == abi.VecSoftmax:
		k.Param, k.Dims[abi.DimValid] = orOne(v.Param), uint32(v.Valid)
		k.Dims[abi.DimValidStep], k.Dims[abi.DimPeriod] = uint32(v.ValidStep), uint32(v.Period)
		if v.Valid == 0 {
			k.Dims[abi.DimValid] = uint32(v.Cols)
		}
	}
	if v.Gamma != 0 {
		k.Flags |= abi.KernelColScale
	}
	if v.Beta != 0 {
		k.Flags |= abi.KernelBias
	}
	return k
}

// slots are the bytes of the operation's slots for a tile.
func (v *Vector) slots(t tile) (slot [abi.NumOperands]int64, ok bool) {
	ok = true
	slot[0] = abi.SlotBytes(&ok, t.m, t.n, v.X.size())
	if vecRules[v.Op].binary {
		slot[1] = abi.SlotBytes(&ok, t.m, t.n, v.X.size())
	}
	out := t.n
	if vecRules[v.Op].reduce {
		out = 1
	}
	slot[2] = abi.SlotBytes(&ok, t.m, out, v.Out.size())
	return slot, ok
}

// vector maps an operation.
func (m *machine) vector(v *Vector) (mapping, error) {
	run := max(m.run/v.X.size(), 1)
	axes := []axis{{abi.SplitM, int64(v.Rows)}, {abi.SplitN, int64(v.Cols)}}
	if vecRules[v.Op].whole {
		axes = axes[:1]
	}
	g, ok := m.spread(axes, func(split uint8, most, cores int64) (mapping, bool) {
		share := tile{m: int64(v.Rows), n: int64(v.Cols)}
		if split == abi.SplitM {
			share.m = most
		} else {
			share.n = most
		}
		return m.tiled(satMul(share.m, share.n, v.X.size()), cores, func(tiles int64) (mapping, bool) {
			g, ok := m.fit(m.firstTile(v, share, tiles), v.slots, func(t *tile) bool { return v.shrink(t, run) })
			g.cycles = m.streamed(cores, &g, m.vectorWork(v, share, &g))
			return g, ok
		})
	})
	if !ok {
		return g, refuse(abi.VecOpNames[v.Op], "a row of %d columns takes %d bytes of the scratchpad, which has %d",
			v.Cols, g.slot[0]+g.slot[1]+g.slot[2], m.spad)
	}
	return g, nil
}

// vectorWork is what a core's share of an operation takes.
func (m *machine) vectorWork(v *Vector, share tile, g *mapping) stream {
	r, in, out, t := vecRules[v.Op], v.X.size(), v.Out.size(), g.tile
	each := r.passes
	if v.Op == abi.VecTranspose {
		each.simple *= conflict(t.m * out)
	}
	s := stream{tiles: ceilDiv(share.m, t.m) * ceilDiv(share.n, t.n),
		passing: m.passing(pass{share.m, share.n, each, v.Act, out, r.rowwise})}
	input, width, height, results := satMul(share.m, share.n, in), t.n, t.m, satMul(share.m, share.n, out)
	s.bytes = m.runs(input, runOf(t.m, t.n, v.Cols, &v.X))
	switch {
	case r.binary:
		s.bytes += m.runs(input, runOf(t.m, t.n, v.Cols, &v.Y))
	case v.Op == abi.VecGather: // rows are anywhere
		s.bytes = m.runs(input, share.n*in) + 4*share.m
	case v.Op == abi.VecTranspose:
		width, height = t.m, t.n
	case r.reduce:
		width, results = 1, satMul(share.m, out)
	}
	for _, params := range [...]uint64{v.Gamma, v.Beta} {
		if params != 0 {
			s.bytes += 4 * share.n
		}
	}
	s.bytes += m.runs(results, runOf(height, width, int(v.outCols()), &v.Out))
	return s
}

// runOf is the bytes that follow one another in memory in a tile of a matrix.
func runOf(rows, cols int64, whole int, t *Tensor) int64 {
	run := cols * t.size()
	if cols == int64(whole) && t.Row == uint64(run) {
		run = satMul(run, rows)
	}
	return run
}

// firstTile is the tile of a share in so many tiles with which fitting begins.
func (m *machine) firstTile(v *Vector, share tile, tiles int64) tile {
	t, size := share, v.X.size()
	if v.Op == abi.VecTranspose {
		t.m = spreadRows(t.m, v.Out.size())
		run, all := max(m.run/size, 1), satMul(share.m, share.n)
		t.n = min(t.n, roundUp(ceilDiv(all, satMul(tiles, t.m)), run), 2*run) // one run or two
		return t
	}
	rows := min(t.m, tiles)
	t.m = ceilDiv(t.m, rows)
	if !vecRules[v.Op].whole {
		t.n = min(roundUp(ceilDiv(t.n, ceilDiv(tiles, rows)), max(abi.SlotAlign/size, 1)), t.n)
		if v.Gamma != 0 || v.Beta != 0 {
			t.n = min(t.n, abi.MaxParamCols)
		}
	}
	if v.Op == abi.VecGather {
		t.m = min(t.m, abi.MaxGatherRows)
	}
	return t
}

// spreadRows is the most elements, of at most rows, for which rows of a transpose's
// result meet all banks of a scratchpad in turn, whether they are 16, 32, 64 or 128
// bytes wide.
func spreadRows(rows, size int64) int64 {
	for _, n := range [...]int64{496, 240, 112, 48, 16} {
		if n/size <= rows {
			return n / size
		}
	}
	return rows
}

// conflict is into how many turns an access to banks falls apart, whichever of
// these widths they have, when rows are some bytes long.
func conflict(row int64) (turns int64) {
	turns = 1
	for width := int64(16); width <= min(row, 128); width *= 2 {
		words := row / width
		turns = max(turns, words&-words)
	}
	return turns
}

// shrink halves a tile's rows, whose columns are long runs of memory, and its columns
// only when one row is left and not all must be there. A transpose halves the longer
// side, as long as columns are a run: it wants long rows on both.
func (v *Vector) shrink(t *tile, run int64) bool {
	switch {
	case t.m > 1 && (v.Op != abi.VecTranspose || t.m >= t.n || t.n <= run):
		t.m = ceilDiv(t.m, 2)
	case t.n > 1 && !vecRules[v.Op].whole:
		t.n = ceilDiv(t.n, 2)
	default:
		return false
	}
	return true
}
