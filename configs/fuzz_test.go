package configs

import (
	"errors"
	"strings"
	"testing"
)

// No text and no override makes the loader panic, and every error it returns
// says where: a line, a key or an override.
func FuzzLoad(f *testing.F) {
	f.Add(good, "dram.channels=8")
	f.Add("a.b = [1,\n{c='''x'''}]", "link[0].lanes=[1")
	f.Add("dram.size = 3\n[[link]]\nlanes=1\n[[link]]", "ratios=[1,2")
	f.Add("[dram]\nsize=\"\"\"\n\"\"\"\"\"", "\"=\"")
	f.Fuzz(func(t *testing.T, text, set string) {
		var b board
		err := Load("fuzz.toml", []byte(text), &b, set)
		var faults Faults
		if err == nil {
			return
		}
		if !errors.As(err, &faults) {
			t.Fatalf("%v is a %T", err, err)
		}
		for _, fault := range faults {
			if fault.Line == 0 && fault.Key == "" && fault.Set == "" || strings.TrimSpace(fault.Msg) == "" {
				t.Fatalf("says not where or not what: %q", fault.Error())
			}
		}
	})
}
