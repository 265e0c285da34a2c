package mem

// drainTicks is how long buffered writes alone may go without a wake-up.
const drainTicks = 1000

// visible returns a tick before which nothing that is still to be decided can
// be seen from outside, never when nothing is to be decided; now is the
// present tick, from which on decisions are still open.
func (c *channel) visible(now int64) int64 {
	next := max(c.next, now)
	if c.wide.on {
		return c.visibleWide(next)
	}
	at := never
	if !c.idle() {
		at = next + drainTicks
	}
	if h := c.queue[writes].head; h != none {
		at = c.writeVisible(h, next)
	}
	for _, i := range c.reading {
		if at = min(at, c.readVisible(i, next)); at < next+c.readLatency {
			break
		}
	}
	return at
}

// readVisible bounds the end of read piece i: its transactions share the data
// buses.
func (c *channel) readVisible(i int32, next int64) int64 {
	p := &c.pieces[i]
	n := p.unserved
	if p.left > 0 && (c.pending[writes] != 0 || c.queue[writes].head != none) {
		n = 1 // all others may be forwarded
	}
	ranks := int64(len(c.ranks))
	return next + (n+ranks-1)/ranks*c.burstLen - c.burstLen + c.readLatency - 1
}

// writeVisible bounds the end of write piece i, the first in the queue: the
// buffer empties by columns and, no faster, by activates.
func (c *channel) writeVisible(i int32, next int64) int64 {
	n := max(c.pieces[i].left-int64(c.limit[writes]-c.used[writes]), 1)
	if c.pieces[i].left > 1 {
		n = max(n-int64(c.limit[writes]), 1) // merged writes need no room
	}
	per := 2 * int64(len(c.ranks))
	return next + (n+per-1)/per*c.burstLen - c.burstLen + min(c.writeAck, c.readLatency) - 1
}

// visibleWide is visible for stripes: the next data or acceptance is no
// earlier than the shorter of their latencies.
func (c *channel) visibleWide(next int64) int64 {
	switch {
	case c.idle():
		return never
	case len(c.reading) == 0 && c.queue[writes].head == none:
		return next + drainTicks
	default:
		return next + min(c.readLatency, c.writeAck) - 1
	}
}
