package mem

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Pattern is a stream of transactions on device coordinates, by name:
// seq, rand, stride<S>, triad and conflict<K>, with _rd, _wr or _rw21 (every
// third a write) behind.
type Pattern struct {
	name   string
	shape  shape
	arg    uint64
	writes share
}

// shape is a pattern's sequence of addresses.
type shape uint8

const (
	sequential shape = iota
	random
	triad
	strided
	conflict
)

var shapes = map[string]shape{"seq": sequential, "rand": random, "triad": triad, "stride": strided, "conflict": conflict}

// numbered reports whether a shape takes a count.
func (s shape) numbered() bool { return s >= strided }

// share is which of a pattern's transactions write.
type share uint8

const (
	noWrites share = iota
	allWrites
	everyThird
)

var shares = map[string]share{"rd": noWrites, "wr": allWrites, "rw21": everyThird}

// has reports whether transaction i is a write.
func (s share) has(i int64) bool { return s == allWrites || s == everyThird && i%3 == 2 }

// ParsePattern reads a pattern's name. A triad is rw21 of itself, stride and
// conflict are rd unless they say otherwise.
func ParsePattern(name string) (Pattern, error) {
	p := Pattern{name: name}
	base, mix, found := strings.Cut(name, "_")
	word := strings.TrimRight(base, "0123456789")
	if digits := base[len(word):]; digits != "" {
		v, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || v == 0 {
			return p, fmt.Errorf("%q is not a pattern: %s is no count from 1 to %d", name, digits, uint32(math.MaxUint32))
		}
		p.arg = v
	}
	var known bool
	p.shape, known = shapes[word]
	switch {
	case !known:
		return p, fmt.Errorf("%q is not a pattern; there are seq, rand, triad, stride<S> and conflict<K> with _rd, _wr or _rw21", name)
	case p.shape.numbered() != (p.arg > 0):
		return p, fmt.Errorf("%q is not a pattern: stride and conflict take a count, the others none", name)
	case found:
	case p.shape == triad:
		mix = "rw21"
	case p.shape.numbered():
		mix = "rd"
	}
	if p.writes, known = shares[mix]; !known {
		return p, fmt.Errorf("%q is not a pattern: it ends in _rd, _wr or _rw21", name)
	}
	return p, nil
}

// On returns what is wrong with the pattern on a device: one channel has to have
// the banks of a conflict, or rows would stay open.
func (p Pattern) On(device string) error {
	d := deviceNamed(device)
	if d == nil || p.shape != conflict {
		return nil
	}
	if banks := uint64(1) << (d.rank[0] + d.rank[1] + d.bits[0] + d.bits[1]); p.arg > banks {
		return fmt.Errorf("%q visits %d banks of a channel in turn; one of %s has %d", p.name, p.arg, d.name, banks)
	}
	return nil
}

func (p Pattern) String() string { return p.name }

// source yields a pattern's transactions in order.
type source struct {
	Pattern
	amap  *addrMap
	dev   *device
	total uint // bits of the capacity in transactions
	state uint64
}

func newSource(p Pattern, amap *addrMap, dev *device) *source {
	total := amap.bits + uint(bits.Len64(amap.channels)-1)
	return &source{Pattern: p, amap: amap, dev: dev, total: total, state: 12345}
}

// next returns transaction i: channel and device coordinates, and its
// in-channel index.
func (s *source) next(i int64) (channel int, at coord) {
	u := uint64(i)
	var x uint64
	switch s.shape {
	case sequential:
		x = u
	case random:
		s.state += 0x9e3779b97f4a7c15
		x = mix(s.state)
	case strided:
		x = u*s.arg + u*s.arg>>s.total
	case triad:
		x = u/3 + u%3<<(s.total-2)
	case conflict:
		return 0, s.conflict(u)
	}
	channel, y := s.amap.split(x & (1<<s.total - 1))
	return channel, s.amap.decode(y)
}

// conflict visits K banks in turn, bank group lowest, a new row every time.
func (s *source) conflict(u uint64) coord {
	k, row := u%s.arg, u/s.arg
	gb, bb, rb := s.dev.bits[0], s.dev.bits[1], s.dev.rank[0]+s.dev.rank[1]
	group := k & (1<<gb - 1)
	bank := k >> gb & (1<<bb - 1)
	rank := k >> (gb + bb) & (1<<rb - 1)
	return coord{bank: int32(rank<<(gb+bb) | group<<bb | bank), row: int32(row & (1<<s.dev.bits[2] - 1))}
}

// Mode says when a pattern's requests are offered: "sat" in order until
// refused, "mlp<K>" with at most K reads outstanding and writes as they find room, "rate<P>" in an open
// loop at P percent of the peak.
type Mode struct {
	name string
	mlp  int
	rate int
}

// ParseMode reads a mode's name.
func ParseMode(name string) (Mode, error) {
	m := Mode{name: name}
	for prefix, v := range map[string]*int{"mlp": &m.mlp, "rate": &m.rate} {
		digits, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(digits)
		switch {
		case err != nil || n < 1:
			return m, fmt.Errorf("%q is not a mode: %q is no count from 1 on", name, digits)
		case prefix == "rate" && n > 100:
			return m, fmt.Errorf("%q is not a mode: rate is 1 to 100 percent of the peak", name)
		}
		*v = n
		return m, nil
	}
	if name != "sat" {
		return m, fmt.Errorf("%q is not a mode; there are sat, mlp<K> and rate<P>", name)
	}
	return m, nil
}

func (m Mode) String() string { return m.name }
