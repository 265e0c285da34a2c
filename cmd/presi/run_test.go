package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/lab"
)

const gemm = "run -c tiny -w gemm:64x64x64 "

// report parses --json.
func report(t *testing.T, c call) map[string]any {
	t.Helper()
	require.Equal(t, 0, c.code, c.err)
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(c.out), &m), c.out)
	return m
}

func TestRunPrintsATableAndTotals(t *testing.T) {
	got := in(t, gemm)
	require.Equal(t, 0, got.code, got.err)
	assert.Empty(t, got.err)
	for _, want := range []string{"layer", "gemm     gemm  64x64x64", "bound by", "machine", "tiny"} {
		assert.Contains(t, got.out, want)
	}
}

func TestRunWithoutFlagsClassifiesDigits(t *testing.T) {
	m := report(t, in(t, "run --json"))
	assert.Equal(t, "edge", m["machine"])
	assert.Equal(t, "digits", m["workload"])
	assert.EqualValues(t, 36, m["batch"])
	assert.EqualValues(t, 10, m["inferences"])
	assert.GreaterOrEqual(t, m["accuracy"], 0.95)
	assert.Equal(t, m["reference_accuracy"], m["accuracy"])
}

func TestRunJSON(t *testing.T) {
	m := report(t, in(t, gemm+"--json --verify --dtype int8 --set core.count=1"))
	for _, name := range []string{"machine", "workload", "sim_time_ps", "cycles", "macs", "host_seconds", "verified", "bound_by", "layers"} {
		assert.Contains(t, m, name)
	}
	assert.Equal(t, true, m["verified"])
	assert.Equal(t, "int8", m["dtype"])
	layer := m["layers"].([]any)[1].(map[string]any)
	for _, name := range []string{"name", "op", "cycles", "array_util", "bytes", "bound_by"} {
		assert.Contains(t, layer, name)
	}
}

func TestFlagsReachTheRun(t *testing.T) {
	base := report(t, in(t, gemm+"--json"))
	timing := report(t, in(t, gemm+"--json --timing-only --workers 1"))
	assert.Equal(t, base["sim_time_ps"], timing["sim_time_ps"], "values cost no simulated time")
	twice := report(t, in(t, gemm+"--json --batch 2"))
	assert.Equal(t, 2*base["macs"].(float64), twice["macs"])
	slower := report(t, in(t, gemm+"--json --set core.clock=250MHz"))
	assert.NotEqual(t, base["sim_time_ps"], slower["sim_time_ps"])
}

func TestTraces(t *testing.T) {
	dir := t.TempDir()
	perfetto, text := filepath.Join(dir, "t.json"), filepath.Join(dir, "t.txt")
	traced := report(t, in(t, gemm+"--json --trace "+perfetto+" --trace-text "+text))
	assert.Equal(t, report(t, in(t, gemm+"--json"))["sim_time_ps"], traced["sim_time_ps"], "nor do traces")
	var trace struct{ TraceEvents []map[string]any }
	b, err := os.ReadFile(perfetto)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &trace))
	assert.NotEmpty(t, trace.TraceEvents)
	b, err = os.ReadFile(text)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(b), "# start_ps\tend_ps\t"))
}

// A trace as text goes to standard output, whole, and the report behind it.
func TestTraceToStandardOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "t.txt")
	report(t, in(t, gemm+"--timing-only --json --trace-text "+file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	got := in(t, gemm+"--timing-only --json --trace-text -")
	require.Equal(t, 0, got.code, got.err)
	rest, ok := strings.CutPrefix(got.out, string(text))
	require.True(t, ok)
	assert.Len(t, objects(t, rest), 1)
	assert.NoFileExists(t, "-")
	got = in(t, gemm+"--trace -")
	assert.Equal(t, call{"", "--trace -: the report goes to standard output; want a file\n", 2}, got)
}

// A batch of nothing is no batch; left out it is the workload's own.
func TestBatchOfNothing(t *testing.T) {
	for _, line := range []string{gemm + "--batch 0", "workload show digits --batch 0"} {
		assert.Equal(t, call{"", "--batch 0: want a whole number from 1 to 2147483647\n", 2}, in(t, line), line)
	}
}

func TestInterruptedRunPrintsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	trace := filepath.Join(t.TempDir(), "t.json")
	got := presi(ctx, append(strings.Fields(gemm), "--json", "--trace", trace)...)
	assert.Equal(t, 130, got.code)
	assert.Equal(t, "presi: interrupted\n", got.err)
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.out), &m), got.out)
	assert.Equal(t, true, m["interrupted"])
	assert.Equal(t, []any{}, m["layers"])
	assert.NotContains(t, m, "bound_by")
	assert.NoFileExists(t, trace, "a trace that was not written leaves no file")
	got = presi(ctx, strings.Fields(gemm)...)
	assert.Equal(t, call{"interrupted during set-up: no layer has finished\n", "presi: interrupted\n", 130}, got)
}

