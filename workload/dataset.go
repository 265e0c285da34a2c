package workload

import "github.com/presi-sim/presi/workload/digits"

// attach gives a network that names a data set what is shipped with it: trained
// weights, measured ranges, and the held-out images as its input (image i of a
// batch is held-out image i, from the start again behind the last).
func (g *Graph) attach() error {
	if g.Dataset == "" {
		return nil
	}
	f := &faults{}
	p := place{faults: f, source: g.Name}
	if g.Dataset != "digits" {
		p.errorf("dataset", "%q is unknown; want \"digits\"", g.Dataset)
		return f.err()
	}
	for i := range g.Tensors {
		t := &g.Tensors[i]
		p.name = t.Name
		switch t.Role {
		case Weight, Param:
			values, ok := digits.Weights(t.Name)
			if !ok || int64(len(values)) != t.Elems() {
				p.errorf("dataset", "digits has %d trained values for this tensor; want %d", len(values), t.Elems())
			}
			t.Values = values
		case Input:
			if t.Elems()%digits.Pixels != 0 {
				p.errorf("dataset", "the input is %s; images of digits are 8x8x1", t.ShapeString())
				continue
			}
			t.Values = cycle(digits.Images(), int(t.Elems()))
		}
		if r, ok := digits.Ranges()[t.Name]; ok {
			t.Range = Range(r)
		}
	}
	return f.err()
}

// cycle repeats values up to a length.
func cycle(values []float32, n int) []float32 {
	out := make([]float32, n)
	for at := 0; at < n; {
		at += copy(out[at:], values)
	}
	return out
}
