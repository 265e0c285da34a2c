package core

import "github.com/presi-sim/presi/hw/abi"

// paramSlots are the two halves of the vector unit's parameter memory: each
// holds ColScale and Bias of a tile's columns.
type paramSlots struct {
	first  [2]int64
	used   [2]uint64
	last   int
	loaded uint64
}

// paramBytes is the size of one vector of a half.
const paramBytes = 4 * abi.MaxParamCols

func (s *paramSlots) reset() { *s = paramSlots{first: [2]int64{-1, -1}} }

// load makes the parameters of columns [n, n+ns) resident for the vector unit's
// operation number by, and returns their offset.
func (s *paramSlots) load(c *core, p *plan, n, ns int64, by uint64) int64 {
	if s.first[s.last] != n {
		s.last = 1 - s.last
	}
	at := int64(s.last) * 2 * paramBytes
	if s.first[s.last] != n {
		s.first[s.last] = n
		if p.scale {
			s.vector(c, p.k.ColScale, n, ns, at)
		}
		if p.bias {
			s.vector(c, p.k.Bias, n, ns, at+paramBytes)
		}
	}
	s.used[s.last] = by
	return at
}

func (s *paramSlots) vector(c *core, addr uint64, n, ns, at int64) {
	o, done := c.load.queue.push()
	o.after(abi.UnitVector, s.used[s.last])
	o.into = toParams
	o.transfer = transfer{addr: addr + uint64(n*4), planes: 1, rows: 1, rowBytes: ns * 4}
	o.packed(at)
	s.loaded = done
}
