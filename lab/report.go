package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Report is the outcome of a run. Names in JSON are stable and carry their
// units; times are simulated unless they say host.
type Report struct {
	Machine    string `json:"machine"`
	Workload   string `json:"workload"`
	DType      string `json:"dtype"`
	Batch      int    `json:"batch"`
	Inferences int    `json:"inferences"` // of a batch each, one after another

	SimTime     sim.Time `json:"sim_time_ps"`  // all inferences, from the first submission to the last wake-up
	Cycles      int64    `json:"cycles"`       // the same in cycles of the cores' clock
	WakeTime    sim.Time `json:"wake_time_ps"` // of it, what is behind the last layer: until the program knows
	SetupTime   sim.Time `json:"setup_time_ps"`
	UploadBytes int64    `json:"upload_bytes"` // weights and caches, copied to the device before the first inference

	MACs       int64   `json:"macs"`
	MACRate    float64 `json:"macs_per_s"`
	PeakRate   float64 `json:"peak_macs_per_s"`
	ArrayUtil  float64 `json:"array_util"`
	Bytes      int64   `json:"bytes"` // that cores and copy engines read from device memory or wrote to it
	PeakMemory float64 `json:"peak_memory_bytes_per_s"`

	BoundBy string           `json:"bound_by,omitempty"` // not of a run that ended before its first layer
	Bill    map[string]int64 `json:"critical_path_ps"`
	Layers  []Layer          `json:"layers"`

	Verified          *bool    `json:"verified"`                  // every layer within its tolerance; null without --verify
	VerifyFailures    []string `json:"verify_failures,omitempty"` // a layer each
	Accuracy          *float64 `json:"accuracy,omitempty"`
	ReferenceAccuracy *float64 `json:"reference_accuracy,omitempty"`
	SameAsReference   *bool    `json:"same_as_reference,omitempty"` // image for image

	Faults []FaultCount `json:"faults,omitempty"` // that the machine or the command line configures

	HostSeconds float64 `json:"host_seconds"`
	Interrupted bool    `json:"interrupted,omitempty"`

	Config map[string]any `json:"config"` // resolved, quantities with their units
}

// FaultCount is what became of a configured fault.
type FaultCount struct {
	Kind   string `json:"kind"`
	Struck int    `json:"struck"` // times that it happened
	Seen   int64  `json:"seen"`   // chances that it had while it was armed
}

func (f FaultCount) String() string {
	return fmt.Sprintf("%s: struck %d time(s) of %d chances", f.Kind, f.Struck, f.Seen)
}

// Layer is one operator, or a copy between host and device. Of several
// inferences it is the sum.
type Layer struct {
	Name      string           `json:"name"`
	Op        string           `json:"op"`
	Shape     string           `json:"shape"`
	Time      sim.Time         `json:"time_ps"`
	Cycles    int64            `json:"cycles"`
	MACs      int64            `json:"macs"`
	ArrayUtil float64          `json:"array_util"`
	Bytes     int64            `json:"bytes"` // of device memory, read or written; a copy over the link has each byte once
	Bandwidth float64          `json:"bandwidth_bytes_per_s"`
	BoundBy   string           `json:"bound_by"`
	Bill      map[string]int64 `json:"critical_path_ps"`

	VerifyError *float64 `json:"verify_error,omitempty"` // largest error as a share of the tolerance
}

// billMap turns a critical path into its JSON form.
func billMap(b *hw.Bill) map[string]int64 {
	m := make(map[string]int64, hw.NumResources)
	for r := range hw.NumResources {
		m[r.String()] = int64(b[r])
	}
	return m
}

// WriteJSON writes the report on one line.
func (r *Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// si writes a quantity with three digits and a decimal prefix.
func si(v float64, unit string) string {
	for _, p := range []struct {
		scale float64
		name  string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= p.scale {
			return fmt.Sprintf("%.3g %s%s", v/p.scale, p.name, unit)
		}
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}

// duration writes a time with four digits and its unit.
func duration(t sim.Time) string {
	for _, p := range []struct {
		scale sim.Time
		name  string
	}{{sim.Second, "s"}, {sim.Millisecond, "ms"}, {sim.Microsecond, "µs"}, {sim.Nanosecond, "ns"}} {
		if t >= p.scale {
			return fmt.Sprintf("%.4g %s", float64(t)/float64(p.scale), p.name)
		}
	}
	return fmt.Sprintf("%d ps", t)
}

// WriteText writes the report for people: a table a layer, then the totals.
func (r *Report) WriteText(w io.Writer) error {
	if r.Interrupted && len(r.Layers) == 0 {
		during := ""
		if r.SetupTime == 0 {
			during = " during set-up"
		}
		_, err := fmt.Fprintf(w, "interrupted%s: no layer has finished\n", during)
		return err
	}
	if r.Inferences > 1 {
		fmt.Fprintf(w, "a line a layer: the sum of %d inferences, each of the shape shown\n\n", r.Inferences)
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "layer\top\tshape\tcycles\ttime\tarray\tbytes\tbandwidth\tbound by")
	for i := range r.Layers {
		l := &r.Layers[i]
		util := "-"
		if l.MACs > 0 {
			util = fmt.Sprintf("%.1f %%", 100*l.ArrayUtil)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.Op, l.Shape, l.Cycles,
			duration(l.Time), util, si(float64(l.Bytes), "B"), si(l.Bandwidth, "B/s"), l.BoundBy)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	return r.writeTotals(w)
}

func (r *Report) writeTotals(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(tw, name+"\t"+format+"\n", args...) }
	fmt.Fprintln(tw)
	row("machine", "%s", r.Machine)
	row("workload", "%s, %s, batch %d, %d inference(s)", r.Workload, r.DType, r.Batch, r.Inferences)
	row("time", "%s, %d cycles, of which %s behind the last layer", duration(r.SimTime), r.Cycles, duration(r.WakeTime))
	row("setup", "%s, with %s of weights and caches over the link", duration(r.SetupTime), si(float64(r.UploadBytes), "B"))
	row("rate", "%s of %s peak, array %.1f %% busy with work", si(r.MACRate, "MAC/s"), si(r.PeakRate, "MAC/s"), 100*r.ArrayUtil)
	row("traffic", "%s, %s of %s memory peak", si(float64(r.Bytes), "B"),
		si(float64(r.Bytes)/max(r.SimTime.Seconds(), 1e-12), "B/s"), si(r.PeakMemory, "B/s"))
	row("bound by", "%s", r.BoundBy)
	for k := range hw.NumResources {
		if t := r.Bill[k.String()]; t > 0 {
			row("  "+k.String(), "%.1f %%, %s", 100*float64(t)/float64(max(r.SimTime, 1)), duration(sim.Time(t)))
		}
	}
	if r.Accuracy != nil {
		row("accuracy", "%.2f %% on the device, %.2f %% by the reference, %s", 100**r.Accuracy, 100**r.ReferenceAccuracy,
			map[bool]string{true: "the same image for image", false: "not the same for every image"}[*r.SameAsReference])
	}
	if r.Verified != nil {
		row("verified", "%s", map[bool]string{true: "every layer within its tolerance", false: "NO"}[*r.Verified])
		for _, f := range r.VerifyFailures {
			row("", "%s", f)
		}
	}
	for i, f := range r.Faults {
		row(map[bool]string{true: "faults"}[i == 0], "%s", f)
	}
	if r.Interrupted {
		row("interrupted", "figures are of what had finished")
	}
	row("host", "%.2f s", r.HostSeconds)
	return tw.Flush()
}
