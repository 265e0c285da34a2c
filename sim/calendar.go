package sim

// Calendar is a unit that serves one request after another, in order: an
// array, a packet parser. Reserve at the event time of the request, never into
// the future on behalf of others.
type Calendar struct {
	free Time
	busy Time
}

// Reserve takes the unit for d from the first moment it is free at or after
// now, and returns the interval.
func (c *Calendar) Reserve(now, d Time) (start, end Time) {
	start = max(now, c.free)
	c.free = start + d
	c.busy += d
	return start, c.free
}

// Free returns when the unit is next free.
func (c *Calendar) Free() Time { return c.free }

// Busy returns the time reserved so far.
func (c *Calendar) Busy() Time { return c.busy }

// Counter declares the time reserved so far under a name that ends in `_ps`.
func (c *Calendar) Counter(name, help string) Counter { return Counter{name, help, (*int64)(&c.busy)} }
