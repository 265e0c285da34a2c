package docs_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/kern"
	"github.com/presi-sim/presi/lab"
	"github.com/presi-sim/presi/workload"
)

// The functions below are the Go code of the guides; TestGuidesShowTheseExamples
// finds each block of a guide in a file like this one.

// double computes 2·x on the device: a program of the runtime.
func double(dev *rt.Device, x []float32) ([]float32, error) {
	n := len(x)
	in, err := dev.NewBuffer(int64(4*n), abi.BOHost)
	if err != nil {
		return nil, err
	}
	out, err := dev.NewBuffer(int64(4*n), abi.BOHost)
	if err != nil {
		return nil, err
	}
	bytes := make([]byte, 4*n)
	for i, v := range x {
		binary.LittleEndian.PutUint32(bytes[4*i:], math.Float32bits(v))
	}
	if _, err := in.WriteAt(bytes, 0); err != nil {
		return nil, err
	}

	queue, err := dev.NewQueue(rt.Compute, rt.PriorityNormal, 0)
	if err != nil {
		return nil, err
	}
	a, c := rt.Matrix(in.Addr, abi.F32, n), rt.Matrix(out.Addr, abi.F32, n)
	kernels, err := dev.Library(rt.Options{}).Vector(&rt.Vector{Op: abi.VecAdd, Rows: 1, Cols: n, X: a, Y: a, Out: c})
	if err != nil {
		return nil, err
	}
	commands := queue.Commands()
	commands.Kernels(kernels, 0)
	job, err := queue.Submit(&rt.Job{Commands: commands, Buffers: []*rt.Buffer{in, out}})
	if err != nil {
		return nil, err
	}
	if err := queue.Wait(job, rt.Forever); err != nil {
		return nil, err
	}

	if _, err := out.ReadAt(bytes, 0); err != nil {
		return nil, err
	}
	y := make([]float32, n)
	for i := range y {
		y[i] = math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*i:]))
	}
	return y, nil
}

func TestProgramOfTheRuntime(t *testing.T) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	pool := kern.NewPool(1)
	defer pool.Close()
	s := lab.NewSystem(cfg, pool, 1, false)
	var y []float32
	err = s.Run("program", func() error {
		driver, err := s.Probe(t.Logf)
		if err != nil {
			return err
		}
		var arena fw.Arena // the program's memory, as ioctls see it
		file, err := s.Class.Open(driver.Minor, &arena)
		if err != nil {
			return err
		}
		dev, err := rt.Open(rt.Local(file, &arena))
		if err != nil {
			return err
		}
		y, err = double(dev, []float32{1, 2, 3, 1000})
		return errors.Join(err, dev.Close())
	})
	require.NoError(t, err)
	require.Equal(t, []float32{2, 4, 6, 2000}, y)
}

// fasterMemory asks how much shorter a layer takes with twice the channels.
func fasterMemory(ctx context.Context) (ratio float64, err error) {
	layer, err := workload.Load("gemm:256x1024x1024", workload.Options{})
	if err != nil {
		return 0, err
	}
	var seconds [2]float64
	for i, channels := range []string{"dram.channels=2", "dram.channels=4"} {
		machine, err := configs.Machine("edge", channels)
		if err != nil {
			return 0, err
		}
		report, err := lab.Run(ctx, lab.Options{Machine: machine, Graph: layer, TimingOnly: true})
		if err != nil {
			return 0, err
		}
		seconds[i] = report.SimTime.Seconds()
	}
	return seconds[0] / seconds[1], nil
}

func TestFasterMemory(t *testing.T) {
	ratio, err := fasterMemory(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, ratio, 1.0)
}
