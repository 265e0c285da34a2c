package workload

import "github.com/presi-sim/presi/workload/digits"

// Dataset is a data set that is shipped with a network: held-out images, what
// they show, and what the network is to say of them.
type Dataset struct {
	Name      string
	Labels    []int // the class of each image
	Reference []int // the class that the reference program gives it

	images  []float32 // one behind the other
	pixels  int       // of an image
	shape   string    // likewise
	weights func(tensor string) ([]float32, bool)
	ranges  map[string]digits.Range
}

// datasets makes a data set by its name.
var datasets = map[string]func() *Dataset{
	"digits": func() *Dataset {
		test := digits.Test()
		return &Dataset{Name: "digits", Labels: test.Labels, Reference: digits.Reference(), images: test.Images,
			pixels: digits.Pixels, shape: "8x8x1", weights: digits.Weights, ranges: digits.Ranges()}
	},
}

// Len is the number of images.
func (d *Dataset) Len() int { return len(d.Labels) }

// Batch returns n images from first on; behind the last one they begin again.
func (d *Dataset) Batch(first, n int) []float32 {
	out := make([]float32, 0, n*d.pixels)
	for i := range n {
		at := (first + i) % d.Len() * d.pixels
		out = append(out, d.images[at:at+d.pixels]...)
	}
	return out
}

// Accuracy is the share of classes that are the labels of the first images.
func (d *Dataset) Accuracy(classes []int) float64 {
	right := 0
	for i, c := range classes {
		if c == d.Labels[i] {
			right++
		}
	}
	return float64(right) / float64(len(classes))
}

// attach gives a network that names a data set what is shipped with it: trained
// weights, measured ranges, and the held-out images as its input (image i of a
// batch is held-out image i, from the start again behind the last).
func (g *Graph) attach() error {
	d := g.Dataset
	if d == nil {
		return nil
	}
	f := &faults{}
	p := place{faults: f, source: g.Name}
	for i := range g.Tensors {
		t := &g.Tensors[i]
		p.name = t.Name
		switch {
		case t.Role == Weight || t.Role == Param:
			values, ok := d.weights(t.Name)
			if !ok || int64(len(values)) != t.Elems() {
				p.errorf("dataset", "%s has %d trained values for this tensor; want %d", d.Name, len(values), t.Elems())
			}
			t.Values = values
		case t.Role != Input:
		case t.Elems()%int64(d.pixels) != 0:
			p.errorf("dataset", "the input is %s; images of %s are %s", t.ShapeString(), d.Name, d.shape)
			continue
		default:
			t.Values = d.Batch(0, int(t.Elems())/d.pixels)
		}
		if r, ok := d.ranges[t.Name]; ok {
			t.Range = Range(r)
		}
	}
	return f.err()
}
