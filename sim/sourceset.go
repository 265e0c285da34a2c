package sim

import "math/bits"

// sourceSet is a set of small numbers: the sources of a link with messages.
type sourceSet []uint64

func newSourceSet(n int) sourceSet { return make(sourceSet, (n+63)/64) }

func (s sourceSet) add(i int)    { s[i>>6] |= 1 << (i & 63) }
func (s sourceSet) remove(i int) { s[i>>6] &^= 1 << (i & 63) }

func (s sourceSet) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// only returns the member of a set of one within its first word, which is where
// the sources of most links are; false for other sets.
func (s sourceSet) only() (int, bool) {
	if len(s) != 1 || s[0] == 0 || s[0]&(s[0]-1) != 0 {
		return 0, false
	}
	return bits.TrailingZeros64(s[0]), true
}

// appendFrom appends the members from on, then those before it, to list.
func (s sourceSet) appendFrom(list []int, from int) []int {
	word, mask := from>>6, ^uint64(0)<<(from&63)
	if word < len(s) {
		list = s.appendBits(list, word, s[word]&mask)
		for w := word + 1; w < len(s); w++ {
			list = s.appendBits(list, w, s[w])
		}
	}
	for w := 0; w < min(word, len(s)); w++ {
		list = s.appendBits(list, w, s[w])
	}
	if word < len(s) {
		list = s.appendBits(list, word, s[word]&^mask)
	}
	return list
}

func (sourceSet) appendBits(list []int, word int, b uint64) []int {
	for ; b != 0; b &= b - 1 {
		list = append(list, word<<6+bits.TrailingZeros64(b))
	}
	return list
}
