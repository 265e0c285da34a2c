// Command train trains the digits network and writes its weights and the
// ranges of its activations:
//
//	go run ./workload/digits/train
//
// It is deterministic: one thread, one seed, plain loops, every product rounded
// on its own. The network is two 3×3 convolutions (16 and 32 channels, ReLU),
// a 2×2 max pool, and two fully connected layers (64 with ReLU, 10). Training
// is Adam on the cross entropy with decoupled weight decay and a cosine
// schedule, each image shifted by up to a pixel. The held-out images are used
// once, to print the accuracy. In the end the weights are rounded to bfloat16,
// so that the file means the same in f32 and bf16.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/presi-sim/presi/workload/digits"
)

func main() {
	epochs := flag.Int("epochs", 60, "passes over the training images")
	seed := flag.Uint64("seed", 1, "seed of the initial weights, the order and the shifts")
	dir := flag.String("o", filepath.FromSlash("workload/digits/data"), "directory to write weights.f32 and ranges.csv to")
	flag.Parse()
	n := train(digits.Training(), *epochs, *seed, func(epoch int, loss float64) {
		fmt.Printf("epoch %3d  loss %.5f\n", epoch, loss)
	})
	n.round()
	test := digits.Test()
	fmt.Printf("held-out accuracy %.4f of %d images\n", n.accuracy(test), test.Len())
	if err := write(*dir, n); err != nil {
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(1)
	}
}

// write stores the network.
func write(dir string, n *network) error {
	var weights, ranges bytes.Buffer
	for _, p := range n.params() {
		if err := binary.Write(&weights, binary.LittleEndian, p.value); err != nil {
			return err
		}
	}
	fmt.Fprintln(&ranges, "layer,mean,std,max")
	for _, r := range n.ranges(digits.Training()) {
		fmt.Fprintf(&ranges, "%s,%.6g,%.6g,%.6g\n", r.name, r.mean(), r.std(), r.max)
	}
	if err := os.WriteFile(filepath.Join(dir, "weights.f32"), weights.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "ranges.csv"), ranges.Bytes(), 0o644)
}

// train runs the whole schedule and reports each epoch's mean loss.
func train(data digits.Split, epochs int, seed uint64, report func(int, float64)) *network {
	const batch, peak = 32, 2e-3
	rng := stream(seed)
	n := newNetwork(&rng)
	opt := newAdam(n.params())
	order := make([]int, data.Len())
	for i := range order {
		order[i] = i
	}
	image := make([]float32, digits.Pixels)
	for epoch := range epochs {
		rng.shuffle(order)
		loss := 0.0
		for at, i := range order {
			shift(data.Image(i), image, rng.below(3)-1, rng.below(3)-1)
			loss += n.learn(image, data.Labels[i])
			if last := at == len(order)-1; (at+1)%batch == 0 || last {
				progress := (float64(epoch) + float64(at)/float64(len(order))) / float64(epochs)
				opt.step(peak*(1+math.Cos(math.Pi*progress))/2, at%batch+1)
			}
		}
		report(epoch+1, loss/float64(len(order)))
	}
	return n
}

// shift moves an image by whole pixels; what comes in is blank.
func shift(in, out []float32, dy, dx int) {
	clear(out)
	for y := range digits.Side {
		for x := range digits.Side {
			if sy, sx := y+dy, x+dx; sy >= 0 && sy < digits.Side && sx >= 0 && sx < digits.Side {
				out[y*digits.Side+x] = in[sy*digits.Side+sx]
			}
		}
	}
}

// stream is the splitmix64 generator (Steele, Lea, Flood, OOPSLA 2014).
type stream uint64

func (s *stream) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below draws an integer from 0 to n-1.
func (s *stream) below(n int) int { return int(s.next() >> 33 % uint64(n)) }

// uniform draws from (-1, 1).
func (s *stream) uniform() float64 { return float64(s.next()>>11)/(1<<52) - 1 }

// shuffle permutes (Fisher, Yates).
func (s *stream) shuffle(v []int) {
	for i := len(v) - 1; i > 0; i-- {
		j := s.below(i + 1)
		v[i], v[j] = v[j], v[i]
	}
}
