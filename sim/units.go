package sim

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Bytes is a size. In text it carries a binary or decimal unit: "64KiB", "1GB".
type Bytes int64

// Hertz is a frequency: "1.2GHz".
type Hertz int64

// Rate is a bandwidth in bytes a second: "900GB/s".
type Rate int64

// Sizes.
const (
	KiB Bytes = 1 << 10
	MiB Bytes = 1 << 20
	GiB Bytes = 1 << 30
)

type unit struct {
	name  string
	scale int64
}

// Largest first: Format takes the first that divides, Parse the one that matches.
var (
	byteUnits = []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
	hertzUnits = []unit{{"GHz", 1e9}, {"MHz", 1e6}, {"kHz", 1e3}, {"Hz", 1}}
	rateUnits  = []unit{{"TB/s", 1e12}, {"GB/s", 1e9}, {"MB/s", 1e6}, {"kB/s", 1e3},
		{"GiB/s", 1 << 30}, {"MiB/s", 1 << 20}, {"KiB/s", 1 << 10}, {"B/s", 1}}
	timeUnits = []unit{{"s", 1e12}, {"ms", 1e9}, {"us", 1e6}, {"µs", 1e6}, {"ns", 1e3}, {"ps", 1}}
)

// decimal reads digits with at most one point; "_" may separate digits.
func decimal(s string) (*big.Rat, bool) {
	if strings.Trim(s, "0123456789._") != "" || strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") {
		return nil, false
	}
	return new(big.Rat).SetString(strings.ReplaceAll(s, "_", ""))
}

// parse reads "<decimal><unit>" exactly; a bare number or an unknown unit is an error.
func parse(text, what, example string, units []unit) (int64, error) {
	s := strings.TrimSpace(text)
	cut := len(s)
	for cut > 0 && !(s[cut-1] >= '0' && s[cut-1] <= '9' || s[cut-1] == '.') {
		cut--
	}
	number, name := s[:cut], strings.TrimSpace(s[cut:])
	bad := func(why string) error {
		return fmt.Errorf("%q is not a %s: %s; write it like %q", text, what, why, example)
	}
	if name == "" {
		return 0, bad("the unit is missing")
	}
	for _, u := range units {
		if u.name != name {
			continue
		}
		value, ok := decimal(strings.TrimSpace(number))
		if !ok {
			return 0, bad("no decimal number stands before the unit")
		}
		value.Mul(value, new(big.Rat).SetInt64(u.scale))
		if !value.IsInt() || !value.Num().IsInt64() {
			return 0, bad("it is not a whole number of " + units[len(units)-1].name + " that fits 63 bits")
		}
		return value.Num().Int64(), nil
	}
	names := make([]string, len(units))
	for i, u := range units {
		names[i] = u.name
	}
	return 0, bad("unknown unit " + name + " (one of " + strings.Join(names, ", ") + ")")
}

func format(v int64, units []unit) string {
	for _, u := range units {
		if v != 0 && v%u.scale == 0 {
			return fmt.Sprintf("%d%s", v/u.scale, u.name)
		}
	}
	return fmt.Sprintf("%d%s", v, units[len(units)-1].name)
}

// ParseBytes reads a size such as "64KiB".
func ParseBytes(s string) (Bytes, error) {
	v, err := parse(s, "size", "64KiB", byteUnits)
	return Bytes(v), err
}

// ParseHertz reads a frequency such as "1.2GHz".
func ParseHertz(s string) (Hertz, error) {
	v, err := parse(s, "frequency", "1.2GHz", hertzUnits)
	return Hertz(v), err
}

// ParseRate reads a bandwidth such as "900GB/s".
func ParseRate(s string) (Rate, error) {
	v, err := parse(s, "bandwidth", "900GB/s", rateUnits)
	return Rate(v), err
}

// ParseTime reads a duration such as "350ns".
func ParseTime(s string) (Time, error) {
	v, err := parse(s, "duration", "350ns", timeUnits)
	return Time(v), err
}

// The four quantities are text in configurations.

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(p []byte) (err error) { *b, err = ParseBytes(string(p)); return err }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hertz) UnmarshalText(p []byte) (err error) { *h, err = ParseHertz(string(p)); return err }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(p []byte) (err error) { *r, err = ParseRate(string(p)); return err }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(p []byte) (err error) { *t, err = ParseTime(string(p)); return err }

func (b Bytes) String() string { return format(int64(b), byteUnits) }
func (h Hertz) String() string { return format(int64(h), hertzUnits) }
func (r Rate) String() string  { return format(int64(r), rateUnits) }
func (t Time) String() string  { return format(int64(t), timeUnits) }

// MarshalText implements encoding.TextMarshaler.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// MarshalText implements encoding.TextMarshaler.
func (h Hertz) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// TimeFor returns how long n bytes take at rate r, rounded up to the picosecond.
func (r Rate) TimeFor(n Bytes) Time { return Time(MulDivCeil(int64(n), int64(Second), int64(r))) }

// MarshalJSON writes a Time as a number of picoseconds: in results the name of
// a field carries the unit (`_ps`).
func (t Time) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, int64(t), 10), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Time) UnmarshalJSON(p []byte) error {
	v, err := strconv.ParseInt(string(p), 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a whole number of picoseconds", p)
	}
	*t = Time(v)
	return nil
}
