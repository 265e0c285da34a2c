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
	below      uint     // index bits below the channel digit
	channelXor []uint64 // bits of the index above the channel digit whose parity flips each bit of the digit
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
// functions in processors). "^ch" is a channel hashed with all bits above it:
// hashChannel.
func parseMap(text string, d *device, channels int) (*addrMap, error) {
	width := [numFields]int{d.bits[2], d.bits[1], d.bits[0], d.rank[0] + d.rank[1], d.bits[3]}
	used := [numFields]int{}
	m := &addrMap{channels: uint64(channels)}
	sawChannel, rest := false, text
	for len(rest) > 0 {
		token, w, cut := lastToken(rest)
		rest = rest[:cut]
		unhashed, hashed := strings.CutSuffix(rest, "^")
		if hashed && token == fieldNames[fieldBank] {
			rest, m.hashed = unhashed, true
		}
		if token == "ch" && w < 0 && !sawChannel {
			sawChannel, m.below = true, m.bits
			if hashed {
				rest = unhashed
				m.hashChannel()
			}
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

// irreducible are polynomials over GF(2) by degree, bit k the coefficient of
// z^k: of each degree the smallest that is primitive.
var irreducible = [...]uint64{1, 0x3, 0x7, 0xb, 0x13, 0x25, 0x43, 0x83, 0x11d, 0x211, 0x409, 0x805, 0x1053, 0x201b, 0x402b, 0x8003, 0x1002d}

// hashChannel makes the channel pseudo-random as in B. R. Rau,
// "Pseudo-randomly interleaved memory" (ISCA 1991). With 2^a the largest power
// of two that divides the number of channels, the low a bits of the channel
// are those of its digit and then the bits above the digit, taken as one
// polynomial, modulo an irreducible polynomial of degree a. Any a consecutive
// of its bits give all 2^a remainders, so rows a power of two apart spread
// evenly over the channels; an odd factor spreads them by itself.
func (m *addrMap) hashChannel() {
	a := bits.TrailingZeros64(m.channels)
	p := irreducible[a]
	m.channelXor = make([]uint64, a)
	remainder := uint64(1) << a // z^(a+k), to be reduced
	for k := range 64 {
		if remainder>>a != 0 {
			remainder ^= p
		}
		for b := range m.channelXor {
			m.channelXor[b] |= remainder >> b & 1 << k
		}
		remainder <<= 1
	}
}

// flip returns what is exclusive-ored with the channel digit below an index
// above it: a permutation of the channels, its own inverse.
func (m *addrMap) flip(above uint64) (x uint64) {
	for b, mask := range m.channelXor {
		x |= uint64(bits.OnesCount64(above&mask)&1) << b
	}
	return x
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
	digit, above, low := m.digits(x)
	return int(digit ^ m.flip(above)), above<<m.below | low
}

// digits returns an index's channel digit and what is above and below it.
func (m *addrMap) digits(x uint64) (digit, above, low uint64) {
	low = x & (1<<m.below - 1)
	high := x >> m.below
	if m.channels&(m.channels-1) == 0 {
		return high & (m.channels - 1), high >> bits.TrailingZeros64(m.channels), low
	}
	return high % m.channels, high / m.channels, low
}

// span returns the in-channel indices [from, to) of channel c among the
// transactions [x0, x1]: consecutive, as below one index above the channel
// digit every channel stands once.
func (m *addrMap) span(c int, x0, x1 uint64) (from, to uint64) {
	return m.firstAtOrAfter(c, x0), m.firstAtOrAfter(c, x1+1)
}

// firstAtOrAfter returns the smallest in-channel index of channel c whose
// transaction index is at least x.
func (m *addrMap) firstAtOrAfter(c int, x uint64) uint64 {
	digit, above, low := m.digits(x)
	switch own := uint64(c) ^ m.flip(above); {
	case own == digit:
		return above<<m.below | low
	case own > digit:
		return above << m.below
	default:
		return (above + 1) << m.below
	}
}

// nextBlock returns the first transaction after x in another channel or with
// another index above the channel.
func (m *addrMap) nextBlock(x uint64) uint64 { return (x>>m.below + 1) << m.below }
