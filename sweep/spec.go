package sweep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"github.com/presi-sim/presi/configs"
)

// Spec is a sweep as its file says it.
type Spec struct {
	Title      string           `toml:"title,omitempty" doc:"one line for people"`
	Base       string           `toml:"base" doc:"the machine that the axes change: a name, or a path beside the file"`
	Workloads  []string         `toml:"workloads" doc:"networks, network files beside the file, or shorthands such as gemm:512x512x512"`
	DTypes     []string         `toml:"dtype,omitempty" doc:"types of weights and activations; each workload's own if not given"`
	Batches    []int            `toml:"batch,omitempty" doc:"batch sizes; each workload's own if not given"`
	Seed       uint64           `toml:"seed,omitempty" doc:"of all random values; 1 if not given"`
	Functional bool             `toml:"functional,omitempty" doc:"compute values, too, instead of times alone"`
	Axes       map[string][]any `toml:"axes,omitempty" doc:"values by configuration key; several keys, with commas between, change together"`
	Set        map[string]any   `toml:"set,omitempty" doc:"configuration values that are the same everywhere"`

	file  string
	text  []byte
	order map[string][]string // keys of the tables axes and set, as they stand in the file
}

// Load reads a sweep file. The error is configs.Faults with everything that is
// wrong in it; what is wrong with its machines and workloads, Plan says.
func Load(ctx context.Context, file string) (*Spec, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, configs.Faults{{File: file, Msg: "cannot read it: " + cause(err).Error()}}
	}
	return parse(ctx, file, text)
}

// cause leaves out what a message says already, the file's name.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func parse(ctx context.Context, file string, text []byte) (*Spec, error) {
	s := &Spec{Seed: 1, file: file, text: text}
	bad := quoteKeys(configs.LoadAll(s, []configs.Source{{Name: file, Text: text}}, nil, true))
	var tree map[string]any
	meta, err := toml.Decode(string(text), &tree)
	if err != nil {
		return nil, bad // which says the same, with its place
	}
	s.order = map[string][]string{}
	for _, k := range meta.Keys() {
		if len(k) > 1 && !slices.Contains(s.order[k[0]], k[1]) {
			s.order[k[0]] = append(s.order[k[0]], k[1])
		}
	}
	if bad != nil {
		return nil, s.andElse(ctx, bad)
	}
	return s, nil
}

// andElse adds to what is wrong with a file's keys what is wrong with the values
// that could be read.
func (s *Spec) andElse(ctx context.Context, bad error) error {
	var list, more configs.Faults
	if !errors.As(bad, &list) {
		return bad
	}
	known := map[int]bool{0: true} // lines with a fault; 0: what is missing, for one of those
	for _, f := range list {
		known[f.Line] = true
	}
	f := &faults{spec: s, list: slices.Clone(list)}
	if _, err := s.Plan(ctx, ""); errors.As(err, &more) {
		for _, fault := range more {
			if !known[fault.Line] || fault.File != s.file {
				f.list = append(f.list, fault)
			}
		}
	}
	return f.err()
}

// quoteKeys says what to do about array.rows = [8, 16], which TOML takes for a
// table in a table.
func quoteKeys(err error) error {
	var list configs.Faults
	if errors.As(err, &list) {
		for _, f := range list {
			if strings.HasPrefix(f.Key, "axes.") && f.Found == "{…}" {
				f.Msg = `want a list of values; a key with dots needs quotes, as in "array.rows" = [8, 16]`
			}
		}
	}
	return err
}

// Name is what the sweep's file is called, without its ending.
func (s *Spec) Name() string { return strings.TrimSuffix(filepath.Base(s.file), ".toml") }

// beside returns the path of a file that the sweep file names.
func (s *Spec) beside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(s.file), path)
}

// base is the machine as configs knows it.
func (s *Spec) base() string {
	if _, shipped := configs.Text(s.Base); shipped || !strings.HasSuffix(s.Base, ".toml") {
		return s.Base
	}
	return s.beside(s.Base)
}

// literal writes a TOML value as an override takes it.
func literal(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = literal(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case float64:
		text := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(text, ".en") { // not to be taken for an integer; n is of inf and nan
			text += ".0"
		}
		return text
	}
	return fmt.Sprint(v)
}
