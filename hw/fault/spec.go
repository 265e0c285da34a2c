package fault

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Unlimited as Times strikes at every chance that the trigger chooses.
const Unlimited = -1

// Spec is one fault: what, whom, when. Only Kind must be given; what is left out
// means the first chance there is, once.
//
// A fault sees a chance when what its kind strikes happens to its target within
// its addresses, not before At. Space chances pass; of the rest each
// Interval-th is chosen; with Probability so many of those are struck, drawn from
// the fault's own stream; after Times strikes it is over. Space, interval, times
// and probability are those of the kernel's fault injection
// (Documentation/fault-injection).
type Spec struct {
	Kind        string   `toml:"kind" doc:"what happens: a name of docs/faults.md"`
	Target      Target   `toml:"target,omitempty" doc:"number of the queue, vector, context … that it happens to, or \"any\""`
	From        uint64   `toml:"from,omitempty" doc:"first address that it happens at"`
	To          uint64   `toml:"to,omitempty" doc:"last address, inclusive; 0: from alone bounds it"`
	At          sim.Time `toml:"at,omitempty" doc:"simulated time before which it does not happen"`
	Count       int      `toml:"count,omitempty" doc:"chance that is struck first, counted from 1; 0 is 1"`
	Space       int      `toml:"space,omitempty" doc:"chances that pass before, as in the kernel: count less 1"`
	Interval    int      `toml:"interval,omitempty" doc:"from then on every so many-th chance; 0 is 1"`
	Probability float64  `toml:"probability,omitempty" doc:"share of the chosen chances that are struck; 0 is 1"`
	Seed        uint64   `toml:"seed,omitempty" doc:"of the probability's stream; 0: the run's seed and the fault's name"`
	Times       int      `toml:"times,omitempty" doc:"strikes before it is over, -1 without end; 0: what the kind has, mostly 1"`
	Duration    sim.Time `toml:"duration,omitempty" doc:"how long a strike lasts or how late it makes things, as the kind says; 0: what the kind has"`
	Value       uint64   `toml:"value,omitempty" doc:"parameter of the kind; 0: what the kind has"`
}

// Target is an instance that a fault happens to; the zero value is any.
type Target int32

// Any is every instance.
const Any Target = 0

// On returns instance n as a target.
func On(n int) Target { return Target(n + 1) }

// UnmarshalText reads "any" or a decimal number.
func (t *Target) UnmarshalText(p []byte) error {
	if string(p) == "any" {
		*t = Any
		return nil
	}
	n, err := strconv.ParseInt(string(p), 10, 31)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no target: write a number like 0, or \"any\"", p)
	}
	*t = On(int(n))
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

func (t Target) String() string {
	if t == Any {
		return "any"
	}
	return strconv.Itoa(int(t) - 1)
}

// Validate returns every mistake of a list of faults, with keys "fault[2].kind".
func Validate(specs []Spec) (faults []error) {
	for i := range specs {
		faults = append(faults, specs[i].validate(fmt.Sprintf("fault[%d].", i))...)
	}
	return faults
}

// latest bounds times: far beyond any run, and sums of them are times, too.
const latest = 1000 * sim.Second

// Validate returns every mistake of one fault, with keys "kind".
func (s *Spec) Validate() []error { return s.validate("") }

func (s *Spec) validate(at string) (faults []error) {
	check := func(ok bool, key string, found any, want string, args ...any) {
		if !ok {
			faults = append(faults, hw.BadConfig(at+key, found, want, args...))
		}
	}
	k := Named(s.Kind)
	if k == None {
		check(false, "kind", s.Kind, "one of %s", strings.Join(Names(), ", "))
		return faults
	}
	r := &Kinds[k]
	check(s.Target == Any || s.Target > 0 && r.Target != "", "target", s.Target, "none: %s has no target", s.Kind)
	check(s.From == 0 && s.To == 0 || r.Address != "", "from", s.From, "none: %s has no address", s.Kind)
	check(s.To == 0 || s.To >= s.From, "to", s.To, "0 or at least from, %d", s.From)
	check(s.At >= 0 && s.At <= latest, "at", s.At, "0ps to %v", latest)
	check(s.Count >= 0, "count", s.Count, "0 or more")
	check(s.Space >= 0, "space", s.Space, "0 or more")
	check(s.Count <= 0 || s.Space <= 0, "space", s.Space, "either count or space, not both")
	check(s.Interval >= 0, "interval", s.Interval, "0 or more")
	check(s.Probability >= 0 && s.Probability <= 1, "probability", s.Probability, "a share from 0 to 1")
	check(s.Times >= Unlimited, "times", s.Times, "-1 (without end) or more")
	check(s.Duration >= 0 && s.Duration <= latest, "duration", s.Duration, "0ps to %v", latest)
	check(s.Duration == 0 || r.Span != Moment, "duration", s.Duration, "none: %s has no duration", s.Kind)
	check(s.Value == 0 || r.Value != "", "value", s.Value, "none: %s has no value", s.Kind)
	return faults
}

// Names lists the kinds in order.
func Names() []string {
	names := make([]string, 0, NumKinds-1)
	for k := None + 1; k < NumKinds; k++ {
		names = append(names, Kinds[k].Name)
	}
	return names
}

// chooses reports whether the trigger selects among chances.
func (s *Spec) chooses() bool {
	return s.Count != 0 || s.Space != 0 || s.Interval != 0 || s.Probability != 0 || s.From != 0 || s.To != 0
}
