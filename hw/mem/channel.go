package mem

import (
	"fmt"
	"math/bits"
)

// never is later than every tick.
const never = int64(1) << 62

// none is the absence of an entry or piece.
const none = int32(-1)

// Buffers of a channel, also the index of an entry's kind.
const (
	reads = iota
	writes
)

// piece is a request's part in one channel: transactions [y, y+left) still to
// be admitted, unserved of them not done.
type piece struct {
	tag      int64 // the owner's name for it
	y        uint64
	left     int64
	unserved int64
	tick     int64 // arrival
	end      int64 // latest tick of data, or of acceptance, so far
	next     int32 // behind it in the queue; in the free list
	at       int32 // in channel.reading
}

// entry is a row run in a buffer: n transactions of one piece to one row.
type entry struct {
	age        int64 // order of arrival of the first transaction in its buffer
	tick       int64 // when it arrived
	row, col   int32
	n          int32
	piece      int32
	prev, next int32 // of the same bank and buffer; next in the free list
	bank       int32
	seen       bool // the first transaction has been counted as hit, miss or conflict
	write      bool
}

// bankState is a bank: its row, its waiting entries and its own timestamps.
type bankState struct {
	act, pre, rd, wr int64 // earliest tick of each command, as far as the bank goes
	row              int32 // open row, none when closed
	active           int32 // entry for which the row was opened, until its column command
	columns          int32 // column commands since the row was opened
	group, stack     int32
	rank             int32
	queue            [2]struct{ head, tail, hit, miss int32 } // by buffer; hit and miss: oldest of each
}

type groupState struct{ act, rd, wr int64 }

type stackState struct{ rd, wr int64 }

type rankState struct {
	act, pre, preAll, refresh, rd, wr int64
	faw                               [4]int64 // the last four activates
	fawAt                             int
	stacks                            []stackState
}

// owner hears about the pieces of a channel.
type owner interface {
	// finished: the last data of a read piece arrives at tick end; the
	// acceptance of a write piece is known at tick end.
	finished(c *channel, p int32, end int64)
}

// channel is a memory controller with its devices. Its time runs in ticks and
// is brought up to date by advance: what is decided at a tick depends on what
// arrived up to it.
type channel struct {
	*rules
	owner   owner
	index   int
	amap    *addrMap
	policy  policy
	gaps    [2][64]int64 // column to column by kind and difference of banks
	run     burstState
	sum     summary
	stats   *Stats
	tx      int64 // bytes of a transaction
	burstPs int64

	banks  []bankState
	groups []groupState
	stacks []stackState
	ranks  []rankState

	entries  []entry
	freeList int32
	pieces   []piece
	reading  []int32 // read pieces not done
	freePcs  int32
	queue    [2]struct{ head, tail int32 } // pieces not wholly admitted
	last     [2]int32                      // entry admitted last, by buffer

	used    [2]int32  // transactions in a buffer
	limit   [2]int32  // its size
	pending [2]uint64 // banks with entries in a buffer
	seq     [2]int64  // arrivals so far
	active  uint64    // banks with an active entry
	opened  uint64    // banks with an open (or opening) row
	inRank  []uint64  // banks of a rank
	writing bool      // draining writes

	next      int64 // tick to look at next; all before it is decided
	rowFrom   int64 // first tick at which the row bus (or the one bus) is free
	colFrom   int64
	admitted  int64 // tick of the last admission
	rowNext   int64 // earliest row command of the buffer in turn, as of the plan
	planned   bool  // plan is still right
	plan      choice
	refresher refresher
	act2      int32 // LPDDR5: bank between its two activate commands
	act2By    int64
	clockTo   int64 // LPDDR5: the data clock runs until here
}

// policy is what the configuration decides about a controller.
type policy struct {
	closeAfter int32 // 0: open rows
	high, low  int32 // of the write buffer: drain above high, stop below low
}

