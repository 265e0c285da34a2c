package kern

// Scratch is one worker's working memory. It grows to what tasks ask for and is
// kept, so that the steady state allocates nothing.
type Scratch struct {
	a, b  []uint32  // packed panels
	tile  []byte    // one micro-tile of the accumulator at an edge
	row   []byte    // gathered rows of an implicit im2col
	eight [8][]byte // rows that are packed together
	four  [4][]byte
	lanes [lanes]float32
	f32   [4][]float32 // rows of the vector kernels
}

// grown returns *s with at least n elements, replacing it when it is too small.
func grown[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n+n/4)
	}
	return (*s)[:n]
}

// floats returns the i-th float32 row, n long; its contents are undefined.
func (s *Scratch) floats(i, n int) []float32 { return grown(&s.f32[i], n) }
