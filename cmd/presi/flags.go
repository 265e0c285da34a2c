package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// choice is a flag with a few words to choose from. A wrong one is remembered
// and reported with all other mistakes.
type choice struct {
	value string
	words []string
	name  string
	app   *app
	also  map[string]string // what others call one of words
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }
func (c *choice) Set(s string) error {
	if other, ok := c.also[s]; ok {
		s = other
	}
	if !slices.Contains(c.words, s) {
		c.app.mistake("--%s %s: want %s", c.name, s, orList(c.words))
	}
	c.value = s
	return nil
}

func (a *app) choiceFlag(c *cobra.Command, name, value, usage string, words ...string) *choice {
	v := &choice{value: value, words: words, name: name, app: a}
	c.Flags().Var(v, name, usage)
	return v
}

// path is a flag with the name of a file or a folder.
type path struct {
	value *string
	name  string
	app   *app
}

func (p *path) String() string { return *p.value }
func (p *path) Type() string   { return "PATH" }
func (p *path) Set(s string) error {
	if s == "" {
		p.app.mistake("--%s: the name is empty", p.name)
	}
	*p.value = s
	return nil
}

func (a *app) pathFlag(c *cobra.Command, to *string, name, short, usage string) {
	c.Flags().VarP(&path{to, name, a}, name, short, usage)
}

// number is a flag with a whole number in a range.
type number struct {
	value, low, high uint64
	name             string
	app              *app
}

func (n *number) String() string { return strconv.FormatUint(n.value, 10) }
func (n *number) Type() string   { return "N" }
func (n *number) Set(s string) error {
	v, err := strconv.ParseUint(s, 0, 64)
	if err != nil || v < n.low || v > n.high {
		n.app.mistake("--%s %s: want a whole number from %d to %d", n.name, s, n.low, n.high)
		return nil
	}
	n.value = v
	return nil
}

func (a *app) numberFlag(c *cobra.Command, name string, value, low, high uint64, usage string) *uint64 {
	v := &number{value, low, high, name, a}
	c.Flags().Var(v, name, usage)
	return &v.value
}

// without reports flags that were given and have no effect beside another.
func without(c *cobra.Command, beside string, idle ...string) error {
	var errs []error
	for _, flag := range idle {
		if c.Flags().Changed(flag) {
			errs = append(errs, fmt.Errorf("--%s: has no effect with --%s; leave one of the two out", flag, beside))
		}
	}
	return input(errs...)
}

// mistake remembers what is wrong with a flag's value.
func (a *app) mistake(format string, args ...any) {
	a.mistakes = append(a.mistakes, fmt.Errorf(format, args...))
}

// orList writes "a, b or c".
func orList(words []string) string {
	n := len(words) - 1
	if n < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

// noArguments is for commands that have flags alone.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return inputf("%s: %q is no flag, and there are no arguments besides; see %s --help", c.CommandPath(), args[0], c.CommandPath())
}

// arguments wants from low to high arguments, which are called what.
func arguments(what string, low, high int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch n := len(args); {
		case n < low:
			return inputf("%s: wants %s", c.CommandPath(), what)
		case n > high:
			return inputf("%s: %q is too many; wants %s", c.CommandPath(), args[high], what)
		}
		return nil
	}
}

// unknownCommand is the error for a word that is no command.
func unknownCommand(c *cobra.Command, word string) error {
	msg := fmt.Sprintf("%s %s: no such command; ", c.CommandPath(), word)
	if near := c.SuggestionsFor(word); len(near) > 0 {
		return inputf("%sdid you mean %s?", msg, orList(near))
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return inputf("%sthere are %s", msg, strings.Join(names, ", "))
}

// flagError makes every mistake in a command line's flags one message.
func (a *app) flagError(c *cobra.Command, err error) error {
	if args := c.Flags().Args(); len(args) > 0 && c.HasAvailableSubCommands() {
		return unknownCommand(c, args[0]) // its flags are not known either
	}
	var unknown *pflag.NotExistError
	var lacking *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	errs := a.mistakes
	switch {
	case errors.As(err, &unknown):
		errs = append(errs, unknownFlags(c, a.args, unknown)...)
	case errors.As(err, &lacking):
		value, _ := pflag.UnquoteUsage(lacking.GetFlag())
		errs = append(errs, fmt.Errorf("%s: wants a value, %s", dashed(lacking.GetSpecifiedName()), value))
	case errors.As(err, &invalid):
		errs = append(errs, fmt.Errorf("--%s=%s: want %s", invalid.GetFlag().Name, invalid.GetValue(), wanted(invalid.GetFlag())))
	default:
		errs = append(errs, err)
	}
	return input(errs...)
}

func wanted(f *pflag.Flag) string {
	if f.Value.Type() == "bool" {
		return "true or false"
	}
	return f.Value.Type()
}

// unknownFlags lists every long flag on the command line that the command does
// not have, or the short one that parsing stopped at.
func unknownFlags(c *cobra.Command, args []string, first *pflag.NotExistError) (errs []error) {
	if first.GetSpecifiedShortnames() != "" {
		return []error{fmt.Errorf("-%s: no such flag; see %s --help", first.GetSpecifiedName(), c.CommandPath())}
	}
	for _, arg := range args {
		if arg == "--" {
			break
		}
		name, isLong := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(name, "=")
		if isLong && c.Flags().Lookup(name) == nil {
			errs = append(errs, unknownFlag(c, name))
		}
	}
	return errs
}

func unknownFlag(c *cobra.Command, name string) error {
	names := &cobra.Command{SuggestionsMinimumDistance: 2} // to judge flags as commands are judged
	c.Flags().VisitAll(func(f *pflag.Flag) {
		names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	if near := names.SuggestionsFor(name); len(near) > 0 {
		for i := range near {
			near[i] = "--" + near[i]
		}
		return fmt.Errorf("--%s: no such flag; did you mean %s?", name, orList(near))
	}
	return fmt.Errorf("--%s: no such flag; see %s --help", name, c.CommandPath())
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}
