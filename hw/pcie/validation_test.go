package pcie

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/sim"
)

// reference reads a table of validate/refs, a map a row.
func reference(t testing.TB, file string) []map[string]string {
	t.Helper()
	f, err := os.Open("../../validate/refs/pcie/" + file)
	require.NoError(t, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, v := range line {
			row[lines[0][i]] = v
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t testing.TB, text string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(strings.TrimLeft(text, "genx"), 64)
	require.NoError(t, err)
	return v
}

// deviation collects the errors of one column.
type deviation struct {
	sum, worst float64
	n          int
	where      string
}

func (d *deviation) add(got, want float64, where string) {
	e := math.Abs(got-want) / want
	d.sum += e
	d.n++
	if e > d.worst {
		d.worst, d.where = e, where
	}
}

func (d *deviation) String() string {
	return fmt.Sprintf("%d points, mean %.3f %%, worst %.3f %% at %s", d.n, 100*d.sum/float64(d.n), 100*d.worst, d.where)
}

// TestPublishedModel saturates the link at every point of the published model.
func TestPublishedModel(t *testing.T) {
	var write, read, both, raw, tlp deviation
	for _, r := range reference(t, "pcie_model.csv") {
		size := func(key string) sim.Bytes { return sim.Bytes(number(t, r[key])) }
		row := Row{Generation: int(number(t, r["gen"])), Lanes: int(number(t, r["lanes"])), MPS: size("mps"), MRRS: size("mrrs"),
			RCB: size("rcb"), RCBChunks: r["rcb_chunks"] == "1", Size: size("size_B")}
		m, err := Measure(row)
		require.NoError(t, err)
		where := fmt.Sprintf("%+v", row)
		write.add(m.WriteGbps, number(t, r["wr_Gbps"]), where)
		read.add(m.ReadGbps, number(t, r["rd_Gbps"]), where)
		both.add(m.BothGbps, number(t, r["rdwr_each_Gbps"]), where)
		c, err := row.config()
		require.NoError(t, err)
		raw.add(float64(c.RawRate())*8e-9, number(t, r["raw_Gbps"]), where)
		tlp.add(float64(c.TLPRate())*8e-9, number(t, r["tlp_Gbps"]), where)
	}
	for _, d := range []struct {
		name string
		*deviation
	}{{"raw", &raw}, {"TLP", &tlp}, {"writes", &write}, {"reads", &read}, {"both", &both}} {
		t.Logf("%-6s %s", d.name, d.deviation)
		assert.Less(t, d.worst, 0.01, "%s: %s", d.name, d.deviation)
	}
}

// TestBeyondTheTable holds points that the table has not, gen1 to gen5 and all
// widths, to the model's formulas.
func TestBeyondTheTable(t *testing.T) {
	var write, read, both deviation
	for _, gen := range []int{1, 2, 3, 4, 5} {
		for _, lanes := range []int{1, 2, 4, 8, 16} {
			for i, size := range []int64{24, 700, 3000, 10_000} {
				mps := int64(128) << (i + lanes%3)
				row := Row{Generation: gen, Lanes: lanes, MPS: sim.Bytes(mps), MRRS: 512, RCB: 128, RCBChunks: i == 1, Size: sim.Bytes(size)}
				m, err := Measure(row)
				require.NoError(t, err)
				c, err := row.config()
				require.NoError(t, err)
				ceil := func(n int64) int64 { return (size + n - 1) / n }
				w := size + 24*ceil(mps)
				up, down := 24*ceil(512), size+20*ceil(c.chunk())
				rate := float64(c.TLPRate()) * 8e-9 * float64(size)
				where := fmt.Sprintf("%+v", row)
				write.add(m.WriteGbps, rate/float64(w), where)
				read.add(m.ReadGbps, rate/float64(max(up, down)), where)
				both.add(m.BothGbps, rate/float64(max(w+up, down)), where)
			}
		}
	}
	for _, d := range []*deviation{&write, &read, &both} {
		t.Log(d)
		assert.Less(t, d.worst, 0.01, d)
	}
}

// The limits of the specification's tables 3-7 to 3-9.
func TestAckLimits(t *testing.T) {
	for _, w := range []struct {
		gen, lanes int
		mps        sim.Bytes
		want       int64
	}{
		{1, 1, 128, 237}, {1, 4, 256, 118}, {1, 8, 256, 107}, {1, 16, 4096, 534}, {2, 2, 1024, 596}, {2, 4, 512, 205},
		{2, 16, 128, 99}, {3, 1, 4096, 4239}, {3, 8, 128, 163}, {3, 8, 256, 203}, {4, 16, 256, 168}, {5, 16, 512, 182},
	} {
		c := Config{Generation: w.gen, Lanes: w.lanes, MPS: w.mps}
		assert.Equal(t, w.want, c.ackLimit(), "%+v", w)
	}
}
