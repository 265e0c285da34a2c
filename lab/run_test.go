package lab

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/workload"
)

func options(t testing.TB, machine, name string, w workload.Options) Options {
	cfg, err := configs.Machine(machine)
	require.NoError(t, err)
	g, err := workload.Load(name, w)
	require.NoError(t, err)
	return Options{Machine: cfg, Graph: g, Log: t.Logf}
}

// Every kind of operator, in every type, on the smallest machine: verified
// against reference loops, and in the same time without values.
func TestOperators(t *testing.T) {
	for _, w := range []string{
		"gemm:64x64x64", "gemm:37x51x29", "gemm:1x257x65", "gemm:16x24x8,batch=5",
		"conv:1x14x14x16,24x3x3,pad=1", "conv:2x9x9x8,8x3x3,stride=2", "conv:1x12x12x8,16x3x3,dilation=2,pad=2",
		"conv:1x10x10x16,16x3x3,groups=4,pad=1", "conv:1x10x10x16,16x3x3,groups=16,pad=1", "conv:1x8x8x32,8x1x1",
		"maxpool:1x12x12x8,r=3,stride=2", "avgpool:1x12x12x8,r=2,stride=2",
		"add:33x47", "mul:33x47", "relu:19x23", "relu6:19x23", "gelu:19x23", "silu:19x23", "sigmoid:19x23", "tanh:19x23", "exp:19x23",
		"softmax:17x61", "layernorm:17x64", "rmsnorm:17x64", "batchnorm:17x64", "transpose:37x53", "gather:64x48,n=21", "reduce:19x40",
	} {
		for _, dtype := range []workload.DType{workload.F32, workload.BF16, workload.I8} {
			t.Run(w+"/"+dtype.String(), func(t *testing.T) {
				o := options(t, "tiny", w, workload.Options{DType: dtype})
				o.Verify = true
				r, err := Run(context.Background(), o)
				require.NoError(t, err)
				require.True(t, *r.Verified, "%v", r.VerifyFailures)
				require.Positive(t, *r.Layers[1].VerifyError+1)

				o.Verify, o.TimingOnly = false, true
				timing, err := Run(context.Background(), o)
				require.NoError(t, err)
				require.Equal(t, r.SimTime, timing.SimTime, "values cost no time")
			})
		}
	}
}

// The shipped networks on the machine they are for: the numbers themselves are
// in golden reports; here every layer is right.
func TestNetworksVerify(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of reference loops")
	}
	for _, w := range []string{"resnet50", "bert-base-128", "gpt2-decode"} {
		t.Run(w, func(t *testing.T) {
			o := options(t, "datacenter", w, workload.Options{})
			o.Verify = true
			r, err := Run(context.Background(), o)
			require.NoError(t, err)
			require.True(t, *r.Verified, "%v", r.VerifyFailures)
			o.Verify, o.TimingOnly = false, true
			timing, err := Run(context.Background(), o)
			require.NoError(t, err)
			require.Equal(t, r.SimTime, timing.SimTime, "to the picosecond")
		})
	}
}

func TestDigitsAreClassifiedAsTheReferenceDoes(t *testing.T) {
	for _, dtype := range []workload.DType{workload.BF16, workload.F32, workload.I8} {
		o := options(t, "edge", "digits", workload.Options{Batch: 36, DType: dtype})
		r, err := Run(context.Background(), o)
		require.NoError(t, err)
		require.GreaterOrEqual(t, *r.Accuracy, 0.95)
		require.True(t, *r.SameAsReference, "image for image, as %v", dtype)
		require.Equal(t, *r.ReferenceAccuracy, *r.Accuracy)
	}
}

func TestInterruptedRunReportsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := options(t, "tiny", "digits", workload.Options{Batch: 1})
	o.Progress = func(done, total int) {
		require.Equal(t, 7*360, total)
		if done == 100 {
			cancel()
		}
	}
	r, err := Run(ctx, o)
	require.ErrorIs(t, err, ErrInterrupted)
	require.True(t, r.Interrupted)
	require.Positive(t, r.SimTime)
	require.Positive(t, r.MACs)
	require.NotEmpty(t, r.BoundBy)
	require.Len(t, r.Layers, 7)
}

// A layer that has not finished is none of the report's.
func TestInterruptedRunLeavesOutWhatHasNotFinished(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	o := options(t, "tiny", "resnet18", workload.Options{})
	o.TimingOnly = true
	o.Progress = func(done, _ int) {
		if done == 5 {
			cancel()
		}
	}
	r, err := Run(ctx, o)
	require.ErrorIs(t, err, ErrInterrupted)
	require.GreaterOrEqual(t, len(r.Layers), 5)
	require.Less(t, len(r.Layers), len(o.Graph.Ops))
	for _, l := range r.Layers {
		require.Positive(t, l.Time, l.Name)
	}
}

func TestVerifyNeedsValues(t *testing.T) {
	o := options(t, "tiny", "add:8x8", workload.Options{})
	o.Verify, o.TimingOnly = true, true
	_, err := Run(context.Background(), o)
	require.ErrorContains(t, err, "--verify")
}
