package mem

import (
	"encoding/csv"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// point is a row of the reference: what Ramulator 2.1 measured.
type point struct {
	device, amap, pattern, mode string
	n                           int64
	bw, lat, hits               float64
}

func (p point) String() string {
	return strings.Join([]string{p.device, p.amap, p.pattern, p.mode}, " ")
}

func readPoints(t *testing.T) (points []point) {
	f, err := os.Open("../../validate/refs/dram/ramulator2.csv")
	require.NoError(t, err)
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	num := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return v
	}
	for _, r := range rows[1:] {
		points = append(points, point{r[1], r[2], r[3], r[4], int64(num(r[5])), num(r[9]), num(r[12]), num(r[16])})
	}
	return points
}

// errorsOf collects relative errors with the worst point.
type errorsOf struct {
	name   string
	all    []float64
	worst  float64
	worstP point
}

func (e *errorsOf) add(model, ref float64, p point) {
	v := math.Abs(model-ref) / ref
	e.all = append(e.all, v)
	if v >= e.worst {
		e.worst, e.worstP = v, p
	}
}

func (e *errorsOf) mean() (m float64) {
	for _, v := range e.all {
		m += v / float64(len(e.all))
	}
	return m
}

func (e *errorsOf) quantile(q float64) float64 {
	slices.Sort(e.all)
	return e.all[int(q*float64(len(e.all)-1))]
}

func (e *errorsOf) log(t *testing.T) {
	t.Logf("%-34s %3d points: mean %.2f %%, p90 %.2f %%, worst %.2f %% (%v)",
		e.name, len(e.all), 100*e.mean(), 100*e.quantile(0.9), 100*e.worst, e.worstP)
}

// TestAgainstRamulator prints and bounds the error against Ramulator 2.1.
func TestAgainstRamulator(t *testing.T) {
	bw := errorsOf{name: "bandwidth at saturation"}
	lat := errorsOf{name: "mean latency, mlp and up to 50 %"}
	high := errorsOf{name: "mean latency above 50 % load"}
	hits := errorsOf{name: "row hits"}
	for _, p := range readPoints(t) {
		got, err := Replay(onward, Config{Device: p.device, Map: p.amap}, p.pattern, p.mode, p.n)
		require.NoError(t, err)
		load := strings.TrimPrefix(p.mode, "rate")
		switch {
		case p.mode == "sat":
			bw.add(got.BandwidthGBps, p.bw, p)
		case load == p.mode || load <= "50":
			lat.add(got.ReadLatMeanNs, p.lat, p)
		default:
			high.add(got.ReadLatMeanNs, p.lat, p)
		}
		hits.add(1+got.RowHitRate, 1+p.hits, p)
	}
	for _, e := range []*errorsOf{&bw, &lat, &high, &hits} {
		e.log(t)
	}
	assert.LessOrEqual(t, bw.mean(), 0.001)
	assert.LessOrEqual(t, bw.worst, 0.005)
	assert.LessOrEqual(t, lat.mean(), 0.005)
	assert.LessOrEqual(t, lat.quantile(0.9), 0.02)
	assert.LessOrEqual(t, high.mean(), 0.005)
	assert.LessOrEqual(t, hits.worst, 0.005)
}

// TestPointsOutsideTheTable: what Ramulator 2.1 (commit c5b1c3a) measures in
// points that the table does not have, to four digits. Each needs a rule of
// its own: a precharge between the halves of an activate, whose turn it is
// between a column and a row command of one tick, refreshes of idle time, and
// which of two rows opened goes first.
func TestPointsOutsideTheTable(t *testing.T) {
	for _, p := range []point{
		{"LPDDR5_6400", "robabgracoch", "rand_rw21", "rate40", 8000, 4.584, 2930.33, 0.0001},
		{"LPDDR5_6400", "rocobabgrach", "seq_rw21", "sat", 20000, 9.463, 185.20, 0.9559},
		{"HBM2_2000_8ch", "rocobabgrach", "seq_rw21", "sat", 30000, 195.998, 120.83, 0.9332},
		{"HBM2_2000_1ch", "rocobabgrach", "triad_rw21", "rate20", 8000, 6.387, 110.69, 0.1806},
		{"HBM2_2000_1ch", "rocobabgrach", "seq_rw21", "mlp4", 4000, 6.177, 30.06, 0.9357},
		{"DDR4_3200AA", "rocobabgrach", "seq_rd", "mlp1", 4000, 3.490, 17.71, 0.9560},
	} {
		got, err := Replay(onward, Config{Device: p.device, Map: p.amap}, p.pattern, p.mode, p.n)
		require.NoError(t, err)
		assert.InEpsilon(t, p.bw, got.BandwidthGBps, 0.0002, "%v", p)
		assert.InEpsilon(t, p.lat, got.ReadLatMeanNs, 0.0006, "%v", p)
		assert.InDelta(t, p.hits, got.RowHitRate, 0.001, "%v", p)
	}
}
