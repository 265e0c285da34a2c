package hw

import "fmt"

// ConfigFault is one mistake in a block's Config. Key is as in the TOML file
// ("dram.channels"), so that the loader can point at file and line. A block's
// `Validate() []error` returns one for each fault it finds, all at once.
//
// A Config is a plain struct whose fields carry `toml:"key"` and `doc:"what it
// is, its unit, what it is typically"`; quantities have the unit types of sim.
type ConfigFault struct {
	Key   string
	Found any
	Want  string   // what would be right
	With  []string // other keys that this follows from
}

func (f *ConfigFault) Error() string {
	return fmt.Sprintf("%s = %v: want %s", f.Key, f.Found, f.Want)
}

// BadConfig returns a ConfigFault as an error.
func BadConfig(key string, found any, want string, args ...any) error {
	return &ConfigFault{Key: key, Found: found, Want: fmt.Sprintf(want, args...)}
}
