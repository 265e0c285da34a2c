package lab

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/workload"
)

// A copy between host and device counts its bytes once, so that its bandwidth is
// below the link's; the run's bytes are those of device memory.
func TestBytesOfCopies(t *testing.T) {
	o := options(t, "edge", "copy:1024x1024", workload.Options{})
	o.TimingOnly = true
	r, err := Run(context.Background(), o)
	require.NoError(t, err)
	const tensor = 2 << 20
	var bytes []int64
	for _, l := range r.Layers {
		bytes = append(bytes, l.Bytes)
	}
	require.Equal(t, []int64{tensor, 2 * tensor, tensor}, bytes)
	require.EqualValues(t, 4*tensor, r.Bytes)
	link := float64(o.Machine.PCIe.Lanes) * 8e9 * 128 / 130 / 8 // generation 3
	require.Equal(t, 3, o.Machine.PCIe.Generation)
	require.Less(t, r.Layers[0].Bandwidth, link)
	require.Less(t, r.Layers[2].Bandwidth, link)
	sys := NewSystem(o.Machine, nil, 0, false)
	require.NoError(t, sys.Run("program", newRun(o, sys).program))
	c := counters(sys)
	dram := c["dram.read_bytes"] + c["dram.write_bytes"]
	require.GreaterOrEqual(t, dram, r.Bytes)
	require.Less(t, dram, r.Bytes*11/10, "what else there is are tables and commands")
}

// The report of several inferences says that its lines are sums.
func TestReportOfSeveralInferences(t *testing.T) {
	for w, want := range map[string]string{
		"digits":     "a line a layer: the sum of 10 inferences, each of the shape shown\n\nlayer ",
		"gemm:8x8x8": "layer ",
	} {
		o := options(t, "tiny", w, workload.Options{Batch: 36})
		o.TimingOnly = true
		r, err := Run(context.Background(), o)
		require.NoError(t, err)
		var text bytes.Buffer
		require.NoError(t, r.WriteText(&text))
		require.Equal(t, want, text.String()[:len(want)])
	}
}

// A run can be interrupted while it makes the values of large tensors.
func TestInterruptedWhileValuesAreMade(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	o := options(t, "edge", "gemm:16384x16384x16384", workload.Options{})
	r, err := Run(ctx, o)
	require.ErrorIs(t, err, ErrInterrupted)
	require.Zero(t, r.UploadBytes, "the upload has not begun")
	require.Empty(t, r.Layers)
}
