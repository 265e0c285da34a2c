package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// bar shows how far a long run is, on a terminal; elsewhere, and before a run is
// long, it shows nothing.
type bar struct {
	w     io.Writer // nil: nobody looks
	what  string
	next  time.Time // nothing is drawn before
	drawn bool
}

const (
	barPatience = time.Second // before a run counts as long
	barPeriod   = 100 * time.Millisecond
	barWidth    = 30
)

func (a *app) newBar(what string) *bar {
	b := &bar{what: what, next: time.Now().Add(barPatience)}
	if a.terminal {
		b.w = a.err
	}
	return b
}

// show is told of progress, however often.
func (b *bar) show(done, total int) {
	if b.w == nil {
		return
	}
	if now := time.Now(); now.After(b.next) {
		b.next = now.Add(barPeriod)
		b.drawn = true
		fmt.Fprint(b.w, barLine(done, total, b.what))
	}
}

// barLine draws over the line before.
func barLine(done, total int, what string) string {
	full := barWidth * done / max(total, 1)
	return fmt.Sprintf("\r[%s%s] %d/%d %s ", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done, total, what)
}

// clear gives the line back.
func (b *bar) clear() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
