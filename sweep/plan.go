package sweep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/workload"
)

// Plan is every point of a sweep: machines × workloads × types × batches.
type Plan struct {
	Spec    *Spec
	Version string // of the simulator, which its results depend on: they are not mixed with another's
	Axes    []Axis
	Points  []Point
}

// Point is one simulation.
type Point struct {
	Key      string // the same for the same simulation by the same version
	Choice   []int  // of each axis: which value
	Machine  *configs.Config
	Workload string // as in the file
	Graph    *workload.Graph
	DType    string
	Batch    int
	Err      error // why the point cannot be simulated
}

// maxPoints bounds a plan, so that a mistake in a grid does not fill the memory.
const maxPoints = 100_000

// Plan makes the points, workloads outermost and the last axis fastest. The
// error is configs.Faults with everything that is wrong in the file. A mistake
// that only some combination of values has is no error of the file: those points
// are planned and fail. A context that ends meanwhile is an error of its own.
func (s *Spec) Plan(ctx context.Context, version string) (*Plan, error) {
	f := &faults{spec: s}
	p := &Plan{Spec: s, Version: version, Axes: s.axes(f)}
	loads := s.loads(f)
	n := len(loads)
	for _, a := range p.Axes {
		n = min(n*len(a.Labels), maxPoints+1)
	}
	if n > maxPoints {
		f.add("axes", "axes", "", fmt.Sprintf("the grid has too many points; want at most %d", maxPoints))
		return nil, f.err()
	}
	machines := s.machines(ctx, f, p.Axes)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	for _, l := range loads {
		for i := range machines {
			p.Points = append(p.Points, p.point(&l, &machines[i]))
		}
	}
	return p, nil
}

func (p *Plan) point(l *load, m *machine) Point {
	pt := Point{Choice: m.choice, Machine: m.config, Workload: l.name, Graph: l.graph, DType: l.dtype, Batch: l.batch, Err: m.err}
	if pt.Err == nil {
		pt.Err = l.err
	}
	pt.Key = p.key(l, m)
	return pt
}

// key hashes all that decides a point's result. Where there is no machine, its
// values stand for it.
func (p *Plan) key(l *load, m *machine) string {
	h := sha256.New()
	fmt.Fprintf(h, "presi point 1\nversion %s\nworkload %q\nfile %q\ndtype %s\nbatch %d\nseed %d\nfunctional %t\n",
		p.Version, l.name, l.file, l.dtype, l.batch, p.Spec.Seed, p.Spec.Functional)
	if m.digest == nil {
		fmt.Fprintf(h, "values %q\n", p.values(m.choice))
	}
	h.Write(m.digest)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// values are the labels of a choice.
func (p *Plan) values(choice []int) []string {
	out := make([]string, len(choice))
	for i, v := range choice {
		out[i] = p.Axes[i].Labels[v]
	}
	return out
}

// Values are the labels of a point's values, one an axis.
func (p *Plan) Values(pt *Point) []string { return p.values(pt.Choice) }
