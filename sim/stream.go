package sim

// Stream is a deterministic random stream (SplitMix64: Steele, Lea, Flood,
// OOPSLA 2014) whose seed is made from its name.
type Stream struct{ state uint64 }

// Stream returns the stream of a name under the engine's seed.
func (e *Engine) Stream(name string) *Stream { return NewStream(e.seed, name) }

// NewStream returns the stream of (seed, name): it starts from FNV-1a of the
// name, xor the first answer of the stream that starts from the seed.
func NewStream(seed uint64, name string) *Stream {
	h := uint64(14695981039346656037)
	for i := 0; i < len(name); i++ {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	s := Stream{seed}
	return &Stream{h ^ s.Uint64()}
}

// Uint64 returns the next 64 random bits.
func (s *Stream) Uint64() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Intn returns a value in [0, n); n > 0. Its bias is less than n/2⁶³.
func (s *Stream) Intn(n int64) int64 { return int64(s.Uint64()>>1) % n }

// Float64 returns a value in [0, 1).
func (s *Stream) Float64() float64 { return float64(s.Uint64()>>11) / (1 << 53) }
