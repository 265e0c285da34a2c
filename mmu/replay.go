package mmu

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
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
	// Limit ends the mismatches printed of one scenario; 0 means 1.
	Limit int
}

// Replay runs scenarios of the recorded form against the IOMMU: one JSON object
// a line (gzip is recognised), with the memory, the operations and what an
// executable model of the specification answered. It prints each mismatch and
// each skipped scenario to out, and at the end "N passed, N failed".
func Replay(r io.Reader, out io.Writer, opt ReplayOptions) (res ReplayResult, err error) {
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
			return res, fmt.Errorf("%w: %w", ErrReplay, err)
		}
		br = bufio.NewReaderSize(zr, 1<<20)
	}
	for line := 1; ; line++ {
		text, rerr := br.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) > 0 {
			if err := replayLine(text, out, opt, &res); err != nil {
				return res, fmt.Errorf("%w: line %d: %w", ErrReplay, line, err)
			}
		}
		if rerr == io.EOF {
			break
		}
		if rerr != nil {
			return res, fmt.Errorf("%w: line %d: %w", ErrReplay, line, rerr)
		}
	}
	if res == (ReplayResult{}) {
		return res, fmt.Errorf("%w: no scenarios", ErrReplay)
	}
	fmt.Fprintf(out, "%d passed, %d failed\n", res.Passed, res.Failed)
	return res, nil
}

func replayLine(text []byte, out io.Writer, opt ReplayOptions, res *ReplayResult) error {
	var sc scenario
	if err := json.Unmarshal(text, &sc); err != nil {
		return err
	}
	if err := sc.check(); err != nil {
		return err
	}
	for _, tag := range sc.Tags {
		for _, skip := range opt.Skip {
			if tag == skip {
				fmt.Fprintf(out, "%s: skipped (%s)\n", sc.Name, tag)
				res.Skipped++
				return nil
			}
		}
	}
	p := newPlayer(&sc, opt.Config)
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

// hex is a number written as "0x...".
type hex uint64

// UnmarshalJSON reads a hexadecimal string or a plain number.
func (h *hex) UnmarshalJSON(p []byte) error {
	s := string(bytes.Trim(p, `"`))
	v, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number such as \"0x1f\"", s)
	}
	*h = hex(v)
	return nil
}

// hexPair and hexTriple are numbers written as a list.
type (
	hexPair   [2]hex
	hexTriple [3]hex
)

// UnmarshalJSON reads exactly two numbers.
func (p *hexPair) UnmarshalJSON(b []byte) error { return numbers(b, p[:]) }

// UnmarshalJSON reads exactly three numbers.
func (t *hexTriple) UnmarshalJSON(b []byte) error { return numbers(b, t[:]) }

func numbers(b []byte, to []hex) error {
	var list []hex
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	if len(list) != len(to) {
		return fmt.Errorf("%s has not %d numbers", b, len(to))
	}
	copy(to, list)
	return nil
}

// flag is a 0 or 1 that may be absent.
type flag = *int

type scenario struct {
	Name   string    `json:"name"`
	Caps   hex       `json:"caps"`
	Fctl   hex       `json:"fctl"`
	Tags   []string  `json:"tags"`
	Mem    []hexPair `json:"mem"`
	Poison []hex     `json:"poison"`
	Ops    []op      `json:"ops"`
}

