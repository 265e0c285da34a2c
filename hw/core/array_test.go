package core

import (
	"encoding/csv"
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw/abi"
)

// table reads a CSV with a header into maps of column to text.
func table(t *testing.T, path string) (rows []map[string]string) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, name := range lines[0] {
			row[name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, row map[string]string, name string) int64 {
	v, err := strconv.ParseInt(row[name], 10, 64)
	require.NoError(t, err, "%s in %v", name, row)
	return v
}

// validate/refs/systolic/scalesim.csv: compute cycles of SCALE-Sim v3 (commit 1d62b68) at ideal
// bandwidth. A GEMM is one tile; every row must match to the cycle.
func TestScaleSim(t *testing.T) {
	flows := map[string]Dataflow{"ws": abi.WeightStationary, "os": abi.OutputStationary, "is": abi.InputStationary}
	rows := table(t, "../../validate/refs/systolic/scalesim.csv")
	require.Len(t, rows, 128)
	for _, row := range rows {
		c := ArrayConfig{Rows: int(number(t, row, "array_h")), Cols: int(number(t, row, "array_w")), Overlap: ScaleSim, F32Cycles: 1}
		s := ArraySpec{M: number(t, row, "M"), K: number(t, row, "K"), N: number(t, row, "N"), Type: abi.I8,
			Dataflow: flows[row["dataflow"]]}
		require.Equal(t, number(t, row, "compute_cycles"), c.Cycles(s), "%v", row)
		require.Equal(t, number(t, row, "macs"), s.MACs(), "%v", row)
	}
}

// The closed forms by hand, input-stationary (of which the table has no row) among them.
func TestArrayCycles(t *testing.T) {
	scalesim := ArrayConfig{Rows: 4, Cols: 6, Overlap: ScaleSim, F32Cycles: 3}
	double := ArrayConfig{Rows: 4, Cols: 6, F32Cycles: 3, SetupCycles: 5}
	spec := func(m, k, n int64, flow Dataflow, typ abi.DType) ArraySpec {
		return ArraySpec{M: m, K: k, N: n, Dataflow: flow, Type: typ}
	}
	for _, test := range []struct {
		cfg  ArrayConfig
		s    ArraySpec
		want int64
	}{
		{scalesim, spec(10, 9, 7, abi.InputStationary, abi.I8), 3*2*(8+6+7-2) - 1},
		{scalesim, spec(10, 9, 7, abi.WeightStationary, abi.BF16), 3*2*(8+6+10-2) - 1},
		{scalesim, spec(10, 9, 7, abi.OutputStationary, abi.I8), 3*2*(4+6+9-2) - 1},
		{scalesim, spec(10, 9, 7, abi.OutputStationary, abi.F32), 3*2*(4+6+27-2) - 1},
		// set-up, first weights, six folds of ten rows, drain
		{double, spec(10, 9, 7, abi.WeightStationary, abi.I8), 5 + 4 + 60 + 8},
		// two rows a fold: five are bound by loading four rows of weights
		{double, spec(2, 9, 7, abi.WeightStationary, abi.I8), 5 + 4 + 5*4 + 2 + 8},
		{double, spec(10, 9, 7, abi.WeightStationary, abi.F32), 5 + 12 + 180 + 8},
		{double, spec(10, 9, 7, abi.InputStationary, abi.I8), 5 + 4 + 6*7 + 8},
		// no partial sums to bring in; the last ones move out in four cycles
		{double, spec(10, 9, 7, abi.OutputStationary, abi.I8), 5 + 6*9 + 8 + 4},
	} {
		assert.Equal(t, test.want, test.cfg.Cycles(test.s), "%+v %+v", test.cfg, test.s)
	}
	grouped := spec(10, 9, 1, abi.WeightStationary, abi.I8)
	grouped.Groups = 8
	assert.EqualValues(t, 5+4+8*3*10+8, double.Cycles(grouped), "eight products of three folds")
	sums := spec(10, 9, 7, abi.OutputStationary, abi.I8)
	sums.Accumulate = true
	assert.EqualValues(t, 5+4+6*9+8+4, double.Cycles(sums), "partial sums come in first")
}

func TestArrayTraffic(t *testing.T) {
	c := ArrayConfig{Rows: 4, Cols: 6, F32Cycles: 1}
	s := ArraySpec{M: 10, K: 9, N: 7, Type: abi.BF16}
	for flow, want := range []int64{ // inputs pass twice; both twice and thrice; weights twice
		abi.WeightStationary: 2*2*90 + 2*63 + 4*70,
		abi.OutputStationary: 2*2*90 + 3*2*63 + 4*70,
		abi.InputStationary:  2*90 + 2*2*63 + 4*70,
	} {
		s.Dataflow = Dataflow(flow)
		assert.Equal(t, want, c.traffic(&s), "%v", s.Dataflow)
	}
	s.Groups, s.Accumulate = 3, true
	assert.EqualValues(t, 3*(2*90+2*2*63+2*4*70), c.traffic(&s))
}

// Peak rate bounds every product from below, and more work never takes less.
func TestArrayProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := ArrayConfig{Rows: rapid.IntRange(1, 64).Draw(t, "rows"), Cols: rapid.IntRange(1, 64).Draw(t, "cols"),
			F32Cycles: rapid.IntRange(1, 6).Draw(t, "f32"), Overlap: Overlap(rapid.IntRange(0, 1).Draw(t, "overlap")),
			BurstRows: rapid.IntRange(0, 9).Draw(t, "burst"), BurstCycles: rapid.IntRange(0, 5).Draw(t, "least")}
		extent := rapid.Int64Range(1, 300)
		s := ArraySpec{M: extent.Draw(t, "m"), K: extent.Draw(t, "k"), N: extent.Draw(t, "n"), Line: rapid.Int64Range(0, 40).Draw(t, "line"),
			Type: abi.DType(rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "type")), Dataflow: Dataflow(rapid.IntRange(0, 2).Draw(t, "flow"))}
		cost := c.Cost(&s)
		cycles := cost.Cycles()
		if c.Overlap == ScaleSim {
			cycles++ // it counts from 0
		}
		require.GreaterOrEqual(t, cycles*int64(c.Rows)*int64(c.Cols), s.MACs(), "faster than its multipliers")
		require.GreaterOrEqual(t, cost.Stream, cost.Last)
		for _, grow := range []*int64{&s.M, &s.K, &s.N} {
			bigger := s
			switch grow {
			case &s.M:
				bigger.M++
			case &s.K:
				bigger.K++
			default:
				bigger.N++
			}
			if c.BurstRows == 0 && c.BurstCycles == 0 {
				require.GreaterOrEqual(t, c.Cycles(bigger), c.Cycles(s))
			}
		}
	})
}

