// Package digits is a data set and a small trained network for it: the 1,797
// images of handwritten digits in the test part of the UCI ML repository's
// "Optical Recognition of Handwritten Digits" (data/README.md has source and
// licence), a convolutional network trained on four fifths of them by the
// program in train, and the classes that the program in reference, float64
// plain loops and nothing else, gives for the held-out fifth.
//
// Image i of the data set is held out if i mod 5 = 0: 360 images. Functions
// that name no split mean that one.
package digits

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
)

// Geometry of an image: Side × Side pixels of one channel, in Classes classes.
const (
	Side    = 8
	Pixels  = Side * Side
	Classes = 10
)

// maxPixel is the largest value in the data; pixels are divided by it.
const maxPixel = 16

//go:embed data/digits.csv.gz
var imageFile []byte

// Split is a set of images with their labels.
type Split struct {
	Images []float32 // [n, 8, 8, 1], values 0 to 1 in sixteenths
	Labels []int     // n digits
}

// Len is the number of images.
func (s Split) Len() int { return len(s.Labels) }

// Image is the pixels of image i.
func (s Split) Image(i int) []float32 { return s.Images[i*Pixels : (i+1)*Pixels] }

var load = sync.OnceValue(func() (s struct{ train, test Split }) {
	zr, err := gzip.NewReader(bytes.NewReader(imageFile))
	must(err)
	text, err := io.ReadAll(zr)
	must(err)
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	must(err)
	for i, row := range rows {
		to := &s.train
		if i%5 == 0 {
			to = &s.test
		}
		for _, field := range row[:Pixels] {
			to.Images = append(to.Images, float32(number(field))/maxPixel)
		}
		to.Labels = append(to.Labels, int(number(row[Pixels])))
	}
	return s
})

// Training gives the four fifths that the network was trained on.
func Training() Split { return load().train }

// Test gives the held-out images.
func Test() Split { return load().test }

// Images gives the held-out images, [360, 8, 8, 1] row by row.
func Images() []float32 { return Test().Images }

// Labels gives the digits that the held-out images show.
func Labels() []int { return Test().Labels }

// number reads a number of an embedded file.
func number(field string) float64 {
	v, err := strconv.ParseFloat(field, 64)
	must(err)
	return v
}

// must stops on a fault in an embedded file: the program was built wrong.
func must(err error) {
	if err != nil {
		panic(fmt.Errorf("digits: embedded data: %w", err))
	}
}

// Layer names a trained tensor and its shape: filters [R, S, C, K], matrices
// [rows, columns], vectors [n].
type Layer struct {
	Name  string
	Shape []int
}

// Elems is the number of values.
func (l Layer) Elems() int {
	n := 1
	for _, d := range l.Shape {
		n *= d
	}
	return n
}

// Layers lists the trained tensors in the order of the weight file.
var Layers = []Layer{
	{"conv1.weight", []int{3, 3, 1, 16}}, {"conv1.bias", []int{16}},
	{"conv2.weight", []int{3, 3, 16, 32}}, {"conv2.bias", []int{32}},
	{"fc1.weight", []int{512, 64}}, {"fc1.bias", []int{64}},
	{"fc2.weight", []int{64, 10}}, {"fc2.bias", []int{10}},
}

// weightFile holds the tensors of Layers one after the other, float32
// little-endian. Every value is representable in bfloat16.
//
//go:embed data/weights.f32
var weightFile []byte

var weights = sync.OnceValue(func() map[string][]float32 {
	out := map[string][]float32{}
	rest := weightFile
	for _, l := range Layers {
		values := make([]float32, l.Elems())
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(rest[4*i:]))
		}
		out[l.Name], rest = values, rest[4*len(values):]
	}
	return out
})

// Weights gives a trained tensor by its name in Layers. The caller must not
// change it.
func Weights(name string) ([]float32, bool) {
	v, ok := weights()[name]
	return v, ok
}

// Range is what the values of an activation were over the training images.
type Range struct{ Mean, Std, Max float64 }

//go:embed data/ranges.csv
var rangeFile []byte

// Ranges gives the range of each activation by its layer's name, as the
// training program measured it: int8 scales come from these.
var Ranges = sync.OnceValue(func() map[string]Range {
	out := map[string]Range{}
	for _, row := range table(rangeFile) {
		out[row[0]] = Range{number(row[1]), number(row[2]), number(row[3])}
	}
	return out
})

// Prediction is what the reference program found for a held-out image.
type Prediction struct {
	Image  int     // index among the held-out images
	Label  int     // digit it shows
	Class  int     // digit with the largest logit
	Margin float64 // that logit less the second largest
}

//go:embed data/predictions.csv
var predictionFile []byte

// Predictions gives the stored answers of the reference program.
var Predictions = sync.OnceValue(func() []Prediction {
	var out []Prediction
	for _, row := range table(predictionFile) {
		out = append(out, Prediction{int(number(row[0])), int(number(row[1])), int(number(row[2])), number(row[3])})
	}
	return out
})

// Reference gives the stored class of each held-out image.
func Reference() []int {
	var out []int
	for _, p := range Predictions() {
		out = append(out, p.Class)
	}
	return out
}

// Accuracy is the share of classes that equal the labels.
func Accuracy(classes, labels []int) float64 {
	right := 0
	for i, c := range classes {
		if c == labels[i] {
			right++
		}
	}
	return float64(right) / float64(len(classes))
}

// table reads an embedded CSV file without its header.
func table(file []byte) [][]string {
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	must(err)
	return rows[min(1, len(rows)):]
}
