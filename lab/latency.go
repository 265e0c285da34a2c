package lab

import (
	"fmt"
	"math"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/queue"
	"github.com/presi-sim/presi/sim"
)

// Stage is one part of a job's way from the program to the device and back.
type Stage struct {
	Name string   `json:"name"`
	Time sim.Time `json:"time_ps"`
}

// noOp is what is seen of a job that does nothing: when the program called, got
// the call back and was woken, and the queue's record.
type noOp struct {
	called, returned, woken sim.Time
	queue.Record
}

// NoOpLatency runs a job that does nothing on an idle machine and returns where
// its time goes; the stages add up to the whole.
func NoOpLatency(cfg *configs.Config) ([]Stage, error) {
	s := NewSystem(cfg, nil, 0, false)
	defer s.Engine.Shutdown()
	var job noOp
	s.Device.Queues().Observe = func(r *queue.Record) { job.Record = *r }
	err := s.Run("no-op", func() error {
		x, err := s.Open(nil)
		if err != nil {
			return err
		}
		for range 2 { // the first one warms TLBs and makes the command buffer
			if err := job.run(s, x); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return job.stages(), nil
}

// run submits the job and waits for it.
func (j *noOp) run(s *System, x *Session) error {
	c := x.Queue.Commands()
	c.Nop()
	j.called = s.Engine.Now()
	t, err := x.Queue.Submit(&rt.Job{Commands: c})
	if err != nil {
		return err
	}
	j.returned = s.Engine.Now()
	err = x.Device.Wait(math.MaxInt64, t.Point)
	j.woken = s.Engine.Now()
	return err
}

// stages cuts the job's time at what was seen.
func (j *noOp) stages() (stages []Stage) {
	at := j.called
	for _, p := range []struct {
		name string
		end  sim.Time
	}{
		{"ioctl and scheduling", j.returned},
		{"doorbell over the link", j.Doorbell},
		{"ring entry fetched", j.Fetched},
		{"commands fetched", j.Ready},
		{"queue's turn", j.Started},
		{"packet executed", j.Ended},
		{"completion handed to the link", j.Posted},
		{"completion, interrupt, handler, wake-up", j.woken},
	} {
		end := max(p.end, at) // the doorbell is rung while the ioctl returns
		stages = append(stages, Stage{p.name, end - at})
		at = end
	}
	return stages
}

// String is the stage as a line of a table.
func (s Stage) String() string { return fmt.Sprintf("%-40s %s", s.Name, duration(s.Time)) }