var mapping = regexp.MustCompile(`^\[T\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) .*\[O\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) .*\[I\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) S(\d+) R(\d+)`)

// validate/refs/gemmini/rtl.csv: cycles of Gemmini's RTL, 8×8 weight-stationary, on
// convolutions in the tiles given. Each tap of the window is a product over the
// tile's channels. An instruction streams up to eight pixels of an output row
// and keeps the array for four cycles at least; the longer side of the tile is
// the row. A tile costs 60 cycles beside (setup_cycles): issue of its loops,
// first weights, drain. A step of the loop over the window costs one cycle.
func TestGemmini(t *testing.T) {
	c := ArrayConfig{Rows: 8, Cols: 8, F32Cycles: 1, BurstRows: 8, BurstCycles: 4, TapFolds: true, TapCycles: 1, SetupCycles: 60 - (8 + 14)}
	sum, worst := 0.0, 0.0
	rows := table(t, "../../validate/refs/gemmini/rtl.csv")
	require.Len(t, rows, 11)
	for _, row := range rows {
		var v [14]int64
		match := mapping.FindStringSubmatch(row["mapping"])
		require.Len(t, match, 15, row["mapping"])
		for i := range v {
			v[i], _ = strconv.ParseInt(match[i+1], 10, 64)
		}
		got, want := gemminiCycles(c, [4]int64(v[:4]), [4]int64(v[4:8]), [4]int64(v[8:12]), v[12]*v[13]), number(t, row, "gemmini_rtl_cycles")
		e := float64(got-want) / float64(want)
		t.Logf("%-34s %8d model %8d RTL %+.2f %%", row["test"], got, want, 100*e)
		sum += math.Abs(e)
		worst = math.Max(worst, math.Abs(e))
	}
	mean := sum / float64(len(rows))
	t.Logf("mean %.2f %%, worst %.2f %%", 100*mean, 100*worst)
	assert.Less(t, mean, 0.01, "the table's documentation takes 1 %% as the bar")
}

// gemminiCycles adds up the tiles of the outer loops, clipped at the edges.
func gemminiCycles(c ArrayConfig, total, outer, inner [4]int64, taps int64) (cycles int64) {
	part := func(axis int, i int64) int64 { return min(inner[axis], total[axis]-i*inner[axis]) }
	for ci := range outer[0] {
		for mi := range outer[1] {
			for pi := range outer[2] {
				for qi := range outer[3] {
					p, q := part(2, pi), part(3, qi)
					line := q
					if inner[2] > inner[3] {
						line = p
					}
					if part(0, ci) <= 0 || part(1, mi) <= 0 || p <= 0 || q <= 0 {
						continue
					}
					s := ArraySpec{M: p * q, K: part(0, ci) * taps, N: part(1, mi), Taps: taps, Line: line, Type: abi.I8}
					cycles += c.Cycles(s)
				}
			}
		}
	}
	return cycles
}
