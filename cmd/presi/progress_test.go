package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestBarLine(t *testing.T) {
	assert.Equal(t, "\r[..............................] 0/0 jobs ", barLine(0, 0, "jobs"))
	assert.Equal(t, "\r[###############...............] 3/6 jobs ", barLine(3, 6, "jobs"))
	assert.Equal(t, "\r[##############################] 6/6 points ", barLine(6, 6, "points"))
}

func TestBarWaitsAndClearsUp(t *testing.T) {
	var err bytes.Buffer
	b := (&app{err: &err, terminal: true}).newBar("jobs")
	b.show(1, 2)
	b.clear()
	assert.Empty(t, err.String(), "a short run has no bar")

	b.next = time.Time{} // as if it had been long
	b.show(1, 2)
	b.show(2, 2)
	assert.Equal(t, barLine(1, 2, "jobs"), err.String(), "not more often than anybody can see")
	b.clear()
	assert.Equal(t, barLine(1, 2, "jobs")+"\r\x1b[K", err.String())
}

func TestNoBarInFiles(t *testing.T) {
	var err bytes.Buffer
	b := (&app{err: &err}).newBar("jobs")
	b.next = time.Time{}
	b.show(1, 2)
	b.clear()
	assert.Empty(t, err.String())
}
