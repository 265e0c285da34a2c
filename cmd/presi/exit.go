package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// What an error means for whoever started the program, by errors.Is.
var (
	errInput       = errors.New("bad input")
	errPoints      = errors.New("some points failed")
	errInterrupted = errors.New("interrupted")
)

// exit is what the program ends with after an error.
type exit struct {
	err  error
	code int
	text string
}

// exits is the table of exit codes: the first row that an error matches counts.
// The last is for all others.
var exits = []exit{
	{nil, 0, "fine"},
	{errInput, 2, "a mistake in flags, a configuration, a workload or a sweep file"},
	{errPoints, 3, "some points of a sweep, or rows of a batch, failed"},
	{errInterrupted, 130, "interrupted; what was finished is printed"},
	{errAny{}, 1, "the run failed, --verify found a layer outside its tolerance, validate a target that is missed, or conform a statement that is not met"},
}

// errAny is like every error.
type errAny struct{}

func (errAny) Error() string { return "" }

// exitCode looks an error up.
func exitCode(err error) int {
	for _, e := range exits {
		if _, any := e.err.(errAny); any || errors.Is(err, e.err) {
			return e.code
		}
	}
	panic("presi: the table of exit codes has no last row")
}

// exitText is the table for the help.
func exitText() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	byCode := slices.Clone(exits)
	slices.SortFunc(byCode, func(a, b exit) int { return a.code - b.code })
	for _, e := range byCode {
		fmt.Fprintf(&b, "  %3d  %s\n", e.code, e.text)
	}
	return b.String()
}

// inputError marks mistakes of the user's; each has its line.
type inputError struct{ error }

func (e inputError) Unwrap() error        { return e.error }
func (e inputError) Is(target error) bool { return target == errInput }

// input joins mistakes, nil if there are none.
func input(errs ...error) error {
	if err := errors.Join(errs...); err != nil {
		return inputError{err}
	}
	return nil
}

// inputf is one mistake.
func inputf(format string, args ...any) error { return inputError{fmt.Errorf(format, args...)} }
