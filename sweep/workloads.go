package sweep

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/configs/lines"
	"github.com/presi-sim/presi/workload"
)

// datasetBatch is the batch of a network that comes with a data set, unless
// somebody asks for another: a tenth of the digits' 360 held-out images.
const datasetBatch = 36

// LoadWorkload loads a workload. Batch 0 is the workload's own: 36 images of a
// data set, else 1.
func LoadWorkload(name string, dtype workload.DType, batch int) (*workload.Graph, error) {
	g, err := workload.Load(name, workload.Options{Batch: batch, DType: dtype})
	err = meant(err)
	if err != nil || batch != 0 || g.Dataset == nil {
		return g, err
	}
	return workload.Load(name, workload.Options{Batch: datasetBatch, DType: dtype})
}

// meant says of an unknown network which one is like it.
func meant(err error) error {
	var e *workload.Error
	if !errors.Is(err, workload.ErrUnknown) || !errors.As(err, &e) {
		return err
	}
	near := configs.Nearest(e.Source, workload.List())
	if near == "" {
		return err
	}
	return &workload.Error{Source: e.Source, Msg: "is no network; did you mean " + near + "?", Err: e.Err}
}

// load is one workload of the sweep with a type and a batch.
type load struct {
	name  string // as in the file
	file  []byte // of a network file: its text
	graph *workload.Graph
	dtype string
	batch int
	err   error // why there is no graph
}

// loads returns workloads × types × batches.
func (s *Spec) loads(f *faults) (out []load) {
	dtypes, batches := s.dtypes(f), s.batches(f)
	if len(s.Workloads) == 0 {
		f.add("workloads", "workloads", "[]", "want at least one, such as \"resnet18\" or \"gemm:512x512x512\"")
	}
	twice(f, "workloads", s.Workloads)
	for i, name := range s.Workloads {
		path, text := s.network(name)
		from, failed := len(out), 0
		for _, dtype := range dtypes {
			for _, batch := range batches {
				l := load{name: name, file: text, dtype: dtype.String(), batch: batch}
				if l.graph, l.err = LoadWorkload(path, dtype, batch); l.err != nil {
					failed++
				} else {
					l.dtype, l.batch = l.graph.DType.String(), l.graph.Batch
				}
				out = append(out, l)
			}
		}
		if failed == len(out)-from {
			for _, l := range out[from:] {
				f.workload(lines.Element("workloads", i), name, path, l.err)
			}
		}
	}
	return out
}

// workload reports what is wrong with a workload, each mistake at its own line
// if it has one.
func (f *faults) workload(path, name, file string, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			f.workload(path, name, file, one)
		}
		return
	}
	msg := strings.TrimPrefix(cause(err).Error(), name+": ")
	var e *workload.Error
	if errors.As(err, &e) && e.Line > 0 {
		msg = e.Error()
	} else if cause(err) != err {
		msg = "cannot read " + file + ": " + msg
	}
	f.add(path, "workloads", literal(name), msg)
}

// network returns a workload's name as workload knows it and, for a file
// (perhaps with variables behind a comma), its text.
func (s *Spec) network(name string) (path string, text []byte) {
	file, vars, _ := strings.Cut(name, ",")
	if !workload.IsFile(file) {
		return name, nil
	}
	path = s.beside(file)
	text, _ = os.ReadFile(path) // loading says what is wrong with it
	if vars != "" {
		path += "," + vars
	}
	return path, text
}

func (s *Spec) dtypes(f *faults) []workload.DType {
	if len(s.DTypes) == 0 {
		return []workload.DType{workload.DefaultDType}
	}
	out := make([]workload.DType, len(s.DTypes))
	for i, name := range s.DTypes {
		var err error
		if out[i], err = workload.ParseDType(name); err != nil {
			f.add(lines.Element("dtype", i), "dtype", literal(name), "want f32, bf16 or int8")
		}
	}
	names := make([]string, len(out))
	for i, t := range out {
		names[i] = t.String()
		if t == workload.DefaultDType { // it is a mistake already
			names[i] = s.DTypes[i]
		}
	}
	twice(f, "dtype", names)
	return out
}

// maxBatch is the largest batch that workload.Load takes.
const maxBatch = 1 << 20

func (s *Spec) batches(f *faults) []int {
	if len(s.Batches) == 0 {
		return []int{0}
	}
	out := []int{}
	for i, n := range s.Batches {
		if n < 1 || n > maxBatch {
			f.add(lines.Element("batch", i), "batch", fmt.Sprint(n), fmt.Sprintf("want 1 to %d", maxBatch))
			continue
		}
		out = append(out, n)
	}
	twice(f, "batch", s.Batches)
	return out
}

// twice reports values that a list has already.
func twice[T comparable](f *faults, key string, list []T) {
	seen := map[T]int{}
	for i, v := range list {
		if first, ok := seen[v]; ok {
			f.add(lines.Element(key, i), key, literal(v), fmt.Sprintf("is there already, as value %d", first+1))
			continue
		}
		seen[v] = i
	}
}