// newChannel returns a channel at tick 0 with all rows closed.
func newChannel(d *device, r *rules, amap *addrMap, cfg Config, index int, o owner, stats *Stats) *channel {
	c := &channel{rules: r, owner: o, index: index, amap: amap, stats: stats, tx: d.tx, burstPs: r.burstLen * d.tCK / r.tickDiv, freeList: none, freePcs: none, act2: none, next: never, admitted: -1}
	ranks := 1 << d.rank[0]
	stacks := ranks << d.rank[1]
	groups := stacks << d.bits[0]
	banks := groups << d.bits[1]
	c.stacks = make([]stackState, stacks)
	c.groups = make([]groupState, groups)
	c.ranks = make([]rankState, ranks)
	c.banks = make([]bankState, banks)
	c.inRank = make([]uint64, ranks)
	for i := range c.banks {
		b := &c.banks[i]
		b.row, b.active = none, none
		b.group = int32(i >> d.bits[1])
		field := b.group >> d.bits[0] // pseudo-channel in the low bits, stack id above
		b.rank = field & (1<<d.rank[0] - 1)
		b.stack = b.rank<<d.rank[1] | field>>d.rank[0]
		for k := range b.queue {
			q := &b.queue[k]
			q.head, q.tail, q.hit, q.miss = none, none, none, none
		}
		c.inRank[b.rank] |= 1 << i
	}
	for i := range c.ranks {
		c.ranks[i].faw = [4]int64{-never, -never, -never, -never}
		c.ranks[i].stacks = c.stacks[i<<d.rank[1] : (i+1)<<d.rank[1]]
	}
	for k := range c.queue {
		c.queue[k].head, c.queue[k].tail, c.last[k] = none, none, none
	}
	c.limit = [2]int32{int32(cfg.ReadEntries), int32(cfg.WriteEntries)}
	c.policy.high = int32(cfg.HighWatermark * float64(cfg.WriteEntries))
	c.policy.low = ceil(cfg.LowWatermark * float64(cfg.WriteEntries))
	if cfg.Policy == "closed" {
		c.policy.closeAfter = int32(cfg.CloseAfter)
	}
	for x := range c.banks {
		c.gaps[reads][x], c.gaps[writes][x] = c.gap(x, reads), c.gap(x, writes)
	}
	c.refresher.init(c, cfg.Refresh)
	return c
}

// gap returns the ticks between columns of banks whose numbers differ by an
// exclusive or of x. It must agree with columnTiming.
func (c *channel) gap(x int, kind int) int64 {
	near := &c.banks[x]
	groupL, groupS, stack := c.readL, c.readS, c.readR
	if kind == writes {
		groupL, groupS, stack = c.writeL, c.writeS, 0
	}
	switch {
	case near.rank != 0:
		return c.colLen
	case near.stack != 0:
		return max(c.colLen, c.burstLen, stack)
	case near.group != 0:
		return max(c.colLen, c.burstLen, groupS)
	default:
		return max(c.colLen, c.burstLen, groupL)
	}
}

func ceil(v float64) int32 {
	n := int32(v)
	if float64(n) < v {
		n++
	}
	return n
}

// idle reports that nothing waits or is under way.
func (c *channel) idle() bool {
	return c.pending[reads]|c.pending[writes]|c.active == 0 && c.act2 == none && c.queue[reads].head == none && c.queue[writes].head == none
}

// describe says what the channel holds, for reports of broken invariants.
func (c *channel) describe() string {
	return fmt.Sprintf("channel %d at tick %d: %d reads and %d writes buffered (banks %#x, %#x), %#x active, writing %t, next command at %d",
		c.index, c.next, c.used[reads], c.used[writes], c.pending[reads], c.pending[writes], c.active, c.writing, c.plan.at)
}

// newPiece returns a piece from the pool.
func (c *channel) newPiece(p piece) int32 {
	p.next = none
	if i := c.freePcs; i != none {
		c.freePcs = c.pieces[i].next
		c.pieces[i] = p
		return i
	}
	c.pieces = append(c.pieces, p)
	return int32(len(c.pieces) - 1)
}

