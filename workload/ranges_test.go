package workload

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestPredictedRanges runs networks in plain loops and holds every result
// against its predicted range: alive (no vanishing), not far outside (no
// explosion), and in int8 neither saturated nor drowned in rounding.
func TestPredictedRanges(t *testing.T) {
	for _, c := range []struct {
		name  string
		dtype DType
	}{
		{"resnet18,side=32", F32}, {"resnet18,side=64", I8}, {"resnet50,side=32", I8},
		{"bert-base-128,seq=4,layers=2,vocab=500", I8}, {"gpt2-decode,context=32,layers=2,vocab=500", I8},
		{"mobilenetv2,side=32", F32}, {"mobilenetv2,side=64", I8}, {"vit-b-16,grid=2,layers=2", I8},
		{"gpt2-prefill,seq=24,layers=2,vocab=500", I8}, {"dlrm" + smallTables, F32},
		{"softmax:256x64,valid=1,valid_step=1,period=64", F32}, {"gelu_tanh:64x64", I8}, {"silu:64x64", I8}, {"sigmoid:64x64", I8}, {"tanh:64x64", I8}, {"exp:64x64", I8},
		{"relu6:64x64", I8}, {"mul:64x64", I8}, {"rmsnorm:64x64", I8}, {"batchnorm:64x64", I8},
		{"reduce:64x64", I8}, {"reduce:64x64,by=mean", I8}, {"transpose:64x32", I8}, {"copy:64x32", I8},
		{"softmax:64x2048", I8}, {"gemm:32x256x32,batch=3,trans_b", I8}, {"avgpool:1x8x8x16,r=2", I8},
		{"conv:1x16x16x64,64x3x3,groups=64,pad=1", I8},
	} {
		t.Run(c.name+" "+c.dtype.String(), func(t *testing.T) {
			g := mustLoad(t, c.name, Options{DType: c.dtype})
			writers := map[TensorID]int{}
			for i := range g.Ops {
				writers[g.Ops[i].Out()]++
			}
			newMachine(g).run(func(o *Op, exact []float64) {
				checkRange(t, o, g.Tensors[o.Out()], exact, writers[o.Out()] > 1)
			})
		})
	}
}

// checkRange holds a result against its tensor's range; one of several parts of
// a tensor may be narrower.
func checkRange(t *testing.T, o *Op, out Tensor, exact []float64, part bool) {
	var squares float64
	over, zero := 0, 0
	for _, v := range exact {
		squares += v * v
		if math.Abs(v) > out.Range.Max*1.004 {
			over++
		}
		if out.DType == I8 && v != 0 && math.Abs(v) < float64(out.Scale)/2 {
			zero++
		}
	}
	n := float64(len(exact))
	rms, want := math.Sqrt(squares/n), math.Sqrt(out.Range.square())
	assert.Truef(t, (part || rms > want/2.5) && rms < want*2.5, "%s (%s): root mean square %.3g, predicted %.3g", o.Name, o.Kind, rms, want)
	assert.LessOrEqualf(t, float64(over)/n, 0.02, "%s (%s): share beyond %.3g", o.Name, o.Kind, out.Range.Max)
	assert.LessOrEqualf(t, float64(zero)/n, 0.3, "%s (%s): share rounded to zero, scale %.3g", o.Name, o.Kind, out.Scale)
}
