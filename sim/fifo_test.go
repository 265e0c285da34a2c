package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestFIFOAgainstSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f fifo[int]
		var want []int
		for i := range rapid.IntRange(0, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "push") > 0 || len(want) == 0 {
				f.push(i)
				want = append(want, i)
			} else {
				assert.Equal(t, want[0], *f.front())
				assert.Equal(t, want[0], f.pop())
				want = want[1:]
			}
			assert.Equal(t, len(want), f.len())
		}
	})
}

func TestFIFOStaysSmall(t *testing.T) {
	var f fifo[int]
	for range 3 {
		f.push(0)
	}
	for i := range 100000 {
		f.push(i)
		f.pop()
	}
	assert.LessOrEqual(t, cap(f.items), 16)
	assert.Zero(t, testing.AllocsPerRun(1000, func() { f.push(1); f.pop() }))
}
