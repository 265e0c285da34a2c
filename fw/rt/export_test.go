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
