package mem

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// Fields of a transaction's address. The map string lists them from the most
// to the least significant, each by its two letters: "robabgracoch".
const (
	fieldRow = iota
	fieldBank
	fieldGroup
	fieldRank // rank, or pseudo-channel and stack id
	fieldColumn
	numFields
)

var fieldNames = [numFields]string{"ro", "ba", "bg", "ra", "co"}

// bitPart is a run of address bits that belong to one field.
type bitPart struct {
	field int
	from  uint // lowest bit in the in-channel index
	mask  uint64
	to    uint // lowest bit in the field
}

// addrMap splits a transaction index into channel and device coordinates.
// Removing the channel digit turns an index x into the in-channel index y, and
// consecutive x of one channel are consecutive y.
type addrMap struct {
	channels   uint64
	below      uint // index bits below the channel digit
	parts      []bitPart
	runBits    uint // the lowest bits of y that are all column bits
	bits       uint // bits of y
	stripeBits uint // the lowest bits of y, within a stripe; 0 if there are none
	bankOf     [numFields]uint
	hashed     bool // the bank is exclusive-ored with row bits
}

// coord is a transaction within its channel.
type coord struct {
	bank int32 // flat: rank, group, bank
	row  int32
	col  int32
}

// parseMap reads a field string. Every field stands once; a field may stand
// more than once when all but its most significant part carry a width in
// bits, as in "robabgracochco2" (the two lowest column bits below the channel).
// "^ba" is a bank exclusive-ored with all bits of the row, so that streams a
// power of two apart do not meet in one bank ("A permutation-based page
// interleaving scheme", MICRO 2000; "DRAMA", USENIX Security 2016, finds such
// functions in processors).
func parseMap(text string, d *device, channels int) (*addrMap, error) {
	width := [numFields]int{d.bits[2], d.bits[1], d.bits[0], d.rank[0] + d.rank[1], d.bits[3]}
	used := [numFields]int{}
	m := &addrMap{channels: uint64(channels)}
	sawChannel, rest := false, text
	for len(rest) > 0 {
		token, w, cut := lastToken(rest)
		rest = rest[:cut]
		if hashed, ok := strings.CutSuffix(rest, "^"); ok && token == fieldNames[fieldBank] {
			rest, m.hashed = hashed, true
		}
		if token == "ch" && w < 0 && !sawChannel {
			sawChannel, m.below = true, m.bits
			continue
		}
		f := fieldIndex(token)
		if f < 0 || token == "ch" {
			return nil, fmt.Errorf("%q is no field, or stands twice", token)
		}
		if w < 0 {
			w = width[f] - used[f]
			if used[f] > 0 && w == 0 {
				return nil, fmt.Errorf("field %q stands twice without a width", token)
			}
		}
		if used[f]+w > width[f] {
			return nil, fmt.Errorf("field %q takes more than its %d bits", token, width[f])
		}
		m.add(f, w, used[f])
		used[f] += w
	}
	for f, name := range fieldNames {
		if used[f] != width[f] {
			return nil, fmt.Errorf("field %q covers %d of its %d bits", name, used[f], width[f])
		}
	}
	if !sawChannel {
		return nil, errors.New(`field "ch" is missing`)
	}
	m.findStripe(width[fieldGroup])
	m.bankOf = [numFields]uint{fieldGroup: uint(width[fieldBank]), fieldRank: uint(width[fieldBank] + width[fieldGroup])}
	return m, nil
}

// stripeBits bounds a stripe where the map does not: 32 transactions are 1 KiB
// of HBM.
const stripeBits = 5

// findStripe looks for column bits with all of the bank group right above
// them, lowest in a channel. Column bits above those belong to the stripe too.
func (m *addrMap) findStripe(groupBits int) {
	p := m.parts
	if len(p) < 2 || p[0].field != fieldColumn || p[1].field != fieldGroup || groupBits == 0 || bits.OnesCount64(p[1].mask) != groupBits {
		return
	}
	m.stripeBits = p[1].from + uint(groupBits)
	if len(p) > 2 && p[2].field == fieldColumn {
		above := uint(bits.OnesCount64(p[2].mask))
		m.stripeBits = max(m.stripeBits, min(m.stripeBits+above, stripeBits))
	}
}

// lastToken splits the last field off: its name, its width or -1, and where it starts.
func lastToken(s string) (name string, width, cut int) {
	end := len(s)
	for end > 0 && s[end-1] >= '0' && s[end-1] <= '9' {
		end--
	}
	width = -1
	if end < len(s) {
		width = 0
		for _, c := range s[end:] {
			width = min(width*10+int(c-'0'), 99)
		}
	}
	cut = max(end-2, 0)
	return strings.ToLower(s[cut:end]), width, cut
}

func fieldIndex(name string) int {
	for i, n := range fieldNames {
		if n == name {
			return i
		}
	}
	return -1
}

// add appends w bits of a field above the bits placed so far.
func (m *addrMap) add(f, w, to int) {
	if w == 0 {
		return
	}
	if f == fieldColumn && m.runBits == m.bits {
		m.runBits += uint(w)
	}
	m.parts = append(m.parts, bitPart{f, m.bits, 1<<w - 1, uint(to)})
	m.bits += uint(w)
}

// decode splits an in-channel index.
func (m *addrMap) decode(y uint64) coord {
	var v [numFields]uint64
	for i := range m.parts {
		p := &m.parts[i]
		v[p.field] |= y >> p.from & p.mask << p.to
	}
	if m.hashed {
		h, w := v[fieldRow], m.bankOf[fieldGroup]
		h ^= h >> (8 * w)
		h ^= h >> (4 * w)
		h ^= h >> (2 * w)
		v[fieldBank] ^= (h ^ h>>w) & (1<<w - 1)
	}
	bank := v[fieldBank] | v[fieldGroup]<<m.bankOf[fieldGroup] | v[fieldRank]<<m.bankOf[fieldRank]
	return coord{int32(bank), int32(v[fieldRow]), int32(v[fieldColumn])}
}

// split turns an index into its channel and in-channel index.
func (m *addrMap) split(x uint64) (channel int, y uint64) {
	low := x & (1<<m.below - 1)
	high := x >> m.below
	if m.channels&(m.channels-1) == 0 {
		return int(high & (m.channels - 1)), high>>bits.TrailingZeros64(m.channels)<<m.below | low
	}
	return int(high % m.channels), high/m.channels<<m.below | low
}

// span returns the in-channel indices [from, to) of channel c among the
// transactions [x0, x1]: consecutive, as the channel is one digit of x.
func (m *addrMap) span(c int, x0, x1 uint64) (from, to uint64) {
	return m.firstAtOrAfter(c, x0), m.firstAtOrAfter(c, x1+1)
}

// firstAtOrAfter returns the smallest in-channel index of channel c whose
// transaction index is at least x.
func (m *addrMap) firstAtOrAfter(c int, x uint64) uint64 {
	at, y := m.split(x)
	switch {
	case c == at:
		return y
	case c > at:
		return y >> m.below << m.below
	default:
		return (y>>m.below + 1) << m.below
	}
}
