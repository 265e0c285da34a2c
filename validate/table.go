// Package validate holds the models against references that nobody here wrote,
// and says how far off they are. It drives the blocks that a run uses; what it
// compares with is in package refs.
package validate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Table is the errors of a model against one reference. An error is
// |model − reference| / reference; scenarios that pass or fail have 0 or 1.
type Table struct {
	Name       string  `json:"name"`
	Source     string  `json:"source"`
	Points     int     `json:"points"`
	MeanPct    float64 `json:"mean_pct"`
	P90Pct     float64 `json:"p90_pct"`
	WorstPct   float64 `json:"worst_pct"`
	WorstPoint string  `json:"worst_point"`  // "" if every point is exact
	R2         Fit     `json:"r2,omitempty"` // of the model's values against the reference's, where it is asked for
	Target     string  `json:"target"`       // "" if none is set
	Pass       bool    `json:"pass"`         // the target holds; true without one
}

// Fit is a coefficient of determination, NaN where it is not defined. In JSON
// that is null.
type Fit float64

func (f Fit) defined() bool { return !math.IsNaN(float64(f)) }

// MarshalJSON implements json.Marshaler.
func (f Fit) MarshalJSON() ([]byte, error) {
	if !f.defined() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

func (f Fit) String() string {
	if !f.defined() {
		return "–"
	}
	return fmt.Sprintf("%.4f", float64(f))
}

// limits is a table's target in percent; a limit that is not set is negative.
type limits struct {
	mean, p90, worst float64
	r2               float64
}

// none is no target.
var none = limits{-1, -1, -1, -1}

func worst(pct float64) limits          { return limits{-1, -1, pct, -1} }
func mean(pct float64) limits           { return limits{pct, -1, -1, -1} }
func (l limits) p90At(v float64) limits { l.p90 = v; return l }
func (l limits) r2At(v float64) limits  { l.r2 = v; return l }

// collector gathers the errors of a table.
type collector struct {
	name, source string
	limits
	errs   []float64
	worst  int // index of the worst point
	at     string
	got    []float64
	wanted []float64
}

// add compares one value.
func (c *collector) add(point string, got, want float64) {
	e := math.Abs(got-want) / math.Abs(want)
	c.got, c.wanted = append(c.got, got), append(c.wanted, want)
	c.err(point, e)
}

// err adds an error.
func (c *collector) err(point string, e float64) {
	if len(c.errs) > 0 && !(e > c.errs[c.worst]) {
		c.errs = append(c.errs, e)
		return
	}
	c.worst = len(c.errs)
	c.errs = append(c.errs, e)
	if c.at = ""; e > 0 {
		c.at = point
	}
}

// table finishes the table.
func (c *collector) table() Table {
	t := Table{Name: c.name, Source: c.source, Points: len(c.errs), WorstPoint: c.at}
	if t.Points == 0 {
		return t
	}
	t.WorstPct = 100 * c.errs[c.worst]
	sorted := slices.Sorted(slices.Values(c.errs))
	for _, e := range sorted {
		t.MeanPct += 100 * e / float64(len(sorted))
	}
	t.P90Pct = 100 * sorted[(9*len(sorted)+9)/10-1] // nearest rank
	if c.r2 >= 0 {
		t.R2 = rSquared(c.got, c.wanted)
	}
	t.Target, t.Pass = c.target(), true
	for _, v := range c.rows(&t) {
		t.Pass = t.Pass && v.holds
	}
	return t
}

// rows lists the limits that are set.
func (c *collector) rows(t *Table) (out []limitRow) {
	for _, v := range []struct {
		name         string
		found, limit float64
	}{{"mean", t.MeanPct, c.mean}, {"p90", t.P90Pct, c.p90}, {"worst", t.WorstPct, c.limits.worst}} {
		if v.limit >= 0 {
			out = append(out, limitRow{fmt.Sprintf("%s ≤ %g %%", v.name, v.limit), v.found <= v.limit})
		}
	}
	if c.r2 >= 0 {
		out = append(out, limitRow{fmt.Sprintf("R² > %g", c.r2), t.R2 > Fit(c.r2)}) // never of what is not defined
	}
	return out
}

type limitRow struct {
	text  string
	holds bool
}

func (c *collector) target() string {
	var texts []string
	for _, v := range c.rows(&Table{}) {
		texts = append(texts, v.text)
	}
	return strings.Join(texts, ", ")
}

// rSquared is 1 − residual / total sum of squares. It is not defined where the
// references are all the same.
func rSquared(got, want []float64) Fit {
	if len(want) == 0 || slices.Min(want) == slices.Max(want) {
		return Fit(math.NaN())
	}
	var mean, residual, total float64
	for _, w := range want {
		mean += w / float64(len(want))
	}
	for i, w := range want {
		residual += (got[i] - w) * (got[i] - w)
		total += (w - mean) * (w - mean)
	}
	return Fit(1 - residual/total)
}
