package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/validate/batch"
)

const batchHelp = `

A batch is a CSV file whose first line names its columns; each row is one line and
becomes a line of JSON, in order. A row with a mistake becomes {"row": …, "error": …}, its
mistakes are printed besides, and the other rows run (exit code 3).`

func (a *app) batchFlag(c *cobra.Command, to *string, columns string) {
	a.pathFlag(c, to, "batch", "", "measure each row of `FILE`.csv with the columns "+columns)
}

// batch runs a file of rows.
func (a *app) batch(ctx context.Context, k *batch.Kind, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return input(err)
	}
	defer f.Close()
	failed, err := k.Run(ctx, file, f, a.out, 0)
	for _, e := range failed {
		fmt.Fprintln(a.err, e)
	}
	switch {
	case ctx.Err() != nil:
		return errInterrupted
	case batch.IsFile(err):
		return input(err)
	case err != nil:
		return err
	case len(failed) > 0:
		return fmt.Errorf("%s: %w: %d", file, errPoints, len(failed))
	}
	return nil
}

// wantsBatch is for commands that do batches alone.
func wantsBatch(c *cobra.Command, file string) error {
	if file != "" {
		return nil
	}
	return inputf("%s: wants --batch FILE; see %s --help", c.CommandPath(), c.CommandPath())
}
