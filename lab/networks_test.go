package lab

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/workload"
)

// smallTables shortens the long tables of dlrm.
const smallTables = ",c2=1000,c3=1000,c6=500,c9=500,c11=1000,c15=1000,c20=1000,c23=500,c25=500"

// Every network at a size that reference loops take in a moment: each operator
// is right, in each type, and takes the same time without values.
func TestSmallNetworksVerify(t *testing.T) {
	for _, c := range []struct {
		machine, workload string
		batch             int
	}{
		{"edge", "mobilenetv2,side=64", 2},
		{"tiny", "mobilenetv2,side=32", 1},
		{"edge", "vit-b-16,grid=3,layers=2", 2},
		{"edge", "gpt2-prefill,seq=24,layers=2,vocab=500", 2},
		{"tiny", "gpt2-prefill,seq=7,layers=1,vocab=500", 1},
		{"edge", "gpt2-decode,context=24,layers=2,vocab=500", 2},
		{"edge", "bert-base-384,seq=40,layers=1,vocab=500", 1},
		{"edge", "dlrm" + smallTables, 16},
		{"tiny", "dlrm" + smallTables, 3},
	} {
		for _, dtype := range []workload.DType{workload.F32, workload.BF16, workload.I8} {
			t.Run(c.machine+"/"+c.workload+"/"+dtype.String(), func(t *testing.T) {
				verified(t, c.machine, c.workload, workload.Options{Batch: c.batch, DType: dtype})
			})
		}
	}
}

// verified runs a workload with values and without.
func verified(t *testing.T, machine, name string, w workload.Options) *Report {
	t.Helper()
	o := options(t, machine, name, w)
	o.Verify = true
	r, err := Run(context.Background(), o)
	require.NoError(t, err)
	require.True(t, *r.Verified, "%v", r.VerifyFailures)
	o.Verify, o.TimingOnly = false, true
	timing, err := Run(context.Background(), o)
	require.NoError(t, err)
	require.Equal(t, r.SimTime, timing.SimTime, "values cost no time")
	require.Equal(t, r.Bytes, timing.Bytes)
	return r
}

// A topology of SCALE-Sim runs: windows beyond the image, depthwise layers and
// products in the guise of convolutions among them.
func TestTopologyVerifies(t *testing.T) {
	for name, text := range map[string]string{
		"conv.csv": `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 24, 23, 7, 7, 3, 20, 4,
Conv2_DP, 14, 14, 3, 3, 24, 1, 2,
Conv3_DP, 9, 9, 3, 3, 8, 2, 1,
Conv4, 9, 8, 1, 1, 24, 40, 2,
FC, 12, 300, 1, 300, 1, 33, 1,
`,
		"gemm.csv": "Layer, M, N, K,\nA, 31, 47, 65,\nB, 1, 300, 40,\n",
	} {
		for _, dtype := range []workload.DType{workload.F32, workload.BF16, workload.I8} {
			t.Run(name+"/"+dtype.String(), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), name)
				require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
				for _, batch := range []int{1, 3} {
					r := verified(t, "tiny", file, workload.Options{Batch: batch, DType: dtype})
					g, err := workload.Load(file, workload.Options{Batch: batch})
					require.NoError(t, err)
					require.Equal(t, g.MACs(), r.MACs, "every multiply-accumulate of the file is done once")
				}
			})
		}
	}
}
