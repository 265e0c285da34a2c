package main

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/validate/batch"
)

// memFlags are the flags of presi mem.
type memFlags struct {
	values [4]string
	n      *uint64
	json   bool
	file   string
}

// memColumns are the flags that are a batch's columns, too.
var memColumns = [4]struct{ name, value, usage string }{
	{"device", "DDR4_3200AA", "memory device, a `PRESET` as in [dram] of a machine"},
	{"map", "robabgracoch", "address `MAP`: fields from the most to the least significant"},
	{"pattern", "seq_rd", "`PATTERN`: seq, rand, triad, stride<S> or conflict<K>, with _rd, _wr or _rw21 behind"},
	{"mode", "sat", "`MODE`: sat, mlp<K> (at most K reads outstanding; writes as they find room) or rate<P> (percent of the peak)"},
}

func (a *app) memCommand() *cobra.Command {
	f := &memFlags{}
	c := a.command(&cobra.Command{
		Use:   "mem [flags]",
		Short: "drive a memory device with traffic and measure it",
		Long: `Mem drives the controllers of device memory with a pattern of transactions and
measures bandwidth, read latency and row hits. Writes count as done when a
controller's buffer has taken them. What would so be above the peak, as few writes
would, is bounded by the time of their bursts on the busiest data bus.` + batchHelp,
		Example: `  presi mem --device HBM2_2000_8ch --map rocobabgrach --pattern rand_rw21 --mode sat -n 100000
  presi mem --batch points.csv`,
	}, func(c *cobra.Command, _ []string) error { return a.mem(c, f) })
	for i, v := range memColumns {
		c.Flags().StringVar(&f.values[i], v.name, v.value, v.usage)
	}
	n := &number{60000, 1, batch.MaxTransactions, "transactions", a}
	c.Flags().VarP(n, "transactions", "n", "transactions of the pattern")
	f.n = &n.value
	c.Flags().BoolVar(&f.json, "json", false, "print the measurement as JSON")
	a.batchFlag(c, &f.file, "device,map,pattern,mode,n")
	return c
}

func (a *app) mem(c *cobra.Command, f *memFlags) error {
	if err := input(a.mistakes...); err != nil {
		return err
	}
	if c.Flags().Changed("batch") {
		if err := without(c, "batch", "device", "map", "pattern", "mode", "transactions", "json"); err != nil {
			return err
		}
		return a.batch(c.Context(), &batch.DRAM, f.file)
	}
	values := map[string]string{"n": strconv.FormatUint(*f.n, 10)}
	for i, v := range memColumns {
		values[v.name] = f.values[i]
	}
	result, err := batch.DRAM.One(c.Context(), "--", values)
	if c.Context().Err() != nil {
		return errInterrupted
	}
	if err != nil {
		return input(err)
	}
	if f.json {
		return json.NewEncoder(a.out).Encode(result)
	}
	m := result.(batch.DRAMResult)
	_, err = fmt.Fprintf(a.out, `bandwidth     %.3f GB/s, %.1f %% of the peak
read latency  %.1f ns mean, %.1f ns median, %.1f ns at the 99th percentile
row hits      %.1f %%
`, m.BandwidthGBps, m.PctPeak, m.ReadLatMeanNs, m.ReadLatP50Ns, m.ReadLatP99Ns, 100*m.RowHitRate)
	return err
}
