package lab

import (
	"fmt"
	"math"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/queue"
	"github.com/presi-sim/presi/sim"
)

// Stage is one part of a job's way from the program to the device and back.
type Stage struct {
	Name string   `json:"name"`
	Time sim.Time `json:"time_ps"`
}

// NoOpLatency runs a job that does nothing on an idle machine and returns where
// its time goes; the stages add up to the whole.
func NoOpLatency(cfg *configs.Config) ([]Stage, error) {
	s := NewSystem(cfg, nil, 0, false)
	var rec queue.Record
	s.Device.Queues().Observe = func(r *queue.Record) { rec = *r }
	var called, returned, woken sim.Time
	err := s.Run("no-op", func() error {
		d, err := s.Probe(nil)
		if err != nil {
			return err
		}
		var arena fw.Arena
		f, err := s.Class.Open(d.Minor, &arena)
		if err != nil {
			return err
		}
		dev, err := rt.Open(rt.Local(f, &arena))
		if err != nil {
			return err
		}
		q, err := dev.NewQueue(rt.Compute, rt.PriorityNormal, 0)
		if err != nil {
			return err
		}
		for range 2 { // the first one warms TLBs and makes the command buffer
			c := q.Commands()
			c.Nop()
			called = s.Engine.Now()
			t, err := q.Submit(&rt.Job{Commands: c})
			if err != nil {
				return err
			}
			returned = s.Engine.Now()
			if err := dev.Wait(math.MaxInt64, t.Point); err != nil {
				return err
			}
			woken = s.Engine.Now()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var stages []Stage
	at := called
	for _, p := range []struct {
		name string
		end  sim.Time
	}{
		{"ioctl and scheduling", returned},
		{"doorbell over the link", rec.Doorbell},
		{"ring entry fetched", rec.Fetched},
		{"commands fetched", rec.Ready},
		{"queue's turn", rec.Started},
		{"packet executed", rec.Ended},
		{"completion handed to the link", rec.Posted},
		{"completion, interrupt, handler, wake-up", woken},
	} {
		end := max(p.end, at) // the doorbell is rung while the ioctl returns
		stages = append(stages, Stage{p.name, end - at})
		at = end
	}
	return stages, nil
}

// String is the stage as a line of a table.
func (s Stage) String() string { return fmt.Sprintf("%-40s %s", s.Name, duration(s.Time)) }
