package mmu

// dirCache is a small fully-associative cache of directory entries with least
// recently used replacement.
type dirCache[V any] struct {
	keys   []uint64 // key + 1; 0 is free
	used   []uint64
	values []V
	clock  uint64 // counts what may change where a key leads, or which goes next
	last   int
}

func newDirCache[V any](n int) *dirCache[V] {
	return &dirCache[V]{keys: make([]uint64, n), used: make([]uint64, n), values: make([]V, n)}
}

// lookup returns a key's value, nil if it is not cached. It stays valid until
// the next insert or drop.
func (c *dirCache[V]) lookup(key uint64) *V {
	if c.keys[c.last] != key+1 {
		found := -1
		for i, k := range c.keys {
			if k == key+1 {
				found = i
				break
			}
		}
		if found < 0 {
			return nil
		}
		c.last = found
	}
	c.clock++
	c.used[c.last] = c.clock
	return &c.values[c.last]
}

func (c *dirCache[V]) insert(key uint64, v V) {
	if at := c.lookup(key); at != nil {
		*at = v
		return
	}
	victim := 0
	for i := range c.keys {
		if c.keys[i] == 0 {
			victim = i
			break
		}
		if c.used[i] < c.used[victim] {
			victim = i
		}
	}
	c.clock++
	c.keys[victim], c.used[victim], c.values[victim] = key+1, c.clock, v
}

// drop removes the entries with key & mask == want.
func (c *dirCache[V]) drop(want, mask uint64) {
	c.clock++
	for i, k := range c.keys {
		if k != 0 && (k-1)&mask == want {
			c.keys[i] = 0
		}
	}
}
