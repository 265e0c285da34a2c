package mmu

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
)

// ErrReplay is wrapped by the error of a scenario file that cannot be read.
var ErrReplay = errors.New("bad scenario file")

// ReplayResult counts a replay's scenarios.
type ReplayResult struct{ Passed, Failed, Skipped int }

// ReplayOptions choose how a replay runs.
type ReplayOptions struct {
	// Config sizes the caches; the zero value means DefaultIOMMUConfig.
	Config IOMMUConfig
	// Skip names tags whose scenarios are skipped.
	Skip []string
	// Skipped, when not nil, counts the scenarios that each tag of Skip skips.
	Skipped map[string]int
	// Limit ends the mismatches printed of one scenario; 0 means 1.
	Limit int
}

// Replay runs scenarios of the recorded form against the IOMMU: one JSON object
// a line (gzip is recognised), with the memory, the operations and what an
// executable model of the specification answered. It prints each mismatch and
// each skipped scenario to out, and at the end "N passed, N failed". A context that
// ends leaves the rest of the scenarios.
func Replay(ctx context.Context, r io.Reader, out io.Writer, opt ReplayOptions) (res ReplayResult, err error) {
	if opt.Config == (IOMMUConfig{}) {
		opt.Config = DefaultIOMMUConfig()
	}
	if opt.Limit == 0 {
		opt.Limit = 1
	}
	br := bufio.NewReaderSize(r, 1<<20)
	if magic, _ := br.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return res, fmt.Errorf("%w: the gzip header is cut off or damaged", ErrReplay)
		}
		br = bufio.NewReaderSize(zr, 1<<20)
	}
	for line := 1; ; line++ {
		text, rerr := br.ReadBytes('\n')
		if rerr != nil && rerr != io.EOF {
			return res, fmt.Errorf("%w: line %d: %w", ErrReplay, line, readError(rerr))
		}
		if ctx.Err() != nil {
			return res, context.Cause(ctx)
		}
		if len(bytes.TrimSpace(text)) > 0 {
			if err := replayLine(text, out, opt, &res); err != nil {
				return res, fmt.Errorf("%w: line %d: %w", ErrReplay, line, err)
			}
		}
		if rerr == io.EOF {
			break
		}
	}
	if res == (ReplayResult{}) {
		return res, fmt.Errorf("%w: no scenarios", ErrReplay)
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", res.Passed, res.Failed)
	return res, nil
}

func replayLine(text []byte, out io.Writer, opt ReplayOptions, res *ReplayResult) error {
	sc, err := parseScenario(text)
	if err != nil {
		return err
	}
	for _, tag := range sc.Tags {
		for _, skip := range opt.Skip {
			if tag == skip {
				fmt.Fprintf(out, "%s: skipped (%s)\n", sc.Name, tag)
				res.Skipped++
				if opt.Skipped != nil {
					opt.Skipped[tag]++
				}
				return nil
			}
		}
	}
	p := newPlayer(sc, opt.Config)
	bad := 0
	for i := range sc.Ops {
		p.step(&sc.Ops[i])
		for _, m := range p.mismatches {
			if bad++; bad <= opt.Limit {
				fmt.Fprintf(out, "%s: op %d (%s): %s\n", sc.Name, i, sc.Ops[i].Op, m)
			}
		}
		p.mismatches = p.mismatches[:0]
	}
	if bad == 0 {
		res.Passed++
	} else {
		res.Failed++
	}
	return nil
}

// readError says of a gzip stream what has happened to it.
func readError(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the gzip file is cut off here")
	case errors.Is(err, gzip.ErrChecksum), errors.As(err, new(flate.CorruptInputError)):
		return errors.New("the gzip file is damaged here")
	}
	return err
}
