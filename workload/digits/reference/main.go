// Command reference classifies the held-out images with the trained weights in
// float64 plain loops and writes one line an image: index, label, class and the
// margin of its logit over the second.
//
//	go run ./workload/digits/reference
//
// It is the independent answer that a device's predictions are held against:
// it shares no code with the kernels of the simulator, with the graph, or with
// the training program; only images and weights are the same.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/presi-sim/presi/workload/digits"
)

func main() {
	out := flag.String("o", filepath.FromSlash("workload/digits/data/predictions.csv"), "file to write")
	flag.Parse()
	var text bytes.Buffer
	predict(&text)
	if err := os.WriteFile(*out, text.Bytes(), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// predict writes the whole file.
func predict(w io.Writer) {
	m := newModel()
	test := digits.Test()
	fmt.Fprintln(w, "image,label,class,margin")
	for i := range test.Len() {
		class, margin := best(m.logits(test.Image(i)))
		fmt.Fprintf(w, "%d,%d,%d,%.6f\n", i, test.Labels[i], class, margin)
	}
}

// best is the index of the largest value and its distance to the second.
func best(v []float64) (int, float64) {
	first := 0
	for i := range v {
		if v[i] > v[first] {
			first = i
		}
	}
	margin := 0.0
	for i := range v {
		if d := v[first] - v[i]; i != first && (margin == 0 || d < margin) {
			margin = d
		}
	}
	return first, margin
}

// model holds the weights in float64.
type model struct{ conv1w, conv1b, conv2w, conv2b, fc1w, fc1b, fc2w, fc2b []float64 }

func newModel() model {
	return model{
		conv1w: widen("conv1.weight"), conv1b: widen("conv1.bias"),
		conv2w: widen("conv2.weight"), conv2b: widen("conv2.bias"),
		fc1w: widen("fc1.weight"), fc1b: widen("fc1.bias"),
		fc2w: widen("fc2.weight"), fc2b: widen("fc2.bias"),
	}
}

func widen(name string) []float64 {
	values, ok := digits.Weights(name)
	if !ok {
		panic("reference: no weights " + name)
	}
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// logits runs the network on one image.
func (m model) logits(pixels []float32) []float64 {
	image := make([]float64, len(pixels))
	for i, p := range pixels {
		image[i] = float64(p)
	}
	x := convolve(image, m.conv1w, m.conv1b, 8, 1, 16)
	x = convolve(x, m.conv2w, m.conv2b, 8, 16, 32)
	x = maxPool(x, 8, 32)
	x = connect(x, m.fc1w, m.fc1b)
	for i := range x {
		if x[i] < 0 {
			x[i] = 0
		}
	}
	return connect(x, m.fc2w, m.fc2b)
}

// convolve is a 3×3 convolution with padding 1 and a ReLU: image
// [side, side, in], weights [3, 3, in, out].
func convolve(image, weight, bias []float64, side, in, out int) []float64 {
	result := make([]float64, side*side*out)
	for y := 0; y < side; y++ {
		for x := 0; x < side; x++ {
			for k := 0; k < out; k++ {
				sum := bias[k]
				for r := 0; r < 3; r++ {
					for s := 0; s < 3; s++ {
						iy, ix := y+r-1, x+s-1
						if iy < 0 || iy >= side || ix < 0 || ix >= side {
							continue
						}
						for c := 0; c < in; c++ {
							sum += image[(iy*side+ix)*in+c] * weight[((r*3+s)*in+c)*out+k]
						}
					}
				}
				if sum < 0 {
					sum = 0
				}
				result[(y*side+x)*out+k] = sum
			}
		}
	}
	return result
}

// maxPool takes the largest of each 2×2 window.
func maxPool(image []float64, side, channels int) []float64 {
	half := side / 2
	result := make([]float64, half*half*channels)
	for y := 0; y < half; y++ {
		for x := 0; x < half; x++ {
			for c := 0; c < channels; c++ {
				top := image[(2*y*side+2*x)*channels+c]
				for _, at := range []int{2*y*side + 2*x + 1, (2*y+1)*side + 2*x, (2*y+1)*side + 2*x + 1} {
					if v := image[at*channels+c]; v > top {
						top = v
					}
				}
				result[(y*half+x)*channels+c] = top
			}
		}
	}
	return result
}

// connect is a fully connected layer: weights [in, out].
func connect(x, weight, bias []float64) []float64 {
	out := len(bias)
	result := make([]float64, out)
	for k := 0; k < out; k++ {
		sum := bias[k]
		for i := range x {
			sum += x[i] * weight[i*out+k]
		}
		result[k] = sum
	}
	return result
}
