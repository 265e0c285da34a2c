package sim

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The members come from a start on, round the end, each once.
func TestSourceSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		s, member := newSourceSet(n), make([]bool, n)
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "i")
			if member[i] = rapid.Bool().Draw(t, "add"); member[i] {
				s.add(i)
			} else {
				s.remove(i)
			}
		}
		from := rapid.IntRange(0, n).Draw(t, "from")
		var want []int
		for k := range n {
			if i := (from + k) % n; member[i] {
				want = append(want, i)
			}
		}
		require.Equal(t, want, s.appendFrom(nil, from))
		require.Equal(t, len(want) == 0, s.empty())
		if i, ok := s.only(); ok || n <= 64 {
			require.Equal(t, len(want) == 1, ok)
			require.True(t, !ok || i == want[0])
		}
	})
}
