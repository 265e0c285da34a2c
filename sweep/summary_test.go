package sweep

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// timed makes an outcome of given times in picoseconds; 0 is a point that
// failed, −1 one that did not run.
func timed(t *testing.T, text string, times ...int64) *Outcome {
	p := plan(t, text)
	require.Len(t, p.Points, len(times))
	o := &Outcome{Plan: p, Results: make([]*Result, len(times))}
	for i, ps := range times {
		switch {
		case ps > 0:
			o.Results[i] = &Result{Measures: &Measures{SimTime: ps}}
		case ps == 0:
			o.Results[i] = &Result{Error: "e"}
		}
	}
	return o
}

func TestRankings(t *testing.T) {
	o := timed(t, small, 300, 200, 200, -1, 0, 50)
	r := o.Rankings()
	require.Len(t, r, 2)
	assert.Equal(t, "gemm:32x32x32", r[0].Workload)
	require.Len(t, r[0].Points, 3)
	assert.Same(t, &o.Plan.Points[1], r[0].Points[0].Point, "of equals, the plan's first")
	assert.Equal(t, 1.5, r[0].Points[2].Slowdown)
	assert.Equal(t, []int{3, 1, 1}, []int{r[1].Planned, r[1].Failed, len(r[1].Points)})
	assert.Equal(t, 1.0, r[1].Points[0].Slowdown)
}

func TestEffects(t *testing.T) {
	e := timed(t, small, 400, 100, 200, 90, 30, -1).Effects()
	require.Len(t, e, 3)
	assert.Equal(t, "array.rows,array.cols", e[0].Axis)
	assert.Equal(t, "[8, 16]", e[2].Value)
	assert.InDelta(t, math.Sqrt(4*3), e[0].Mean, 1e-12)
	assert.Equal(t, 3.0, e[0].Least)
	assert.Equal(t, Effect{Axis: "array.rows,array.cols", Value: "8", Points: 2, Mean: 1, Least: 1}, e[1])
	assert.InDelta(t, 2, e[2].Mean, 1e-12)
	assert.Equal(t, 1, e[2].Points)

	none := timed(t, small, 0, 0, 0, -1, -1, -1).Effects()
	assert.Zero(t, none[0].Points)
	assert.True(t, math.IsNaN(none[0].Mean))
}
