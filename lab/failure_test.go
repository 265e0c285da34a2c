package lab

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/workload"
)

// A failing job is reported with its layer and with what the driver said of it.
func TestFailingJobNamesItsLayer(t *testing.T) {
	for _, c := range []struct {
		spec fault.Spec
		want string
		is   unix.Errno
	}{
		{fault.Spec{Kind: "dma-error", Count: 3}, "upload of weights and caches (job 1): bus refused the access at command offset 0 (EIO)", unix.EIO},
		{fault.Spec{Kind: "bad-opcode", Count: 3}, "layer conv1 (job 3): undefined opcode at command offset 0 (EINVAL)", unix.EINVAL},
		{fault.Spec{Kind: "engine-hang", Count: 2}, "hangs: the driver reset its engine (ETIME)", unix.ETIME},
	} {
		o := options(t, "tiny", "digits", workload.Options{Batch: 36})
		o.TimingOnly, o.Log = true, nil
		o.Machine.Faults = []fault.Spec{c.spec}
		_, err := Run(context.Background(), o)
		require.ErrorIs(t, err, c.is)
		require.ErrorContains(t, err, c.want)
		var job *JobError
		require.ErrorAs(t, err, &job)
	}
}

func TestCauseOfAFailedJob(t *testing.T) {
	job := &rt.JobError{Seqno: 2, Errno: unix.EIO}
	r := &run{}
	assert.Equal(t, "input/output error", r.cause(job), "nobody said anything")
	r.traced(fw.Tracepoint{Name: "complete", Client: 1, Args: [4]uint64{1, 22, uint64(abi.StatusBadOpcode), 64}})
	r.traced(fw.Tracepoint{Name: "complete", Args: [4]uint64{1, 2, uint64(abi.StatusBadOpcode), 64}}) // the driver's own job
	r.traced(fw.Tracepoint{Name: "submit", Client: 1, Args: [4]uint64{1, 2, 512}})
	assert.Equal(t, "input/output error", r.cause(job))
	r.traced(fw.Tracepoint{Name: "complete", Client: 1, Args: [4]uint64{1, 2, uint64(abi.StatusBadOpcode), 64}})
	assert.Equal(t, abi.StatusBadOpcode.Text()+" at command offset 64", r.cause(job))
	assert.EqualError(t, &JobError{Job: 2, Cause: "even", Errno: unix.EIO}, "upload of weights and caches (job 2): even (EIO)")

	other := errors.New("other")
	assert.Equal(t, other, r.explain(other), "no job's")
	assert.NoError(t, r.explain(nil))
}

// A driver that is not told of completions finds them when its patience ends, says
// so, and the report has that time.
func TestLostInterruptsAreToldOf(t *testing.T) {
	o := options(t, "tiny", "gemm:64x64x64", workload.Options{})
	o.TimingOnly = true
	o.Machine.Faults = []fault.Spec{{Kind: "irq-lost", Times: fault.Unlimited}}
	var told []string
	o.Log = func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
	r, err := Run(context.Background(), o)
	require.NoError(t, err)
	require.NotEmpty(t, told)
	assert.Contains(t, told[0], "completions that no interrupt has told of yet")
	sum := r.WakeTime
	for _, l := range r.Layers {
		sum += l.Time
	}
	assert.Equal(t, r.SimTime, sum)
	assert.Equal(t, "queue", r.BoundBy)
	assert.Greater(t, r.WakeTime, r.SimTime/2)
}
