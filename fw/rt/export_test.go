package rt

// Estimates is the sum of the estimates of all products that l has mapped, in
// cycles.
func Estimates(l *Library) (cycles int64) {
	for _, g := range l.m.products {
		cycles += g.cycles
	}
	return cycles
}

// NewNode makes a node of a descriptor.
func NewNode(fd int) Node { return newNode(fd, "test") }

// Passing is the mapper's cycles of the vector unit for an operation on rows × cols
// elements, but for its start; a pool has taps pixels in its window.
func Passing(l *Library, op, act uint8, rows, cols, taps, out int64) int64 {
	r := vecRules[op]
	each := r.passes
	each.simple *= taps
	return l.m.passing(pass{rows, cols, each, act, out, r.rowwise})
}
