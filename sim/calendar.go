package sim

// Calendar is a unit that serves one request after another, in order: a packet
// parser, a port of a memory. Reserve when it is certain that nobody else comes
// before: at the event time of the request, as a rule. The zero value is free.
type Calendar struct{ free Time }

// Reserve takes the unit for d from the first moment it is free at or after
// now, and returns the interval.
func (c *Calendar) Reserve(now, d Time) (start, end Time) {
	start = max(now, c.free)
	c.free = start + d
	return start, c.free
}
