package sweep

import (
	"context"
	"crypto/sha256"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/presi-sim/presi/configs"
)

// machine is one combination of the axes' values.
type machine struct {
	choice []int // of each axis: which value
	config *configs.Config
	digest []byte // of the resolved configuration
	err    error  // why there is none
}

// grid makes the machines of a sweep.
type grid struct {
	spec   *Spec
	faults *faults
	axes   []Axis
	fixed  []string
	origin map[string]origin // of an override
	seen   []*sighting
	total  int
}

// origin is where in the sweep file an override stands, and in how many
// machines it takes part.
type origin struct {
	path     string
	machines int
}

// sighting is a mistake and how many machines have it.
type sighting struct {
	fault    *configs.Fault
	origin   origin
	machines int
}

// machines returns every combination, the last axis fastest. What is wrong with
// a value in whatever combination is a mistake in the file; what is wrong with a
// combination alone is that machine's.
func (s *Spec) machines(ctx context.Context, f *faults, axes []Axis) []machine {
	fixed, paths := s.fixed(f)
	g := &grid{spec: s, faults: f, axes: axes, fixed: fixed, origin: map[string]origin{}, total: 1}
	for _, a := range axes {
		g.total *= len(a.Labels)
	}
	for i, set := range fixed {
		g.origin[set] = origin{paths[i], g.total}
	}
	for _, a := range axes {
		for i, sets := range a.sets {
			for _, set := range sets {
				g.origin[set] = origin{a.paths[i], g.total / len(a.Labels)}
			}
		}
	}
	out := make([]machine, g.total)
	each(ctx, g.total, func(i int) { out[i] = g.machine(i) })
	for i := range out {
		if out[i].err != nil {
			g.saw(out[i].err)
		}
	}
	g.judge()
	return out
}

// each calls fn for 0 to n − 1, on all processors, until the context ends. A panic of
// one is the caller's.
func each(ctx context.Context, n int, fn func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	var failed atomic.Pointer[any]
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					failed.Store(&v)
				}
			}()
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil && failed.Load() == nil; i = next.Add(1) - 1 {
				fn(int(i))
			}
		})
	}
	workers.Wait()
	if v := failed.Load(); v != nil {
		panic(*v)
	}
}

// machine resolves combination number i.
func (g *grid) machine(i int) machine {
	m := machine{choice: make([]int, len(g.axes))}
	for k := len(g.axes) - 1; k >= 0; k-- {
		m.choice[k] = i % len(g.axes[k].Labels)
		i /= len(g.axes[k].Labels)
	}
	sets := g.fixed[:len(g.fixed):len(g.fixed)]
	for k, v := range m.choice {
		sets = append(sets, g.axes[k].sets[v]...)
	}
	if m.config, m.err = configs.Machine(g.spec.base(), sets...); m.err == nil {
		h := sha256.New()
		m.err = configs.Encode(h, m.config)
		m.digest = h.Sum(nil)
	}
	return m
}

// saw counts a machine's mistakes.
func (g *grid) saw(err error) {
	var list configs.Faults
	if !errors.As(err, &list) {
		list = configs.Faults{{File: g.spec.file, Msg: err.Error()}}
	}
	for _, fault := range list {
		i := slices.IndexFunc(g.seen, func(s *sighting) bool { return s.fault.Error() == fault.Error() })
		if i < 0 {
			i = len(g.seen)
			from, ok := g.origin[fault.Set]
			if !ok {
				from.machines = g.total
			}
			g.seen = append(g.seen, &sighting{fault: fault, origin: from})
		}
		g.seen[i].machines++
	}
}

// judge reports the mistakes that are in every machine they could be in.
func (g *grid) judge() {
	for _, s := range g.seen {
		if s.machines < s.origin.machines {
			continue
		}
		fault := s.fault
		switch {
		case fault.Set != "":
			key, value, _ := strings.Cut(fault.Set, "=")
			msg := fault.Msg
			if key != fault.Key && fault.Found != "" { // what follows from the value
				msg = fault.Key + " = " + fault.Found + ": " + msg
			} else {
				key = fault.Key
			}
			g.faults.add(s.origin.path, key, value, msg)
		case fault.Key == "" && fault.Line == 0: // the file itself
			g.faults.add("base", "base", literal(g.spec.Base), strings.TrimPrefix(fault.Msg, g.spec.file+": "))
		default:
			g.faults.list = append(g.faults.list, fault)
		}
	}
}