// accept queues transactions [y, y+n) that arrive at a tick not before now.
func (c *channel) accept(kind int, tag int64, y uint64, n, tick int64) int32 {
	c.wake(tick)
	i := c.newPiece(piece{tag: tag, y: y, left: n, unserved: n, tick: tick})
	if kind == reads {
		c.pieces[i].at = int32(len(c.reading))
		c.reading = append(c.reading, i)
	}
	q := &c.queue[kind]
	if q.tail == none {
		q.head = i
	} else {
		c.pieces[q.tail].next = i
	}
	q.tail = i
	return i
}

// admit moves what has arrived by tick t into the buffers, as far as they have room.
func (c *channel) admit(t int64) {
	if c.admitted == t {
		return
	}
	c.admitted = t
	for kind := range c.queue {
		q := &c.queue[kind]
		for q.head != none && c.used[kind] < c.limit[kind] {
			i := q.head
			p := &c.pieces[i]
			if p.tick > t {
				break
			}
			c.admitRun(kind, i, t)
			p = &c.pieces[i]
			if p.left == 0 {
				q.head = p.next
				if q.head == none {
					q.tail = none
				}
				if kind == writes || p.unserved == 0 {
					c.finish(i)
				}
			}
		}
	}
}

// admitRun moves one row run of piece i, or what fits of it, into its buffer.
func (c *channel) admitRun(kind int, i int32, t int64) {
	p := &c.pieces[i]
	runEnd := (p.y>>c.amap.runBits + 1) << c.amap.runBits
	n := int32(min(p.left, int64(runEnd-p.y), int64(c.limit[kind]-c.used[kind])))
	at := c.amap.decode(p.y)
	p.y += uint64(n)
	p.left -= int64(n)
	if kind == writes {
		p.end = t + c.writeAck
	}
	c.insert(kind, i, at, n, t)
}

// insert puts n transactions of piece i into a buffer. Those that the write
// buffer holds already are merged into it or answered by it.
func (c *channel) insert(kind int, i int32, at coord, n int32, t int64) {
	for n > 0 {
		held, m := c.heldWrites(at, n)
		if !held {
			c.enter(kind, i, at, m, t)
		} else if kind == reads {
			c.stats.Forwarded += int64(m)
			p := &c.pieces[i]
			p.unserved -= int64(m)
			p.end = max(p.end, t+c.readLatency)
		}
		at.col += m
		n -= m
	}
}

// heldWrites reports whether the write buffer holds the first of n
// transactions, and for how many of them that goes on.
func (c *channel) heldWrites(at coord, n int32) (held bool, m int32) {
	if c.pending[writes]>>at.bank&1 == 0 {
		return false, n
	}
	for e := c.banks[at.bank].queue[writes].head; e != none; e = c.entries[e].next {
		w := &c.entries[e]
		if w.row != at.row {
			continue
		}
		if w.col <= at.col && at.col < w.col+w.n {
			return true, min(n, w.col+w.n-at.col)
		}
		if w.col > at.col {
			n = min(n, w.col-at.col)
		}
	}
	return false, n
}

// enter puts n transactions of piece i into a buffer, as part of the run that
// entered last where they continue it.
func (c *channel) enter(kind int, i int32, at coord, n int32, t int64) {
	c.used[kind] += n
	if c.used[kind] == n || c.used[writes] > c.policy.high {
		c.planned = false // the other buffer's turn may have come
	}
	age := c.seq[kind]
	c.seq[kind] += int64(n)
	if e := c.last[kind]; e != none {
		l := &c.entries[e]
		if l.piece == i && l.bank == at.bank && l.row == at.row && l.col+l.n == at.col {
			l.n += n
			return
		}
	}
	e := c.newEntry(entry{age: age, tick: t, row: at.row, col: at.col, n: n, piece: i, bank: at.bank, write: kind == writes})
	c.last[kind] = e
	c.link(kind, e)
}

