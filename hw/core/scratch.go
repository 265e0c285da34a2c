package core

import "github.com/presi-sim/presi/hw/abi"

// scratchpad is a core's banked memory: bandwidth, and bytes when values count.
//
// Consecutive words of BankBytes lie in consecutive banks, and each bank serves
// one word a cycle. Units access it in bursts over all banks, so together they
// share Banks × BankBytes bytes a cycle, whatever each of them has under way.
// Where that is less than all want, the port goes first, up to half, as memory
// bounds it; what is left goes to the array and the vector unit, to each what it
// wants or half, and more when the other wants less. Strided access to single
// words (a transpose) meets fewer banks: see conflict.
type scratchpad struct {
	cfg    *ScratchpadConfig
	demand [numUnits]int64 // what units want: bytes a cycle in 1/demandUnit
	array  pace
	vector pace
	bytes  []byte // nil: timing alone
	asid   uint16 // whose bytes are in it
	used   bool   // since power-on
}

const demandUnit = 256

// demandOf returns what moving so many bytes in so many cycles takes.
func demandOf(bytes, cycles int64) int64 { return ceilDiv(bytes*demandUnit, max(cycles, 1)) }

// alone returns the cycles that an operation takes which has all banks: its own, or
// those that its bytes take.
func (s *scratchpad) alone(cycles, bytes int64) int64 {
	return max(cycles, ceilDiv(bytes, s.cfg.bandwidth()))
}

// start has nobody want anything from an edge on.
func (s *scratchpad) start(edge int64) {
	s.demand = [numUnits]int64{}
	s.array, s.vector = startAt(edge), startAt(edge)
}

// want takes a unit's demand from an edge on, and reports whether the pace of the
// array or the vector unit has changed.
func (s *scratchpad) want(unit int, demand, edge int64) bool {
	s.demand[unit] = demand
	width := s.cfg.bandwidth() * demandUnit
	left := max(width-s.demand[abi.UnitLoad]-s.demand[abi.UnitStore], width/2)
	array, vector := s.demand[abi.UnitArray], s.demand[abi.UnitVector]
	toArray, toVector := array, vector
	if array+vector > left {
		toArray = min(array, max(left/2, left-vector))
		toVector = min(vector, left-toArray)
	}
	changed := s.array.change(toArray, array, edge)
	return s.vector.change(toVector, vector, edge) || changed
}

// conflict returns into how many turns an access to all banks falls apart when
// its words lie stride bytes apart: banks over the distinct banks it meets.
func (c *ScratchpadConfig) conflict(stride int64) int64 {
	words := stride / int64(c.BankBytes)
	if words == 0 {
		return 1
	}
	turns := words & -words // gcd of words and a power of two
	return min(turns, int64(c.Banks))
}

// clearCycles returns how long wiping the scratchpad takes: all banks at once.
func (c *ScratchpadConfig) clearCycles() int64 { return ceilDiv(int64(c.Size), c.bandwidth()) }

// enter makes the scratchpad that of a context and returns whether it had to be
// wiped.
func (s *scratchpad) enter(asid uint16) bool {
	wipe := s.used && s.asid != asid
	if wipe {
		clear(s.bytes)
	}
	s.asid, s.used = asid, true
	return wipe
}
