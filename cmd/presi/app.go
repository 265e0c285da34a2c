package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// app is one call of the program.
type app struct {
	out, err io.Writer
	terminal bool // err is shown to somebody as it is written

	args     []string
	mistakes []error // in the values of flags
}

// execute runs a command line and returns the exit code.
func (a *app) execute(ctx context.Context, args []string) (code int) {
	a.args = args
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(a.err, "presi: a defect of presi, not of your input: %v\n\n%s", v, debug.Stack())
			code = exitCode(errAny{})
		}
	}()
	root := a.root()
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	a.report(err)
	return exitCode(err)
}

// report prints an error. Mistakes in input have their place in front, which
// editors follow, so they stand alone.
func (a *app) report(err error) {
	switch {
	case err == nil:
	case errors.Is(err, errInput):
		fmt.Fprintln(a.err, err)
	default:
		fmt.Fprintln(a.err, "presi:", err)
	}
}

func (a *app) root() *cobra.Command {
	root := a.group("presi", "run networks on a simulated accelerator",
		a.runCommand(), a.sweepCommand(), a.configCommand(), a.workloadCommand(), a.latencyCommand(), a.regsCommand(),
		a.memCommand(), a.pcieCommand(), a.iommuCommand(), a.arrayCommand(), a.gemmCommand(), a.validateCommand(),
		a.conformCommand())
	root.Long = `presi runs networks, through a driver, on a simulated PCIe accelerator, and says
how long they took and what bounded them.

` + exitText()
	root.Example = `  presi run                                        handwritten digits on the edge machine
  presi run -c datacenter -w resnet50 --timing-only
  presi run -w gemm:512x512x512 --set dram.channels=1 --set dram.size=2GiB
  presi sweep arrays.toml`
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(a.flagError)
	root.SetHelpCommand(helpCommand())
	return root
}

// group is a command that has others and does nothing itself.
func (a *app) group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, SuggestionsMinimumDistance: 2, DisableFlagsInUseLine: true}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return c.Help()
		}
		return unknownCommand(c, args[0])
	}
	c.AddCommand(commands...)
	return c
}

// helpCommand shows the help of the command that its arguments name.
func helpCommand() *cobra.Command {
	return &cobra.Command{Use: "help [COMMAND]", Short: "print the help of a command", Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			at := c.Root()
			for _, word := range args {
				i := slices.IndexFunc(at.Commands(), func(sub *cobra.Command) bool { return sub.Name() == word })
				if i < 0 {
					return unknownCommand(at, word)
				}
				at = at.Commands()[i]
			}
			return at.Help()
		}}
}

// command finishes a command that does something.
func (a *app) command(c *cobra.Command, run func(c *cobra.Command, args []string) error) *cobra.Command {
	if c.Args == nil {
		c.Args = noArguments
	}
	c.RunE = run
	c.DisableFlagsInUseLine = true
	return c
}

// build is the version, and of a program that no version stands for what it is made of.
func build() string {
	v := version()
	if v != "(devel)" && !strings.HasSuffix(v, "+dirty") {
		return v
	}
	path, err := os.Executable()
	if err != nil {
		return v
	}
	f, err := os.Open(path)
	if err != nil {
		return v
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return v
	}
	return v + " " + hex.EncodeToString(h.Sum(nil)[:8])
}

// version is what the build says of itself.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
