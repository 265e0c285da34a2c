package lab

import (
	"github.com/presi-sim/presi/workload"
	"github.com/presi-sim/presi/workload/digits"
)

// datasetSize returns how many images of a data set are held out for tests.
func datasetSize(string) int { return digits.Test().Len() }

// datasetBatch returns n test images from first on; behind the last one they
// begin again.
func datasetBatch(_ string, first, n int) []float32 {
	test := digits.Test()
	var out []float32
	for i := range n {
		out = append(out, test.Image((first+i)%test.Len())...)
	}
	return out
}

// score compares classes on the device with labels and with the reference.
type score struct {
	r       *run
	classes []int
}

func newScore(r *run) *score { return &score{r: r} }

// add reads the logits of inference n, which are in host memory by now.
func (s *score) add(n int) {
	r := s.r
	if r.g.Dataset == "" || r.o.TimingOnly {
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
	labels, want := digits.Test().Labels, digits.Reference()
	mine, reference := digits.Accuracy(s.classes, labels), digits.Accuracy(want, labels)
	same := len(want) == len(s.classes)
	for i := range s.classes {
		same = same && s.classes[i] == want[i]
	}
	s.r.accuracy, s.r.reference, s.r.same = &mine, &reference, &same
}
