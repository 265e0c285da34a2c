package core

// scratchpad is a core's banked memory: bandwidth, and bytes when values count.
//
// Consecutive words of BankBytes lie in consecutive banks, and each bank serves
// one word a cycle. Units access it in bursts over all banks, so together they
// share Banks × BankBytes bytes a cycle: an operation that starts gets what the
// operations under way leave, but never less than a quarter (there are four
// units and the arbiter is fair), and keeps it to its end. Strided access to
// single words (a transpose) meets fewer banks: see conflict.
type scratchpad struct {
	cfg    *ScratchpadConfig
	demand [numUnits]int64 // bytes a cycle that operations under way take
	bytes  []byte          // nil: timing alone
	asid   uint16          // whose bytes are in it
	used   bool            // since power-on
}

// share returns the bytes a cycle that an operation of a unit starting now gets.
func (s *scratchpad) share(unit int) int64 {
	width := s.cfg.bandwidth()
	left := width
	for u, d := range s.demand {
		if u != unit {
			left -= d
		}
	}
	return max(left, width/numUnits, 1)
}

// limit returns the cycles that an operation of a unit takes: its own, or more
// when its bytes do not fit its share. It notes the demand until release.
func (s *scratchpad) limit(unit int, cycles, bytes int64) int64 {
	cycles = max(cycles, ceilDiv(bytes, s.share(unit)))
	s.demand[unit] = ceilDiv(bytes, max(cycles, 1))
	return cycles
}

// release ends a unit's demand.
func (s *scratchpad) release(unit int) { s.demand[unit] = 0 }

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
