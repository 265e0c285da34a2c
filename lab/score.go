package lab

import (
	"slices"

	"github.com/presi-sim/presi/workload"
)

// score compares classes on the device with labels and with the reference.
type score struct {
	r       *run
	classes []int
}

func newScore(r *run) *score { return &score{r: r} }

// add reads the logits of inference n, which are in host memory by now.
func (s *score) add(n int) {
	r := s.r
	if r.g.Dataset == nil || r.o.TimingOnly {
		return
	}
	t := r.g.Tensor(r.g.Outputs[0])
	logits := make([]float32, t.Elems())
	workload.Decode(t, r.staged(r.g.Outputs[0]), logits)
	per := len(logits) / r.g.Batch
	for i := 0; i < r.g.Batch && n*r.g.Batch+i < r.p.images; i++ {
		s.classes = append(s.classes, largest(logits[i*per:(i+1)*per]))
	}
}

func largest(v []float32) (at int) {
	for i := range v {
		if v[i] > v[at] {
			at = i
		}
	}
	return at
}

func (s *score) finish() {
	if s.classes == nil {
		return
	}
	d := s.r.g.Dataset
	mine, reference := d.Accuracy(s.classes), d.Accuracy(d.Reference)
	same := slices.Equal(s.classes, d.Reference)
	s.r.accuracy, s.r.reference, s.r.same = &mine, &reference, &same
}
