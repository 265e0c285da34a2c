package rt

import (
	"math/bits"

	"github.com/presi-sim/presi/hw/abi"
)

// passes is what something takes of the vector unit for an element.
type passes struct {
	simple  int64 // passes of a cycle
	special int64 // special functions (exp, tanh, reciprocal, square root), of Options.SpecialCycles
}

// actPasses is each activation's, as hw/core has it.
var actPasses = [abi.NumActs]passes{
	abi.ActReLU:     {simple: 1},
	abi.ActReLU6:    {simple: 2},
	abi.ActGELU:     {simple: 10, special: 2},
	abi.ActGELUTanh: {simple: 6, special: 1},
	abi.ActSiLU:     {simple: 3, special: 2},
	abi.ActSigmoid:  {simple: 2, special: 2},
	abi.ActTanh:     {special: 1},
	abi.ActExp:      {simple: 1, special: 1},
}

// pass is work for the vector unit.
type pass struct {
	rows, cols int64
	each       passes // of an element, without its activation
	act        uint8
	out        int64 // bytes of an element of the result; a byte takes one more pass
	rowwise    bool  // each row ends in a tree over its lanes and a special function
}

// passing is the vector unit's cycles for some work, but for the starts of its
// operations.
func (m *machine) passing(p pass) int64 {
	act := actPasses[p.act]
	each := p.each.simple + act.simple + (p.each.special+act.special)*m.special
	if p.out == 1 {
		each++
	}
	if p.rowwise {
		depth := bits.Len64(uint64(p.cols - 1))
		side := max(m.lanes>>depth, 1) // rows side by side, in fields of a power of two lanes
		depth = min(depth, bits.Len64(uint64(m.lanes-1)))
		return satMul(ceilDiv(p.rows, side), satMul(ceilDiv(p.cols, m.lanes), each)+int64(depth)+m.special)
	}
	return satMul(ceilDiv(satMul(p.rows, p.cols), m.lanes), each)
}
