package main

import (
	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/validate/batch"
)

func (a *app) pcieCommand() *cobra.Command {
	var file string
	c := a.command(&cobra.Command{
		Use:   "pcie --batch FILE",
		Short: "saturate PCIe links with the DMA engine",
		Long: `Pcie drives links with the device's DMA engine and measures the payload rate of
writes, of reads and of both at once, and the latency of one read. Tags are
unlimited unless column tags says otherwise; rtt_ns is the round trip of one
request alone; its time on the wire is its least. Further columns are ignored,
save those that look like one of these two misspelt. A line
repeats its row. Gen6 is unvalidated: there is no reference for its flits, and
its lines say "unvalidated": true.` + batchHelp,
		Example: "  presi pcie --batch links.csv",
	}, func(c *cobra.Command, _ []string) error {
		if err := wantsBatch(c, file); err != nil {
			return err
		}
		return a.batch(c.Context(), &batch.PCIe, file)
	})
	a.batchFlag(c, &file, "gen,lanes,mps,mrrs,rcb,rcb_chunks,size_B and optionally tags,rtt_ns")
	return c
}
