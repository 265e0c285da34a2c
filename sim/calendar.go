package sim

// Calendar is a unit that serves one request after another, in order: a packet
// parser, a port of a memory. Reserve at the event time of the request, never into
// the future on behalf of others. The zero value is free.
type Calendar struct{ free Time }

// Reserve takes the unit for d from the first moment it is free at or after
// now, and returns the interval.
func (c *Calendar) Reserve(now, d Time) (start, end Time) {
	start = max(now, c.free)
	c.free = start + d
	return start, c.free
}
