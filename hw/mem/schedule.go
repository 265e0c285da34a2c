package mem

import "math/bits"

// Commands a controller chooses among.
const (
	cmdColumn = iota // read or write the entry's transaction
	cmdActivate
	cmdActivate2 // second half, LPDDR5
	cmdPrecharge
	cmdPrechargeAll // of a rank, before its refresh
	cmdRefresh
)

// refreshing is the kind of a choice made for a refresh rather than an entry.
const refreshing = 2

// choice is a command and the tick at which it can be issued. It has four fields,
// not more: what the compiler keeps in registers.
type choice struct {
	at   int64
	age  int64 // of a waiting entry: the older goes first
	bank int32 // or rank, of cmdPrechargeAll and an all-bank cmdRefresh
	act  action
}

// action is a command, the buffer its entry is in, and whether the entry is the
// bank's active one.
type action uint32

func actionOf(cmd, kind int8) action { return action(cmd) | action(kind)<<8 }

const ofActive action = 1 << 16

func (a action) cmd() int8    { return int8(a) }
func (a action) kind() int    { return int(a >> 8 & 0xff) }
func (a action) active() bool { return a&ofActive != 0 }

var noChoice = choice{at: never}

// odd returns the first odd tick from t on.
func odd(t int64) int64 { return t | 1 }

// columnAt returns when bank b could take a read or write.
func (c *channel) columnAt(b *bankState, write bool) int64 {
	g, s, r := &c.groups[b.group], &c.stacks[b.stack], &c.ranks[b.rank]
	var t int64
	if write {
		t = max(b.wr, g.wr, s.wr, r.wr, c.colFrom)
	} else {
		t = max(b.rd, g.rd, s.rd, r.rd, c.colFrom)
	}
	if c.rising {
		t = odd(t)
	}
	return t
}

// summary is what pickWaiting needs of the banks, kept up to date by
// summarise so that a scan touches little memory.
type summary struct {
	rowReady [64]int64    // next row command: precharge of an open bank, activate of a closed one; group included
	rowKey   [2][64]int64 // by buffer: age of the entry that wants it, then the bank
	hits     [2]uint64    // banks with an entry for the open row
	misses   [2]uint64    // open banks with an entry that may close the row
}

// A key orders row commands: 21 bits of ticks to go, 36 of age, 6 of bank.
const (
	bankBits = 6
	keyBits  = 42
)

// summarise renews the summary of a bank.
func (c *channel) summarise(i int32) {
	b := &c.banks[i]
	bit := uint64(1) << i
	s := &c.sum
	if b.row == none {
		s.rowReady[i] = max(b.act, c.groups[b.group].act)
	} else {
		s.rowReady[i] = b.pre
	}
	for k := range b.queue {
		q := &b.queue[k]
		s.hits[k] &^= bit
		s.misses[k] &^= bit
		switch {
		case q.head == none:
		case b.row == none:
			s.rowKey[k][i] = c.entries[q.head].age<<bankBits | int64(i)
		default:
			if q.hit != none {
				s.hits[k] |= bit
			}
			if q.miss != none && b.active == none && (q.hit == none || c.entries[q.miss].tick < c.entries[q.hit].tick) {
				s.misses[k] |= bit
				s.rowKey[k][i] = c.entries[q.miss].age<<bankBits | int64(i)
			}
		}
	}
}

// decide returns the next command from tick t on and its tick, given what has
// arrived. First come entries whose row was opened for them, then refreshes,
// then whatever is first ready in the buffer in turn, the older of equals.
func (c *channel) decide(t int64) choice {
	c.colFrom, c.rowFrom = max(c.colFrom, t), max(c.rowFrom, t)
	if c.split {
		return c.decideSplit(t)
	}
	first := c.pickActive()
	c.rowNext = t
	if c.refresher.pending() {
		return earlier(first, c.pickRefresh())
	}
	if !c.dual && first.at == t {
		return first
	}
	c.turn()
	col, row := c.pickWaiting()
	c.rowNext = row.at
	if c.dual {
		return earlier(earlier(first, col), row)
	}
	if col.at < row.at || col.at == row.at && col.age < row.age {
		row = col
	}
	return earlier(first, row)
}

// earlier returns the choice that comes first in time, a of equals.
func earlier(a, b choice) choice {
	if b.at < a.at {
		return b
	}
	return a
}

// turn decides which buffer is served: writes when their buffer is above the
// high watermark or there is nothing to read, until it is below the low one.
func (c *channel) turn() {
	if c.turns() {
		c.writing = !c.writing
	}
}

// turns reports that the other buffer's turn has come.
func (c *channel) turns() bool {
	if c.writing {
		return c.used[writes] < c.policy.low && c.used[reads] > 0
	}
	return c.used[writes] > c.policy.high || c.used[reads] == 0
}

// pickActive returns the first column command among active entries.
func (c *channel) pickActive() choice {
	best, tick, age := noChoice, never, never
	for set := c.active; set != 0; set &= set - 1 {
		i := lowest(set)
		b := &c.banks[i]
		e := &c.entries[b.active]
		at := c.columnAt(b, e.write)
		if at < best.at || at == best.at && (e.tick < tick || e.tick == tick && e.age < age) {
			tick, age = e.tick, e.age
			best = choice{at: at, bank: i, act: actionOf(cmdColumn, e.kind()) | ofActive}
		}
	}
	return best
}

