package lab

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw/rt"
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
	messages := []string{"presi 0000:01:00.0: job 22: odd: input/output error", "presi 0000:01:00.0: job 2: even: input/output error"}
	assert.Equal(t, "even", cause(messages, job))
	assert.Equal(t, "input/output error", cause(messages[:1], job))
	assert.EqualError(t, &JobError{Job: 2, Cause: "even", Errno: unix.EIO}, "upload of weights and caches (job 2): even (EIO)")

	r := &run{}
	other := errors.New("other")
	assert.Equal(t, other, r.explain(other), "no job's")
	assert.NoError(t, r.explain(nil))
}
