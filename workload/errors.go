package workload

import (
	"errors"
	"fmt"
	"strings"
)

// Faults that callers can test for with errors.Is.
var (
	// ErrUnsupported marks an operator this package has no kernel for.
	ErrUnsupported = errors.New("unsupported operator")
	// ErrUnknown marks a workload that is no shipped network, file or shorthand.
	ErrUnknown = errors.New("unknown workload")
)

// Error is one fault in a workload: where it is, what was found there and what
// would be right. [Load] joins all faults of a file with errors.Join.
type Error struct {
	Source string // file, network or shorthand
	Line   int    // line in the file, from 1; 0 if there is none
	Col    int    // column in a shorthand, from 1; 0 if there is none
	Name   string // operator or tensor; may be empty
	Key    string // key at fault; may be empty
	Msg    string // what was found and what would be right
	Err    error  // cause for errors.Is; may be nil
}

// Error formats the fault as file:line: name: key: message.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Source)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	if e.Col > 0 {
		fmt.Fprintf(&b, ": column %d", e.Col)
	}
	for _, s := range []string{e.Name, e.Key} {
		if s != "" {
			b.WriteString(": ")
			b.WriteString(s)
		}
	}
	b.WriteString(": ")
	b.WriteString(e.Msg)
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// faults collects errors while a workload is read.
type faults struct{ list []error }

// add keeps a fault, once: operands of one shape have one mistake.
func (f *faults) add(e *Error) {
	for _, other := range f.list {
		if *other.(*Error) == *e {
			return
		}
	}
	f.list = append(f.list, e)
}

func (f *faults) err() error { return errors.Join(f.list...) }

// place is a position in a workload's source that can report a fault.
type place struct {
	faults *faults
	source string
	line   int
	name   string
}

// errorf reports a fault at key.
func (p place) errorf(key, format string, args ...any) {
	p.fail(nil, key, format, args...)
}

func (p place) fail(cause error, key, format string, args ...any) {
	p.faults.add(&Error{Source: p.source, Line: p.line, Name: p.name, Key: key,
		Msg: fmt.Sprintf(format, args...), Err: cause})
}

// pos is the position as text: file:line.
func (p place) pos() string {
	if p.line == 0 {
		return p.source
	}
	return fmt.Sprintf("%s:%d", p.source, p.line)
}
