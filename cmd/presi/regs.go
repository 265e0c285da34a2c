package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
)

// regsFormats are the forms the register tables can be printed in.
var regsFormats = map[string]func(io.Writer, []reg.Table) error{
	"md":   reg.Markdown,
	"json": reg.JSON,
	"c": func(w io.Writer, tables []reg.Table) error {
		return reg.CHeader(w, "PRESI_REGS_H", "presi", tables)
	},
}

func (a *app) regsCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "regs [--format md|c|json]",
		Short: "print the device's registers: a manual, a C header or JSON",
	}
	format := a.choiceFlag(c, "format", "md", "Markdown manual, C header or JSON", "md", "c", "json")
	return a.command(c, func(*cobra.Command, []string) error {
		if err := input(a.mistakes...); err != nil {
			return err
		}
		return regsFormats[format.value](a.out, abi.Tables)
	})
}
