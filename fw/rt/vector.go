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

// vecRule is what the descriptor allows of an operation.
type vecRule struct {
	act, binary, gamma, beta bool
	whole                    bool // all columns in a tile
	reduce                   bool // one result a row
	bytes                    bool // elements of any type, moved as they are
}

var vecRules = [abi.NumVecOps]vecRule{
	abi.VecMap:        {act: true},
	abi.VecAdd:        {act: true, binary: true},
	abi.VecSub:        {act: true, binary: true},
	abi.VecMul:        {act: true, binary: true},
	abi.VecSoftmax:    {whole: true},
	abi.VecLayerNorm:  {whole: true, gamma: true, beta: true},
	abi.VecRMSNorm:    {whole: true, gamma: true},
	abi.VecBatchNorm:  {gamma: true, beta: true},
	abi.VecReduceSum:  {whole: true, reduce: true},
	abi.VecReduceMax:  {whole: true, reduce: true},
	abi.VecReduceMean: {whole: true, reduce: true},
	abi.VecTranspose:  {bytes: true},
	abi.VecGather:     {whole: true, bytes: true},
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
	m, err := l.m.vector(v)
	if err != nil && v.Op == abi.VecGather && v.Cols > 1 {
		return l.wideGather(v)
	}
	if err != nil {
		return nil, err
	}
	k := v.kernel()
	m.put(&k)
	return []abi.Kernel{k}, nil
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
	slot[0] = slotBytes(&ok, t.m, t.n, v.X.size())
	if vecRules[v.Op].binary {
		slot[1] = slotBytes(&ok, t.m, t.n, v.X.size())
	}
	out := t.n
	if vecRules[v.Op].reduce {
		out = 1
	}
	slot[2] = slotBytes(&ok, t.m, out, v.Out.size())
	return slot, ok
}

// vector maps an operation.
func (m *machine) vector(v *Vector) (mapping, error) {
	r, size := vecRules[v.Op], v.X.size()
	t := tile{int64(v.Rows), int64(v.Cols), 0, 0}
	g := mapping{split: abi.SplitM}
	if !r.whole {
		g.split = m.evenest(size, axis{abi.SplitM, v.Rows}, axis{abi.SplitN, v.Cols})
	}
	if g.split == abi.SplitM {
		t.m = ceilDiv(t.m, m.cores)
	} else {
		t.n = ceilDiv(t.n, m.cores)
	}
	t = m.firstTile(v, t)
	run := max(m.run/size, 1)
	g, ok := m.fit(g, t, v.slots, func(t *tile) bool { return shrinkRows(t, run, r.whole) })
	if !ok {
		return g, refuse(abi.VecOpNames[v.Op], "a row of %d columns takes %d bytes of the scratchpad, which has %d",
			v.Cols, g.slot[0]+g.slot[1]+g.slot[2], m.spad)
	}
	return g, nil
}

// firstTile is the tile of a share with which fitting begins.
func (m *machine) firstTile(v *Vector, share tile) tile {
	t, size := share, v.X.size()
	if v.Op == abi.VecTranspose {
		// rows of the result 496 bytes long meet all banks of a scratchpad in
		// turn, whether they are 16, 32, 64 or 128 bytes wide
		t.m, t.n = min(t.m, max(496/v.Out.size(), 1)), min(t.n, max(2*m.run/size, 1))
		return t
	}
	tiles := m.tilesFor(satMul(t.m, t.n, size))
	rows := min(t.m, tiles)
	t.m = ceilDiv(t.m, rows)
	if !vecRules[v.Op].whole {
		t.n = min(roundUp(ceilDiv(t.n, ceilDiv(tiles, rows)), max(slotAlign/size, 1)), t.n)
		if v.Gamma != 0 || v.Beta != 0 {
			t.n = min(t.n, abi.MaxParamCols)
		}
	}
	if v.Op == abi.VecGather {
		t.m = min(t.m, abi.MaxGatherRows)
	}
	return t
}

// shrinkRows halves rows, then columns unless all must be there; of a square tile
// both, as a transpose wants long rows on both sides.
func shrinkRows(t *tile, run int64, whole bool) bool {
	switch {
	case t.m > 1 && (whole || t.m >= t.n || t.n <= run):
		t.m = ceilDiv(t.m, 2)
	case t.n > 1 && !whole:
		t.n = ceilDiv(t.n, 2)
	case t.m > 1:
		t.m = ceilDiv(t.m, 2)
	default:
		return false
	}
	return true
}
