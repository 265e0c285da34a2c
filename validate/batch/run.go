package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strconv"
)

// Kind is a kind of batch: its columns and what a row of them comes to. Measure
// is called on several goroutines, each with a row of its own; mistakes that it
// finds in the row it notes there.
type Kind struct {
	Name string
	Header
	Measure func(*Row) any
	Repeat  bool // a line of Run begins with the row's own values
}

// Run reads a batch and writes a line of JSON a row, in order: what was
// measured, or {"row": …, "error": …}. failed are the errors of rows; err is of
// the batch as a whole. workers 0 means as many as there are processors.
func (k *Kind) Run(ctx context.Context, file string, in io.Reader, out io.Writer, workers int) (failed []error, err error) {
	rows, err := k.Read(file, in)
	if err != nil {
		return nil, fileError{err}
	}
	err = Ordered(ctx, len(rows), workers, func(i int) any { return k.row(ctx, rows[i]) }, func(i int, line any) error {
		if e := rows[i].Err(); e != nil {
			failed = append(failed, e)
			line = rowError{rows[i].Number, e.Error()}
		} else if k.Repeat {
			line = repeated{k, rows[i], line}
		}
		text, e := encode(line)
		if e != nil {
			e = rows[i].errorf("no result: %w", e)
			failed = append(failed, e)
			if text, e = encode(rowError{rows[i].Number, e.Error()}); e != nil {
				return e
			}
		}
		_, e = out.Write(text)
		return e
	})
	return failed, err
}

// encode returns a line of JSON. Its error says which number there is none for.
func encode(line any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(line)
	if odd := (*json.UnsupportedValueError)(nil); errors.As(err, &odd) {
		err = fmt.Errorf("%s is no finite number", odd.Str)
	}
	return b.Bytes(), err
}

// One measures a row of values that are no file's. In messages a column's name
// has prefix in front.
func (k *Kind) One(ctx context.Context, prefix string, values map[string]string) (any, error) {
	r := &Row{ctx: ctx, prefix: prefix, at: map[string]int{}}
	for _, c := range k.Columns {
		if v, ok := values[c.Name]; ok {
			r.at[c.Name] = len(r.fields)
			r.fields = append(r.fields, v)
		}
	}
	v := k.Measure(r)
	return v, r.Err()
}

// fileError is of a file as a whole.
type fileError struct{ error }

func (e fileError) Unwrap() error { return e.error }

// IsFile reports an error that Run has because the file is no batch.
func IsFile(err error) bool {
	var f fileError
	return errors.As(err, &f)
}

// rowError is the line of a row that cannot be measured.
type rowError struct {
	Row   int    `json:"row"`
	Error string `json:"error"`
}

// repeated is a result, an object, with the row's values in front.
type repeated struct {
	kind   *Kind
	row    *Row
	result any
}

// MarshalJSON writes numbers as numbers and all else as text.
func (l repeated) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for _, c := range l.kind.Columns {
		text := l.row.Text(c.Name)
		if text == "" {
			continue
		}
		var v any = text
		if _, err := strconv.ParseFloat(text, 64); err == nil && json.Valid([]byte(text)) {
			v = json.RawMessage(text)
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		out = append(append(append(strconv.AppendQuote(out, c.Name), ':'), value...), ',')
	}
	result, err := json.Marshal(l.result)
	switch {
	case err != nil:
		return nil, err
	case result[0] != '{':
		return nil, errors.New("batch: a result that is no object")
	}
	return append(out, result[1:]...), nil
}

func (k *Kind) row(ctx context.Context, r *Row) any {
	r.ctx = ctx
	if r.Err() != nil {
		return nil
	}
	return k.Measure(r)
}

// Ordered calls work for 0 to n−1 on several goroutines and gives what it
// returns to each in order, on the caller's goroutine, as soon as its turn has
// come. It ends with the context's error, or with the first of each. What panics in
// work panics in its turn in the caller, with a *Panic.
func Ordered[T any](ctx context.Context, n, workers int, work func(int) T, each func(int, T) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	results := make([]chan outcome[T], n)
	for i := range results {
		results[i] = make(chan outcome[T], 1)
	}
	next := make(chan int)
	go func() {
		defer close(next)
		for i := range n {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	for range min(workers, n) {
		go func() {
			for i := range next {
				results[i] <- attempt(work, i)
			}
		}()
	}
	for i := range results {
		select {
		case o := <-results[i]:
			if o.panicked != nil {
				panic(o.panicked)
			}
			if err := each(i, o.value); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// outcome is what work returned, or how it panicked.
type outcome[T any] struct {
	value    T
	panicked *Panic
}

// Panic is a panic of another goroutine, with its stack.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("%v\n\n%s", p.Value, p.Stack) }

func attempt[T any](work func(int) T, i int) (o outcome[T]) {
	defer func() {
		if v := recover(); v != nil {
			o.panicked = &Panic{v, debug.Stack()}
		}
	}()
	o.value = work(i)
	return o
}
