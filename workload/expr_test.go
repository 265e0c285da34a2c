package workload

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestEval(t *testing.T) {
	e := env{"batch": 2, "seq": 128, "w_2": 7}
	for text, want := range map[string]int{
		"3": 3, "$batch": 2, "4*$seq": 512, "$seq*$batch+1": 257, "1+2*3": 7, "(1+2)*3": 9,
		" ( $seq - 1 ) * 768 ": 127 * 768, "12/4/3": 1, "$w_2": 7, "10-3-2": 5,
	} {
		got, err := e.eval(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"": "missing", "x": "missing", "3 4": `unexpected "4"`, "(3": "a ) is missing", "$heads": "$heads is not set (set are $batch, $seq, $w_2)",
		"7/2": "7/2 is not exact", "1/0": "1/0 is not exact", "1073741824*2": "out of range", "-3": "missing", "2*": "missing",
		strings.Repeat("(", 40) + "1": "nested parentheses",
	} {
		_, err := e.eval(text)
		assert.ErrorContains(t, err, want, text)
	}
}

// TestEvalAgreesWithGo compares with the same arithmetic in Go.
func TestEvalAgreesWithGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 1000)
		a, b, c, d := n.Draw(t, "a"), n.Draw(t, "b"), n.Draw(t, "c"), n.Draw(t, "d")
		got, err := env{"a": a}.eval(fmt.Sprintf("($a+%d)*%d-%d", b, c, d))
		if want := (a+b)*c - d; err != nil || got != want {
			t.Fatalf("%d, %v; want %d", got, err, want)
		}
	})
}

func TestExpand(t *testing.T) {
	e := env{"i": 3}
	got, err := e.expand("layer$i.conv$i.$in", "in")
	assert.NoError(t, err)
	assert.Equal(t, "layer3.conv3.$in", got)
	_, err = e.expand("h$j")
	assert.ErrorContains(t, err, "$j is not set; set are $i")
}
