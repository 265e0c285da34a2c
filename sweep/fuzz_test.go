package sweep

import (
	"errors"
	"testing"

	"github.com/presi-sim/presi/configs"
)

// FuzzSpec: whatever a file holds, reading it gives a sweep or faults that name
// the file, and every fault of its axes finds a place.
func FuzzSpec(f *testing.F) {
	for _, text := range []string{small, partly, "", "axes = 3", "[axes]\na.b = [1]", "[axes]\n\"a,,b\" = [[1], 2, {c = 3}]",
		"base = \"x\"\nworkloads = []\n[axes]\n\"\" = [1979-05-27, inf, nan, -0.0, \"\\n\"]\n[set]\na = []\nb.c = true", "axes = { \"a\" = [] }"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parse(t.Context(), "s.toml", []byte(text))
		if err == nil {
			found := &faults{spec: s}
			for _, a := range s.axes(found) {
				if len(a.Labels) != len(a.sets) || len(a.Labels) == 0 {
					t.Errorf("axis %q: %d values, %d overrides", a.Name, len(a.Labels), len(a.sets))
				}
			}
			s.fixed(found)
			err = found.err()
		}
		var list configs.Faults
		if err != nil && !errors.As(err, &list) {
			t.Errorf("%T is no list of faults: %v", err, err)
		}
		for _, fault := range list {
			if fault.File != "s.toml" || fault.Msg == "" {
				t.Errorf("a fault without place or message: %+v", fault)
			}
		}
	})
}