// check refuses what no memory or register file could serve.
func (s *scenario) check() error {
	if len(s.Ops) == 0 {
		return fmt.Errorf("%s: no operations", s.Name)
	}
	for _, w := range s.Mem {
		if w[0]%8 != 0 {
			return fmt.Errorf("%s: mem: address %v is not a multiple of 8", s.Name, w[0])
		}
	}
	for i := range s.Ops {
		switch o := &s.Ops[i]; {
		case steps[o.Op] == nil:
			return fmt.Errorf("%s: op %d: %q is not an operation", s.Name, i, o.Op)
		case (o.Op == "reg_read" || o.Op == "reg_write") && o.Size != 4 && o.Size != 8:
			return fmt.Errorf("%s: op %d: size %d is neither 4 nor 8", s.Name, i, o.Size)
		case (o.Op == "mem_read" || o.Op == "mem_write") && o.Addr%8 != 0:
			return fmt.Errorf("%s: op %d: address %v is not a multiple of 8", s.Name, i, o.Addr)
		case o.Cold != 0 && (o.Expect == nil || o.Op != "translate"):
			return fmt.Errorf("%s: op %d: cold is for a translate with an expectation", s.Name, i)
		case o.Op == "translate" && (o.RW != "r" && o.RW != "w" || o.AT > Translated):
			return fmt.Errorf("%s: op %d: rw is \"r\" or \"w\", at 0, 1 or 2", s.Name, i)
		case o.DID>>24 != 0 || o.PID>>20 != 0:
			return fmt.Errorf("%s: op %d: did has 24 bits and pid 20", s.Name, i)
		}
	}
	return nil
}

type op struct {
	Op      string  `json:"op"`
	Off     uint64  `json:"off"`
	Size    int     `json:"size"`
	Val     hex     `json:"val"`
	Mask    *hex    `json:"mask"`
	Addr    hex     `json:"addr"`
	DID     uint32  `json:"did"`
	PV      int     `json:"pv"`
	PID     uint32  `json:"pid"`
	AT      uint8   `json:"at"`
	RW      string  `json:"rw"`
	Exec    int     `json:"exec"`
	Priv    int     `json:"priv"`
	NW      int     `json:"nw"`
	IOVA    hex     `json:"iova"`
	Cold    int     `json:"cold"`
	Lo      hex     `json:"lo"`
	Hi      hex     `json:"hi"`
	RID     uint16  `json:"rid"`
	DSV     int     `json:"dsv"`
	DSeg    uint8   `json:"dseg"`
	Payload hex     `json:"payload"`
	CC      int     `json:"cc"`
	ITags   uint32  `json:"itags"`
	Expect  *expect `json:"expect"`
}

type expect struct {
	Val        *hex         `json:"val"`
	Status     *string      `json:"status"`
	PA         *hex         `json:"pa"`
	PageSize   *hex         `json:"page_size"`
	R          flag         `json:"r"`
	W          flag         `json:"w"`
	X          flag         `json:"x"`
	U          flag         `json:"u"`
	Priv       flag         `json:"priv"`
	N          flag         `json:"n"`
	Glob       flag         `json:"glob"`
	PBMT       flag         `json:"pbmt"`
	Cause      *hex         `json:"cause"`
	Iotval     *hex         `json:"iotval"`
	Iotval2    *hex         `json:"iotval2"`
	FQN        flag         `json:"fqn"`
	Reads      *[]hexPair   `json:"reads"`
	PTEWrites  *[]hexPair   `json:"pte_writes"`
	CQH        *hex         `json:"cqh"`
	CQCSR      *hex         `json:"cqcsr"`
	IPSR       *hex         `json:"ipsr"`
	PQT        *hex         `json:"pqt"`
	PQCSR      *hex         `json:"pqcsr"`
	Unexpected flag         `json:"unexpected"`
	Writes     *[]hexTriple `json:"writes"`
	Sync       *[]hexPair   `json:"sync"`
	Msgs       *[]msg       `json:"msgs"`
	Records    *[]record    `json:"records"`
}

type msg struct {
	Code    hex `json:"code"`
	Tag     hex `json:"tag"`
	RID     hex `json:"rid"`
	DSV     hex `json:"dsv"`
	DSeg    hex `json:"dseg"`
	PV      hex `json:"pv"`
	PID     hex `json:"pid"`
	Payload hex `json:"payload"`
}

// record is a fault record or a page-request record.
type record struct {
	Cause   hex `json:"cause"`
	PID     hex `json:"pid"`
	PV      hex `json:"pv"`
	Priv    hex `json:"priv"`
	Exec    hex `json:"exec"`
	TTYP    hex `json:"ttyp"`
	DID     hex `json:"did"`
	Iotval  hex `json:"iotval"`
	Iotval2 hex `json:"iotval2"`
	Payload hex `json:"payload"`
}
