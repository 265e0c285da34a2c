package mmu

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// parseScenario reads one line. A key that is not of the form is refused: a
// misspelt expectation would pass unchecked.
func parseScenario(text []byte) (*scenario, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var sc *scenario
	err := d.Decode(&sc)
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field == "":
		return nil, fmt.Errorf("a scenario is a JSON object, not %s", kind.Value)
	case errors.As(err, &kind):
		return nil, fmt.Errorf("%s does not take %s", kind.Field, kind.Value)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("the JSON object is cut off")
	case err != nil:
		return nil, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	case sc == nil:
		return nil, errors.New("a scenario is a JSON object, not null")
	case d.More():
		return nil, errors.New("one scenario a line; more follows the JSON object")
	}
	return sc, sc.check()
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
	Seed   any       `json:"seed"`   // of whoever drew the scenario
	Params any       `json:"params"` // settings of the model that answered
	Note   string    `json:"note"`
	Caps   hex       `json:"caps"`
	Fctl   hex       `json:"fctl"`
	Tags   []string  `json:"tags"`
	Mem    []hexPair `json:"mem"`
	Poison []hex     `json:"poison"`
	Ops    []op      `json:"ops"`
}

// check refuses what no memory or register file could serve.
func (s *scenario) check() error {
	if s.Name == "" {
		return errors.New("the scenario has no name")
	}
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
	GSCIDs  []hex   `json:"gscids"` // of flush, which drops everything
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