func (c *channel) newEntry(e entry) int32 {
	if i := c.freeList; i != none {
		c.freeList = c.entries[i].next
		c.entries[i] = e
		return i
	}
	c.entries = append(c.entries, e)
	return int32(len(c.entries) - 1)
}

func (c *channel) freeEntry(i int32) {
	c.entries[i].next = c.freeList
	c.freeList = i
}

// link appends an entry to its bank's queue. Behind others it changes no plan,
// unless it is the first to use the open row.
func (c *channel) link(kind int, i int32) {
	e := &c.entries[i]
	b := &c.banks[e.bank]
	q := &b.queue[kind]
	e.prev, e.next = q.tail, none
	if q.head == none || e.row == b.row && q.hit == none {
		c.planned = false
	}
	if q.tail == none {
		q.head = i
		c.pending[kind] |= 1 << e.bank
	} else {
		c.entries[q.tail].next = i
	}
	q.tail = i
	if e.row == b.row {
		if q.hit == none {
			q.hit = i
		}
	} else if q.miss == none {
		q.miss = i
	}
	c.summarise(e.bank)
}

// unlink takes an entry out of its bank's queue.
func (c *channel) unlink(kind int, i int32) {
	e := &c.entries[i]
	b := &c.banks[e.bank]
	q := &b.queue[kind]
	if e.prev == none {
		q.head = e.next
	} else {
		c.entries[e.prev].next = e.next
	}
	if e.next == none {
		q.tail = e.prev
	} else {
		c.entries[e.next].prev = e.prev
	}
	if q.head == none {
		c.pending[kind] &^= 1 << e.bank
	}
	switch i {
	case q.hit:
		q.hit = c.firstFrom(e.next, b.row, true)
	case q.miss:
		q.miss = c.firstFrom(e.next, b.row, false)
	}
	if c.last[kind] == i {
		c.last[kind] = none
	}
	c.summarise(e.bank)
}

// firstFrom returns the first entry from i on whose row is (or is not) row.
func (c *channel) firstFrom(i, row int32, hit bool) int32 {
	for i != none && (c.entries[i].row == row) != hit {
		i = c.entries[i].next
	}
	return i
}

// setRow opens a row of a bank, or closes it, and sorts its entries anew.
func (c *channel) setRow(bank, row int32) {
	b := &c.banks[bank]
	b.row, b.columns = row, 0
	for k := range b.queue {
		q := &b.queue[k]
		if row == none {
			q.hit, q.miss = none, q.head
			continue
		}
		q.hit = c.firstFrom(q.head, row, true)
		q.miss = c.firstFrom(q.head, row, false)
	}
	if row == none {
		c.opened &^= 1 << bank
	} else {
		c.opened |= 1 << bank
	}
	c.summarise(bank)
}

// serve notes that n transactions of read piece i have been read, the last
// with its data at tick end.
func (c *channel) serve(i int32, n, end int64) {
	p := &c.pieces[i]
	p.unserved -= n
	p.end = max(p.end, end)
	if p.unserved == 0 && p.left == 0 {
		c.finish(i)
	}
}

// finish tells the owner that piece i is done.
func (c *channel) finish(i int32) {
	c.owner.finished(c, i, c.pieces[i].end)
	p := &c.pieces[i]
	if at := p.at; int(at) < len(c.reading) && c.reading[at] == i {
		n := len(c.reading) - 1
		c.reading[at] = c.reading[n]
		c.pieces[c.reading[at]].at = at
		c.reading = c.reading[:n]
	}
	p.next = c.freePcs
	c.freePcs = i
}

// lowest returns the number of the lowest bank of a set.
func lowest(set uint64) int32 { return int32(bits.TrailingZeros64(set)) }

// drainTicks is how long buffered writes alone may go without a wake-up.
const drainTicks = 1000

// visible returns a tick before which nothing that is still to be decided can
// be seen from outside, never when nothing is to be decided; now is the
// present tick, from which on decisions are still open.
func (c *channel) visible(now int64) int64 {
	next := max(c.next, now)
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
