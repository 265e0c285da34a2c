package fwtest

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// Mark says where a test of the suite can run.
type Mark string

// Marks. The first two are the portable suite.
const (
	UAPI     Mark = "uapi"      // ioctls, files, sysfs, debugfs, fdinfo: anywhere
	HostSide Mark = "host"      // unbind, unplug, reset, faults by the host's own means
	WhiteBox Mark = "white-box" // inside the framework's process only
)

// Test is one test of the suite.
type Test struct {
	Name string // S07_ShortStructIsZeroExtended
	Mark Mark
	Run  func(c *Case)
}

// Statement is one of the thirty that a compliant framework and driver meet.
type Statement struct {
	Number int
	Name   string // what it says, in short
	Tests  []Test
}

// Case is a test that runs, on a system of its own. Its Run is a process of that
// system.
type Case struct {
	TB
	System
	// Dev is the system in-process, nil elsewhere.
	Dev *Device
}

// Opener makes a system with the driver bound: the suite makes one a test.
type Opener func(t TB) System

// caseLimit bounds a test, in simulated time: beyond it something hangs.
const caseLimit = 600e9 // ns

// Execute runs a test; false means that this system cannot.
func (x *Test) Execute(t TB, open Opener) bool {
	s := open(t)
	c := &Case{TB: t, System: s}
	if in, ok := s.(*inProcess); ok {
		c.Dev = in.Device
	} else if x.Mark == WhiteBox {
		return false
	}
	s.RunTest(caseLimit, func() { x.Run(c) })
	return true
}

// Run holds a driver to every statement. open makes a system with it bound.
// Under go test each test is a subtest.
func Run(t TB, open Opener) {
	for _, s := range Statements {
		for _, x := range s.Tests {
			if g, ok := t.(*testing.T); ok {
				g.Run(x.Name, func(t *testing.T) {
					if !x.Execute(t, open) {
						t.Skip("white-box: this system is in another process")
					}
				})
				continue
			}
			if r := Execute(x.Name, func(t TB) { x.Execute(t, open) }); r.Failed {
				t.Errorf("%s failed:\n%s", x.Name, strings.Join(r.Log, "\n"))
			}
		}
	}
}

// Result is how a test ended.
type Result struct {
	Failed bool
	Log    []string
}

// Execute runs a test outside go test.
func Execute(name string, fn func(t TB)) Result {
	t := &plain{}
	t.guard(name, func() { fn(t) })
	for i := len(t.cleanups) - 1; i >= 0; i-- {
		t.guard(name, t.cleanups[i])
	}
	return t.Result
}

// plain is a TB without go test.
type plain struct {
	Result
	cleanups []func()
}

// guard runs fn in a goroutine that FailNow ends, as go test does.
func (t *plain) guard(name string, fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				t.Errorf("%s: panic: %v\n%s", name, v, debug.Stack())
			}
		}()
		fn()
	}()
	<-done
}

func (t *plain) Helper()          {}
func (t *plain) Failed() bool     { return t.Result.Failed }
func (t *plain) FailNow()         { t.Result.Failed = true; runtime.Goexit() }
func (t *plain) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }
func (t *plain) Logf(format string, args ...any) {
	t.Log = append(t.Log, fmt.Sprintf(format, args...))
}
func (t *plain) Errorf(format string, args ...any) {
	t.Result.Failed = true
	t.Log = append(t.Log, brief(fmt.Sprintf(format, args...)))
}

// brief leaves the places in source files out of an assertion's text.
func brief(text string) string {
	var out []string
	trace := false
	for _, line := range strings.Split(text, "\n") {
		key := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(key, "Error Trace:"):
			trace = true
		case strings.HasPrefix(key, "Error:"):
			trace = false
		}
		if !trace && key != "" {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// Outcomes of a statement or a cell.
const (
	Pass    = "pass"
	Fail    = "fail"
	Skipped = "skipped" // a statement with white-box tests alone, elsewhere; a fault without a chance
)

// StatementReport is the outcome of one statement.
type StatementReport struct {
	Number int      `json:"number"`
	Name   string   `json:"name"`
	Status string   `json:"status"`
	Tests  int      `json:"tests"`
	Failed []string `json:"failed_tests,omitempty"`
	Log    []string `json:"log,omitempty"`
}

// Report is the outcome of the suite, as far as it came.
type Report struct {
	Statements []StatementReport `json:"statements"`
	Faults     []CellReport      `json:"faults"`
	Passed     int               `json:"passed"`
	Failed     int               `json:"failed"`
	Skipped    int               `json:"skipped"`
}

func (r *Report) count(status string) {
	switch status {
	case Pass:
		r.Passed++
	case Fail:
		r.Failed++
	case Skipped:
		r.Skipped++
	}
}

// Conform runs statements, all or one, and behind all of them the matrix of
// faults, until it is done or ctx is. progress may be nil.
func Conform(ctx context.Context, open Opener, only int, progress func(done, total int)) (r Report) {
	r.Statements, r.Faults = []StatementReport{}, []CellReport{}
	total, done := len(Statements), 0
	cells := Cells()
	if only == 0 {
		total += len(cells)
	} else {
		total, cells = 1, nil
	}
	step := func() {
		if done++; progress != nil {
			progress(done, total)
		}
	}
	for _, s := range Statements {
		if ctx.Err() != nil {
			return r
		}
		if only != 0 && s.Number != only {
			continue
		}
		x := s.conform(open)
		r.Statements = append(r.Statements, x)
		r.count(x.Status)
		step()
	}
	for _, c := range cells {
		if ctx.Err() != nil {
			return r
		}
		x := c.conform(open)
		r.Faults = append(r.Faults, x)
		r.count(x.Status)
		step()
	}
	return r
}

func (s *Statement) conform(open Opener) StatementReport {
	out := StatementReport{Number: s.Number, Name: s.Name, Status: Skipped}
	for _, x := range s.Tests {
		ran := false
		r := Execute(x.Name, func(t TB) { ran = true; ran = x.Execute(t, open) })
		switch {
		case r.Failed:
			out.Status = Fail
			out.Failed = append(out.Failed, x.Name)
			out.Log = append(out.Log, r.Log...)
		case ran && out.Status == Skipped:
			out.Status = Pass
		}
		if ran {
			out.Tests++
		}
	}
	return out
}
