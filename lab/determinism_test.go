package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/workload"
)

// What a run may differ in: how long the host took, and what only a run with
// values knows.
var notCompared = []string{"host_seconds", "verified", "verify_failures", "accuracy", "reference_accuracy", "same_as_reference"}

// fingerprint is a run's JSON without notCompared, and its trace as text.
func fingerprint(t *testing.T, o Options, traced bool) (report, trace string) {
	var text bytes.Buffer
	if traced {
		o.TraceText = &text
	}
	r, err := Run(context.Background(), o)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, r.WriteJSON(&b))
	var m map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &m))
	for _, k := range notCompared {
		delete(m, k)
	}
	for _, l := range m["layers"].([]any) {
		delete(l.(map[string]any), "verify_error")
	}
	out, err := json.Marshal(m)
	require.NoError(t, err)
	return string(out), text.String()
}

// The promise of the house: same configuration, workload and seed give the same
// report and the same trace, byte for byte, with any number of workers, with
// values or without, traced or not. CI runs it under the race detector too.
func TestDeterminism(t *testing.T) {
	for _, w := range []struct {
		name  string
		batch int
	}{{"digits", 90}, {"gather:512x96,n=200", 1}} {
		t.Run(w.name, func(t *testing.T) {
			o := options(t, "tiny", w.name, workload.Options{Batch: w.batch})
			o.TimingOnly = true
			wantReport, wantTrace := fingerprint(t, o, true)
			require.NotEmpty(t, wantTrace)
			untraced, _ := fingerprint(t, o, false)
			require.Equal(t, wantReport, untraced, "a trace costs no simulated time")
			o.TimingOnly = false
			for _, workers := range []int{1, 2, 7, 64} {
				t.Run(fmt.Sprintf("workers=%d", workers), func(t *testing.T) {
					o.Workers = workers
					report, trace := fingerprint(t, o, true)
					require.Equal(t, wantReport, report)
					require.True(t, wantTrace == trace, "the traces differ")
				})
			}
		})
	}
}
