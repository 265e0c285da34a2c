package sweep

import (
	"encoding/json"
	"errors"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/lab"
)

// Result is a line of the journal: what was simulated and what came out. Names
// are those of a run's report, stable and with their units. A point that failed
// has an error and no measures.
type Result struct {
	Key      string            `json:"key"`
	Version  string            `json:"version"` // of the simulator
	Machine  string            `json:"machine"`
	Workload string            `json:"workload"`
	DType    string            `json:"dtype"`
	Batch    int               `json:"batch"`
	Axes     map[string]string `json:"axes"` // values as the sweep's file has them
	Error    string            `json:"error,omitempty"`
	*Measures
	Config map[string]any `json:"config,omitempty"` // resolved, quantities with their units
}

// Measures is a report without its layers.
type Measures struct {
	Inferences        int              `json:"inferences"`
	SimTime           int64            `json:"sim_time_ps"`
	Cycles            int64            `json:"cycles"`
	SetupTime         int64            `json:"setup_time_ps"`
	UploadBytes       int64            `json:"upload_bytes"`
	MACs              int64            `json:"macs"`
	MACRate           float64          `json:"macs_per_s"`
	PeakRate          float64          `json:"peak_macs_per_s"`
	ArrayUtil         float64          `json:"array_util"`
	Bytes             int64            `json:"bytes"`
	PeakMemory        float64          `json:"peak_memory_bytes_per_s"`
	BoundBy           string           `json:"bound_by"`
	Bill              map[string]int64 `json:"critical_path_ps"`
	Accuracy          *float64         `json:"accuracy,omitempty"`
	ReferenceAccuracy *float64         `json:"reference_accuracy,omitempty"`
	HostSeconds       float64          `json:"host_seconds"`
}

func measure(r *lab.Report) *Measures {
	return &Measures{Inferences: r.Inferences, SimTime: int64(r.SimTime), Cycles: r.Cycles, SetupTime: int64(r.SetupTime),
		UploadBytes: r.UploadBytes, MACs: r.MACs, MACRate: r.MACRate, PeakRate: r.PeakRate, ArrayUtil: r.ArrayUtil,
		Bytes: r.Bytes, PeakMemory: r.PeakMemory, BoundBy: r.BoundBy, Bill: r.Bill,
		Accuracy: r.Accuracy, ReferenceAccuracy: r.ReferenceAccuracy, HostSeconds: r.HostSeconds}
}

// newResult describes a point that has not run.
func (p *Plan) newResult(pt *Point) (*Result, error) {
	r := &Result{Key: pt.Key, Version: p.Version, Machine: p.Spec.Base, Workload: pt.Workload, DType: pt.DType, Batch: pt.Batch,
		Axes: map[string]string{}}
	for i, label := range p.Values(pt) {
		r.Axes[p.Axes[i].Name] = label
	}
	if pt.Machine == nil {
		return r, nil
	}
	r.Machine = pt.Machine.Name
	var err error
	r.Config, err = configs.Object(pt.Machine)
	return r, err
}

// line is the result as the journal has it.
func (r *Result) line() ([]byte, error) {
	b, err := json.Marshal(r)
	return append(b, '\n'), err
}

// parseLine reads a line of the journal.
func parseLine(line []byte) (*Result, error) {
	var r Result
	if err := json.Unmarshal(line, &r); err != nil {
		return nil, err
	}
	if r.Key == "" || (r.Measures == nil) == (r.Error == "") {
		return nil, errors.New("want a key, and either an error or measures")
	}
	return &r, nil
}
