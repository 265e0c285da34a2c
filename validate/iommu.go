package validate

import (
	"bytes"
	"context"
	"fmt"

	"github.com/presi-sim/presi/mmu"
	"github.com/presi-sim/presi/validate/batch"
)

// scenarios are the files of recorded answers.
var scenarios = []string{"01_ddt", "02_first_stage", "03_pdt", "04_second_stage", "05_command_queue",
	"06_fault_queue", "07_ats_pri", "08_registers"}

// iommuTables replays the scenarios: one that fails is an error of 100 %.
func iommuTables(ctx context.Context, o *Options) ([]Table, error) {
	type result struct {
		passed, failed int
		first          string
		err            error
	}
	var all []*collector
	err := batch.Ordered(ctx, len(scenarios), o.Workers, func(i int) (r result) {
		name := "iommu/" + scenarios[i] + ".jsonl.gz"
		file, err := o.Refs.Open(name)
		if err != nil {
			return result{err: err}
		}
		defer file.Close()
		var out bytes.Buffer
		res, err := mmu.Replay(ctx, file, &out, mmu.ReplayOptions{})
		first, _, _ := bytes.Cut(out.Bytes(), []byte{':'})
		if err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return result{res.Passed, res.Failed, string(first), err}
	}, func(i int, r result) error {
		c := &collector{name: "IOMMU scenarios " + scenarios[i], source: "RISC-V IOMMU C model, commit 14fd391", limits: worst(0)}
		for range r.failed {
			c.err(r.first, 1)
		}
		for range r.passed {
			c.err("", 0)
		}
		all = append(all, c)
		return r.err
	})
	return tablesOf(all...), err
}
