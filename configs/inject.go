package configs

import (
	"errors"
	"reflect"
	"strings"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/fault"
)

// Injection reads a fault as the command line writes it: the keys of [[fault]]
// as "kind=dma-error,count=3". The error is Faults.
func Injection(text string) (spec fault.Spec, err error) {
	p := place{set: text, flag: "--fault"}
	d := &decoder{root: reflect.TypeFor[fault.Spec](), from: map[string]place{}, spoilt: map[string]bool{}, at: func(string) place { return p }}
	rv := reflect.ValueOf(&spec).Elem()
	for _, part := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(part, "=")
		key = strings.TrimSpace(key)
		_, again := d.from[key]
		switch {
		case !ok || key == "":
			d.faults = append(d.faults, p.fault("", "", "want key=value,…, such as kind=dma-error,count=3"))
			return spec, d.faults.err()
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
	return spec, d.faults.err()
}