func (e *entry) kind() int8 {
	if e.write {
		return writes
	}
	return reads
}

// pickWaiting returns the first column command and the first row command of
// the buffer in turn. An entry does not close a row that an older one needs.
func (c *channel) pickWaiting() (col, row choice) {
	kind := int8(reads)
	if c.writing {
		kind = writes
	}
	s := &c.sum
	row = noChoice
	row.age = never
	closed, misses := c.pending[kind]&^c.opened, s.misses[kind]
	if c.act2 != none {
		closed = 0 // no activate comes between the halves of another
	}
	for r := range c.ranks {
		k := &c.ranks[r]
		row = c.pickRow(row, closed&c.inRank[r], max(k.act, c.rowFrom), kind, cmdActivate)
		row = c.pickRow(row, misses&c.inRank[r], max(k.pre, c.rowFrom), kind, cmdPrecharge)
	}
	col = noChoice
	for set := s.hits[kind]; set != 0; set &= set - 1 {
		i := lowest(set)
		b := &c.banks[i]
		if at := c.columnAt(b, kind == writes); at <= col.at {
			if age := c.entries[b.queue[kind].hit].age; at < col.at || age < col.age {
				col = choice{at: at, age: age, bank: i, act: actionOf(cmdColumn, kind)}
			}
		}
	}
	return col, row
}

// pickRow improves the best row command by those of a set of banks, none of
// them before tick from. Time, age and bank are compared as one number, which
// spares the branches.
func (c *channel) pickRow(best choice, set uint64, from int64, kind, cmd int8) choice {
	if set == 0 {
		return best
	}
	align := int64(0)
	if c.rising && cmd == cmdActivate {
		align = 1
	}
	ready, keys := &c.sum.rowReady, &c.sum.rowKey[kind]
	least := never
	for ; set != 0; set &= set - 1 {
		i := bits.TrailingZeros64(set) & 63
		at := max(ready[i], from) | align
		least = min(least, (at-from)<<keyBits|keys[i])
	}
	at, age := from+least>>keyBits, least&(1<<keyBits-1)>>bankBits
	if at < best.at || at == best.at && age < best.age {
		return choice{at: at, age: age, bank: int32(least & (1<<bankBits - 1)), act: actionOf(cmd, kind)}
	}
	return best
}

// pickRefresh returns the command that the oldest refresh request needs next.
func (c *channel) pickRefresh() choice {
	id := c.refresher.queue[c.refresher.head]
	if c.refresher.mode == refreshBanks {
		return c.pickBankRefresh(id)
	}
	r := &c.ranks[id]
	if set := c.inRank[id]; c.opened&set != 0 {
		if c.active&set != 0 || c.act2 != none && set>>c.act2&1 != 0 {
			return noChoice // a row was just opened for somebody
		}
		return choice{at: max(r.pre, r.preAll, c.rowFrom), bank: id, act: actionOf(cmdPrechargeAll, 0)}
	}
	at := max(r.refresh, c.rowFrom)
	if c.rising {
		at = odd(at)
	}
	return choice{at: at, bank: id, act: actionOf(cmdRefresh, 0)}
}

func (c *channel) pickBankRefresh(id int32) choice {
	b := &c.banks[id]
	r := &c.ranks[b.rank]
	if c.opened>>id&1 != 0 {
		if c.active>>id&1 != 0 || c.act2 == id {
			return noChoice
		}
		return choice{at: max(b.pre, r.pre, c.rowFrom), bank: id, act: actionOf(cmdPrecharge, refreshing)}
	}
	at := max(b.act+c.actLen-1, r.refresh, r.act, c.rowFrom)
	if c.rising {
		at = odd(at)
	}
	return choice{at: at, bank: id, act: actionOf(cmdRefresh, 0)}
}

// decideSplit is decide for activates in two commands: the second follows
// within act2By ticks, when nothing else can go or its time is up, and no other
// activate comes between.
func (c *channel) decideSplit(t int64) choice {
	second := choice{at: max(t, c.rowFrom), bank: c.act2, act: actionOf(cmdActivate2, 0)}
	if c.act2 == none {
		second.at = never
	} else if c.act2By <= t {
		return second
	}
	best := c.pickActive()
	c.rowNext = t
	if c.refresher.pending() {
		best = earlier(best, c.pickRefresh())
	} else if best.at > t {
		c.turn()
		col, row := c.pickWaiting()
		c.rowNext = row.at
		if col.at < row.at || col.at == row.at && col.age < row.age {
			row = col
		}
		best = earlier(best, row)
	}
	if second.at < best.at || c.act2 != none && best.act.cmd() == cmdColumn && c.needsClock(best.at) && c.act2By <= best.at+1 {
		return second
	}
	return best
}

// needsClock reports that a column command at tick t must first start the
// data clock, which takes the slot before it.
func (c *channel) needsClock(t int64) bool { return c.split && t >= c.clockTo }
