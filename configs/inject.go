package configs

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/presi-sim/presi/hw"
)

// Inject adds a fault as the command line writes it: the keys of [[fault]] as
// "kind=dma-error,count=3". The error is Faults; then nothing is added.
func (c *Config) Inject(text string) error {
	faults := withZero(c.Faults)
	spec := &faults[len(faults)-1]
	p := place{set: text, flag: "--fault"}
	rv := reflect.ValueOf(spec).Elem()
	d := &decoder{root: rv.Type(), from: map[string]place{}, spoilt: map[string]bool{}, at: func(string) place { return p }}
	for _, part := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		_, again := d.from[key]
		switch {
		case !ok || key == "":
			d.faults = append(d.faults, p.fault("", "", "want key=value,…, such as kind=dma-error,count=3"))
			return d.faults.err()
		case again:
			d.bad(key, strings.TrimSpace(value), "is there twice")
		default:
			d.set(rv, part)
		}
	}
	for _, err := range spec.Validate() {
		var fault *hw.ConfigFault
		if errors.As(err, &fault) && !d.isSpoilt(fault.Key) {
			d.faults = append(d.faults, p.fault(fault.Key, show(fault.Found), "want "+fault.Want))
		}
	}
	err := d.faults.err()
	if err == nil {
		c.Faults = faults
	}
	return err
}

// withZero returns a copy of a list with a zero value behind.
func withZero[T any](list []T) []T { return append(slices.Clone(list), *new(T)) }
