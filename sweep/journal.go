package sweep

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// JournalName is the journal's file in a sweep's folder: a JSON object a line.
const JournalName = "points.jsonl"

// journal is the results so far, on disk and by key.
type journal struct {
	file *os.File
	done map[string]*Result
}

// openJournal reads the journal of a folder, which it makes if need be. A torn
// last line, of a run that was killed, is cut off; note is told of it, and of
// lines that are no results.
func openJournal(dir string, note func(string)) (*journal, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("folder of the sweep: %w", err)
	}
	path := filepath.Join(dir, JournalName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	j := &journal{file: file, done: map[string]*Result{}}
	if err := j.read(path, note); err != nil {
		file.Close()
		return nil, err
	}
	return j, nil
}

func (j *journal) read(path string, note func(string)) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		note(fmt.Sprintf("%s: the last line is torn, as a killed run leaves it; its point is run again", path))
		if err := j.file.Truncate(int64(whole)); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	for i, line := range bytes.Split(text[:whole], []byte{'\n'}) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		r, err := parseLine(line)
		if err != nil {
			note(fmt.Sprintf("%s:%d: no result of a point, left alone: %v", path, i+1, err))
			continue
		}
		j.done[r.Key] = r // a later line is of a later try
	}
	return nil
}

// add appends a result in one write, so that a kill tears no more than this line.
func (j *journal) add(r *Result) error {
	line, err := r.line()
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if _, err := j.file.Write(line); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.done[r.Key] = r
	return nil
}

func (j *journal) close() error { return j.file.Close() }
