package sim

import (
	"fmt"
	"math"
	"math/bits"
)

// Time is simulated time in picoseconds, as an instant since the start or as a
// duration. int64 reaches 106 days.
type Time int64

// Units of Time.
const (
	Picosecond  Time = 1
	Nanosecond       = 1000 * Picosecond
	Microsecond      = 1000 * Nanosecond
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
)

// Never is later than every event.
const Never Time = math.MaxInt64

// Seconds returns t in seconds.
func (t Time) Seconds() float64 { return float64(t) / float64(Second) }

// Nanoseconds returns t in whole nanoseconds, rounded down.
func (t Time) Nanoseconds() int64 { return int64(t / Nanosecond) }

// MulDiv returns a*b/c rounded down with a 128-bit intermediate. a, b ≥ 0, c > 0, and
// the result has 63 bits; anything else panics.
func MulDiv(a, b, c int64) int64 {
	q, _ := mulDivRem(a, b, c)
	return q
}

func mulDivRem(a, b, c int64) (q, r int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if a < 0 || b < 0 || c <= 0 || hi >= uint64(c) {
		badMulDiv(a, b, c)
	}
	uq, ur := bits.Div64(hi, lo, uint64(c))
	if uq > math.MaxInt64 {
		badMulDiv(a, b, c)
	}
	return int64(uq), int64(ur)
}

func badMulDiv(a, b, c int64) {
	panic(fmt.Sprintf("sim: %d×%d/%d is negative or does not fit 63 bits", a, b, c))
}

// MulDivCeil is MulDiv rounded up.
func MulDivCeil(a, b, c int64) int64 {
	q, r := mulDivRem(a, b, c)
	if r != 0 {
		q++
	}
	return q
}

// Clock is a clock domain: edge n is at exactly n/hz seconds, rounded down to
// the picosecond, so that no number of cycles accumulates an error.
type Clock struct{ hz int64 }

// NewClock returns the domain of hz cycles a second; hz must be positive, and
// at most one cycle a picosecond.
func NewClock(hz Hertz) Clock {
	if hz <= 0 || Time(hz) > Second {
		panic(fmt.Sprintf("sim: a clock of %d Hz; it must be positive and at most 1 THz", int64(hz)))
	}
	return Clock{int64(hz)}
}

// Hz returns the frequency.
func (c Clock) Hz() Hertz { return Hertz(c.hz) }

// Edge returns the instant of edge n.
func (c Clock) Edge(n int64) Time { return Time(MulDiv(n, int64(Second), c.hz)) }

// EdgeAtOrAfter returns the number of the first edge at or after t.
func (c Clock) EdgeAtOrAfter(t Time) int64 {
	n := MulDiv(int64(t), c.hz, int64(Second))
	if c.Edge(n) < t {
		n++
	}
	return n
}

// After returns the instant n cycles after the first edge at or after t: when
// a synchronous block that sees its input at t shows its output.
func (c Clock) After(t Time, n int64) Time { return c.Edge(c.EdgeAtOrAfter(t) + n) }

// Duration returns the length of n cycles, rounded up to the picosecond.
func (c Clock) Duration(n int64) Time { return Time(MulDivCeil(n, int64(Second), c.hz)) }

// Cycles returns how many whole cycles fit in d, rounded up.
func (c Clock) Cycles(d Time) int64 { return MulDivCeil(int64(d), c.hz, int64(Second)) }
