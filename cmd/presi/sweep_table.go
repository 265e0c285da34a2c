package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/presi-sim/presi/sweep"
)

// writeOutcome prints a sweep: how far it is, each workload's best points, what
// each value does, and what failed.
func writeOutcome(w io.Writer, o *sweep.Outcome, journal string, best int) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d of %d points done, %d of them before, %d failed: %s\n", o.Done(), len(o.Plan.Points), o.Resumed, o.Failed, journal)
	if o.Foreign > 0 {
		fmt.Fprintf(&b, "%d lines there are of no point of this sweep\n", o.Foreign)
	}
	for _, r := range o.Rankings() {
		writeRanking(&b, o.Plan, &r, best)
	}
	if o.Done() > o.Failed && len(o.Plan.Axes) > 0 {
		writeEffects(&b, o.Effects())
	}
	writeFailures(&b, o)
	_, err := w.Write(b.Bytes())
	return err
}

func writeRanking(w io.Writer, p *sweep.Plan, r *sweep.Ranking, best int) {
	n := min(best, len(r.Points))
	fmt.Fprintf(w, "\n%s, %s, batch %d: ", r.Workload, r.DType, r.Batch)
	if n == 0 {
		fmt.Fprintf(w, "none of %d points has a time\n", r.Planned)
		return
	}
	fmt.Fprintf(w, "best %d of %d points\n", n, r.Planned)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range p.Axes {
		fmt.Fprintf(tw, "%s\t", a.Name)
	}
	fmt.Fprintln(tw, "time\tslower\tcycles\tarray\tbound by")
	for _, pt := range r.Points[:n] {
		for _, v := range p.Values(pt.Point) {
			fmt.Fprintf(tw, "%s\t", v)
		}
		m := pt.Result.Measures
		fmt.Fprintf(tw, "%s\t%.2fx\t%d\t%.1f %%\t%s\n", milliseconds(m.SimTime), pt.Slowdown, m.Cycles, 100*m.ArrayUtil, m.BoundBy)
	}
	tw.Flush()
}

func milliseconds(ps int64) string { return fmt.Sprintf("%.4g ms", float64(ps)/1e9) }

// writeEffects prints what each value of each axis comes to over all workloads.
func writeEffects(w io.Writer, effects []sweep.Effect) {
	fmt.Fprintln(w, "\ntime of each value over each workload's best: geometric mean and least")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "axis\tvalue\tpoints\tmean\tleast")
	for _, e := range effects {
		if e.Points == 0 {
			fmt.Fprintf(tw, "%s\t%s\t0\t-\t-\n", e.Axis, e.Value)
			continue
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%.2fx\t%.2fx\n", e.Axis, e.Value, e.Points, e.Mean, e.Least)
	}
	tw.Flush()
}

// writeFailures prints each error once, with the first point that has it; the
// journal has them all.
func writeFailures(w io.Writer, o *sweep.Outcome) {
	var errs []string
	points := map[string][]int{} // by error
	for i, r := range o.Results {
		if r == nil || r.Error == "" {
			continue
		}
		first, _, _ := strings.Cut(r.Error, "\n")
		if points[first] == nil {
			errs = append(errs, first)
		}
		points[first] = append(points[first], i)
	}
	for _, e := range errs {
		fmt.Fprintf(w, "\n%d failed: %s\n  the first: %s\n", len(points[e]), e, pointName(o.Plan, points[e][0]))
	}
}

// pointName is a point in words: "gemm:8x8x8, bf16, batch 1, core.count = 2".
func pointName(p *sweep.Plan, i int) string {
	pt := &p.Points[i]
	name := fmt.Sprintf("%s, %s, batch %d", pt.Workload, pt.DType, pt.Batch)
	for k, v := range p.Values(pt) {
		name += fmt.Sprintf(", %s = %s", p.Axes[k].Name, v)
	}
	return name
}
