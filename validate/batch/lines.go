package batch

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// lines reads CSV line by line, so that a quote that nothing ends takes no more
// than its line.
type lines struct {
	in   *bufio.Reader
	at   int // number of the line that was read last, from 1
	text strings.Reader
	one  *bufio.Reader // of text
}

func newLines(r io.Reader) *lines {
	l := &lines{in: bufio.NewReader(r)}
	l.one = bufio.NewReader(&l.text)
	return l
}

// syntaxError is of a line that is no CSV.
type syntaxError struct{ error }

func isSyntax(err error) bool {
	var s syntaxError
	return errors.As(err, &s)
}

// read returns the fields of the next line that is not empty, io.EOF behind the
// last.
func (l *lines) read() ([]string, error) {
	for {
		text, err := l.in.ReadString('\n')
		if text == "" {
			return nil, err
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		l.at++
		l.text.Reset(text)
		l.one.Reset(&l.text)
		c := csv.NewReader(l.one)
		fields, err := c.Read()
		var syntax *csv.ParseError
		switch {
		case errors.As(err, &syntax):
			return nil, syntaxError{fmt.Errorf("%v in column %d of the line", syntax.Err, syntax.Column)}
		case !errors.Is(err, io.EOF):
			return fields, err
		}
	}
}
