package alloc

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever is taken and given back, ranges never overlap, keep their alignment,
// and the space is whole again in the end.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const start, end = 0x1000, 0x41000
		x := New(start, end)
		type taken struct{ at, n uint64 }
		var held []taken
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(t, "give") {
				i := rapid.IntRange(0, len(held)-1).Draw(t, "which")
				x.Give(held[i].at, held[i].n)
				held = append(held[:i], held[i+1:]...)
				continue
			}
			n := uint64(rapid.IntRange(1, 0x8000).Draw(t, "bytes"))
			align := uint64(1) << rapid.IntRange(0, 14).Draw(t, "align")
			at, ok := x.Take(n, align)
			if !ok {
				continue
			}
			require.Zero(t, at%align)
			require.GreaterOrEqual(t, at, uint64(start))
			require.LessOrEqual(t, at+n, uint64(end))
			for _, h := range held {
				require.True(t, at+n <= h.at || h.at+h.n <= at, "%#x overlaps %#x", at, h.at)
			}
			held = append(held, taken{at, n})
		}
		for _, h := range held {
			x.Give(h.at, h.n)
		}
		require.EqualValues(t, end-start, x.Left())
		at, ok := x.Take(end-start, 1)
		require.True(t, ok, "the pieces are joined again")
		require.EqualValues(t, start, at)
	})
}

func TestTakeOfMoreThanThereIs(t *testing.T) {
	x := New(0, 100)
	_, ok := x.Take(101, 1)
	require.False(t, ok)
	_, ok = x.Take(^uint64(0), 1)
	require.False(t, ok, "no wrap-around")
}
