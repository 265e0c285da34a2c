package main

import (
	"math"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/sweep"
	"github.com/presi-sim/presi/workload"
)

// machineFlags say on what to run.
type machineFlags struct {
	name string
	sets []string
}

func (f *machineFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.name, "config", "c", "edge", "machine: `NAME` of a shipped one (presi config list) or a TOML file")
	f.addSet(c)
}

func (f *machineFlags) addSet(c *cobra.Command) {
	c.Flags().StringArrayVar(&f.sets, "set", nil, "override a configuration value, `KEY=VALUE`; again for more")
}

func (f *machineFlags) load() (*configs.Config, error) { return configs.Machine(f.name, f.sets...) }

// workloadFlags say what to run.
type workloadFlags struct {
	batch *uint64
	dtype *string
}

func (f *workloadFlags) add(a *app, c *cobra.Command) {
	f.batch = a.numberFlag(c, "batch", 0, 1, math.MaxInt32, "images, sequences or rows at once (default: 36 of a data set's images, else 1)")
	dtype := a.choiceFlag(c, "dtype", "", "type of weights and activations (default: the workload's own)",
		workload.F32.String(), workload.BF16.String(), workload.I8.String())
	dtype.also = map[string]string{"i8": workload.I8.String()}
	f.dtype = &dtype.value
}

func (f *workloadFlags) load(name string) (*workload.Graph, error) {
	dtype, err := workload.ParseDType(*f.dtype)
	if err != nil {
		dtype = workload.DefaultDType // not given, or a mistake that is known already
	}
	return sweep.LoadWorkload(name, dtype, int(*f.batch))
}