func TestFailedRun(t *testing.T) {
	got := in(t, "run -c tiny -w gemm:16x16x16 --fault kind=boot-hang --timing-only")
	assert.Equal(t, 1, got.code)
	assert.Empty(t, got.out)
	assert.True(t, strings.HasPrefix(got.err, "presi: "), got.err)
}

// A workload that does not fit is a mistake of input, in words of input.
func TestWorkloadsThatDoNotFit(t *testing.T) {
	for line, want := range map[string]string{
		"run -c tiny -w resnet50 --batch 4 --timing-only":                                                                      `^tensors and weights need [\d.]+ MiB, tiny has 64 MiB of device memory \(dram\.size\): want less work at once, such as a smaller batch, or a larger dram\.size\n$`,
		"run -c tiny -w gemm:4096x4096x2048 --timing-only --set host.memory=64MiB --set dram.channels=64 --set dram.size=1GiB": `^tensors and weights need [\d.]+ MiB, tiny has 64 MiB of host memory \(host\.memory\): `,
	} {
		got := in(t, line)
		assert.Equal(t, 2, got.code, line)
		assert.Regexp(t, want, got.err)
	}
}

func TestOutcomeOfARun(t *testing.T) {
	yes, no := true, false
	assert.NoError(t, outcome(&lab.Report{}, nil))
	assert.NoError(t, outcome(&lab.Report{Verified: &yes}, nil))
	assert.EqualError(t, outcome(&lab.Report{Verified: &no, VerifyFailures: []string{"a", "b"}}, nil), "--verify: 2 layers outside their tolerance")
	broken := errors.New("broken")
	assert.Equal(t, broken, outcome(nil, broken))
	assert.Equal(t, 130, exitCode(outcome(nil, lab.ErrInterrupted)))
}

func TestVerboseRunPrintsTheDriversMessages(t *testing.T) {
	var stderr bytes.Buffer
	a := &app{err: &stderr}
	zero, text := uint64(0), ""
	f := &runFlags{machine: machineFlags{name: "tiny"}, workload: workloadFlags{&zero, &text}, name: "gemm:8x8x8", workers: &zero, seed: &zero}
	o, err := f.options(a)
	require.NoError(t, err)
	assert.Nil(t, o.Log)
	f.verbose = true
	o, err = f.options(a)
	require.NoError(t, err)
	o.Log("queue %d is full", 3)
	assert.Equal(t, "queue 3 is full\n", stderr.String())
	assert.Equal(t, 0, in(t, gemm+"--timing-only -v").code)
}

// A run that is interrupted in its middle ends soon, wherever that was.
func TestRunInterruptedOnItsWay(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	got := presi(ctx, strings.Fields("run -c tiny -w gemm:2048x2048x2048 --batch 4 --dtype int8 --json --timing-only")...)
	require.Equal(t, 130, got.code, got.err)
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.out), &m), got.out)
	assert.Equal(t, true, m["interrupted"])
}

// Faults of the command line happen, and the report says how often.
func TestFaultsOfARun(t *testing.T) {
	m := report(t, in(t, gemm+"--json --timing-only --fault kind=ecc-corrected,count=2,times=3 --fault kind=engine-hang,count=1000"))
	faults := m["faults"].([]any)
	require.Len(t, faults, 2)
	assert.Equal(t, map[string]any{"kind": "ecc-corrected", "struck": 3.0, "seen": 4.0}, faults[0])
	never := faults[1].(map[string]any)
	assert.EqualValues(t, 0, never["struck"])
	assert.Positive(t, never["seen"])
	assert.NotContains(t, report(t, in(t, gemm+"--json --timing-only")), "faults")

	got := in(t, gemm+"--timing-only --fault kind=ecc-corrected --fault kind=parity,count=1000000")
	assert.Regexp(t, `(?m)^faults +ecc-corrected: struck 1 time\(s\) of 1 chances\n +parity: struck 0 time\(s\) of \d+ chances$`, got.out)
	assert.NotContains(t, in(t, gemm+"--timing-only").out, "faults")

	got = in(t, gemm+"--timing-only --fault kind=bad-opcode,count=3")
	assert.Equal(t, 1, got.code)
	assert.Equal(t, "presi: layer gemm (job 3): undefined opcode at command offset 0 (EINVAL)\n", got.err)
	got = in(t, gemm+"--fault kind=dma-eror --fault count --batch x")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, `--fault kind=dma-eror: kind = "dma-eror": want one of all-ones`)
	assert.Contains(t, got.err, "--fault count: want key=value,…, such as kind=dma-error,count=3")
	assert.Contains(t, got.err, "--batch x")
}
