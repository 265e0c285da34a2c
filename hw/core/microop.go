package core

import "github.com/presi-sim/presi/hw/abi"

// sound holds an operation against the machine: types, ranges, overlaps, size of
// the work.
func (c *core) sound(m *abi.MicroOp) bool {
	if m.Unit != abi.UnitArray && m.Flags != 0 {
		return false
	}
	if m.Rows == 0 {
		return true
	}
	switch m.Unit {
	case abi.UnitLoad:
		return c.soundTransfer(m, int64(m.InType.Size()))
	case abi.UnitStore:
		return c.soundTransfer(m, int64(m.OutType.Size())) &&
			(m.Rows == 1 || int64(m.MemStride) >= int64(m.Cols)*int64(m.OutType.Size()))
	case abi.UnitArray:
		return c.soundProduct(m)
	}
	return c.soundVector(m)
}

func (c *core) soundTransfer(m *abi.MicroOp, size int64) bool {
	row, stride := int64(m.Cols)*size, int64(m.SpadStride)
	if stride == 0 {
		stride = row
	}
	last := mulSat(int64(m.Rows)-1, stride)
	return m.Cols > 0 && stride >= row && last+row+int64(m.Spad[0]) <= int64(c.cfg.Scratchpad.Size) &&
		reach(m.Mem, uint64(row), [2]uint64{uint64(m.Rows), uint64(m.MemStride)})
}

// mulSat multiplies counts and stays at 2⁶⁰ when the product is beyond.
func mulSat(a, b int64) int64 {
	if a != 0 && b > (1<<60)/a {
		return 1 << 60
	}
	return a * b
}

func (c *core) soundProduct(m *abi.MicroOp) bool {
	rows, cols, depth, size := int64(m.Rows), int64(m.Cols), int64(m.Depth), int64(m.InType.Size())
	a := span{int64(m.Spad[0]), mulSat(mulSat(rows, depth), size)}
	b := span{int64(m.Spad[1]), mulSat(mulSat(cols, depth), size)}
	z := span{int64(m.Spad[2]), mulSat(mulSat(rows, cols), 4)}
	if !tensorType(m.InType) || cols == 0 || depth == 0 || !c.holds(a, b, z) || z.meets(a) || z.meets(b) ||
		mulSat(mulSat(rows, cols), depth) > abi.MaxTileWork {
		return false
	}
	return c.cfg.Array.Cycles(c.productOf(m)) <= abi.MaxTileCycles
}

func (c *core) soundVector(m *abi.MicroOp) bool {
	rows, cols, in, out := int64(m.Rows), int64(m.Cols), int64(m.InType.Size()), int64(m.OutType.Size())
	switch {
	case m.Op == abi.VecBatchNorm || m.Op == abi.VecGather || isPool(m.Op):
		return false
	case m.Op == abi.VecTranspose && m.InType != m.OutType:
		return false
	case m.Op != abi.VecTranspose && !(tensorType(m.OutType) && (tensorType(m.InType) || m.InType == abi.I32 && m.Op == abi.VecMap)):
		return false
	}
	n := mulSat(rows, cols)
	x, y, z := span{int64(m.Spad[0]), mulSat(n, in)}, span{int64(m.Spad[1]), 0}, span{int64(m.Spad[2]), mulSat(n, out)}
	if isBinary(m.Op) {
		y.n = x.n
	}
	if isReduce(m.Op) {
		z.n = mulSat(rows, out)
	}
	inPlace := out <= in && !isReduce(m.Op) && m.Op != abi.VecTranspose
	clear := func(s span) bool { return !z.meets(s) || inPlace && z.at == s.at }
	return cols > 0 && c.holds(x, y, z) && clear(x) && clear(y)
}

// span is a range of the scratchpad.
type span struct{ at, n int64 }

func (s span) meets(t span) bool { return s.n > 0 && t.n > 0 && s.at < t.at+t.n && t.at < s.at+s.n }

// holds reports whether the ranges lie in the scratchpad.
func (c *core) holds(spans ...span) bool {
	for _, s := range spans {
		if s.at+s.n > int64(c.cfg.Scratchpad.Size) {
			return false
		}
	}
	return true
}
