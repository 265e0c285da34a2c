package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestFIFOAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f FIFO[int]
		var want []int
		for i := range rapid.IntRange(0, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "push") > 0 || len(want) == 0 {
				p := f.Add()
				assert.Zero(t, *p, "an item that was here before")
				*p = i
				want = append(want, i)
			} else {
				assert.Equal(t, want[0], *f.Front())
				assert.Equal(t, want[0], f.Pop())
				want = want[1:]
			}
			assert.Equal(t, len(want), f.Len())
			for i := range want {
				assert.Equal(t, want[i], *f.At(i))
			}
		}
	})
}

func TestFIFOStaysSmall(t *testing.T) {
	var f FIFO[int]
	for range 3 {
		f.Push(0)
	}
	for i := range 100000 {
		f.Push(i)
		f.Pop()
	}
	assert.LessOrEqual(t, cap(f.items), 16)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { f.Push(1); f.Pop() }))
}
