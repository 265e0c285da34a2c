package core

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// memUnit is a core's load or store unit: it cuts the rows of its operations
// into requests, keeps at most Outstanding of them in flight, and completes
// operations in order. A request ends when it has crossed the core's port:
// PortBytes a cycle and direction, overlapping with its way through memory. It
// holds its place among the outstanding ones until then.
type memUnit struct {
	c     *core
	op    hw.Op
	unit  int
	queue ring[memOp]
	cur   *memOp // partly issued
	reqs  []hw.Request
	sent  []flight
	free  []int32

	portFree  sim.Time
	sizeBytes int64    // of the last request's size
	sizeTime  sim.Time // its time through the port
	done      sim.Handler
	landed    sim.Handler
	since     sim.Time // bytes moved since then,
	moved     int64
	wants     int64  // and what that says the unit wants of the scratchpad
	staging   []byte // RequestBytes for each request, when values count
}

// flight is what a request in flight belongs to.
type flight struct {
	op     *memOp
	linear int64 // payload offset
	at     sim.Time
}

func (m *memUnit) init(c *core, unit int, op hw.Op, name string) {
	n := c.cfg.Core.Outstanding
	*m = memUnit{c: c, unit: unit, op: op, reqs: make([]hw.Request, n), sent: make([]flight, n), free: make([]int32, 0, n)}
	m.done = c.e.Register(name+" request", m.arrive)
	m.landed = c.e.Register(name+" port", m.land)
	if c.spad.bytes != nil {
		m.staging = make([]byte, n*int(c.cfg.Core.RequestBytes))
	}
	for i := n - 1; i >= 0; i-- {
		m.free = append(m.free, int32(i))
		m.reqs[i] = hw.Request{Op: op, Space: hw.Context, Done: sim.Call{H: m.done, Arg: uint64(i)}}
	}
}

// issue starts operations and sends requests as far as order and the bound on
// requests allow, and reports whether an operation completed at once.
func (m *memUnit) issue() (completed bool) {
	base := m.c.bill
	for !m.c.stopped() {
		if m.cur == nil && !m.begin(&base) {
			break
		}
		for m.cur.runs > 0 && len(m.free) > 0 {
			m.send(m.cur)
		}
		if m.cur.runs > 0 {
			break
		}
		o := m.cur
		m.cur, o.issued = nil, true
		base = o.path(m.c.e.Now())
		if o.pending == 0 {
			completed = m.retire() || completed
		}
	}
	return completed
}

// begin starts the next operation if it may, with the path that led here.
func (m *memUnit) begin(base *hw.Bill) bool {
	if !m.queue.waiting() {
		return false
	}
	o := m.queue.at(m.queue.next)
	if !m.c.take(&o.token) {
		return false
	}
	m.queue.next++
	o.start, o.bill = m.c.e.Now(), *base
	o.prepare()
	if o.gather != 0 && !m.c.checkIndices(o) {
		return false
	}
	if o.wipe > 0 {
		m.c.exec.zero(m.c, o.wipeAt, o.wipe)
	}
	m.cur = o
	if m.queue.next == m.queue.head+1 { // the first after a rest
		m.since, m.moved = o.start, 0
		m.c.want(m.unit, m.wants)
	}
	return true
}

// send issues the next request of o. Requests end at multiples of their largest
// size, so that none crosses a page.
func (m *memUnit) send(o *memOp) {
	c := m.c
	addr := m.addr(o) + uint64(o.off)
	most := int64(c.cfg.Core.RequestBytes)
	n := min(o.runSize-o.off, most-int64(addr&uint64(most-1)))
	i := m.free[len(m.free)-1]
	m.free = m.free[:len(m.free)-1]
	m.sent[i] = flight{o, o.linear, c.e.Now()}
	r := &m.reqs[i]
	r.Source, r.ASID, r.Addr, r.Bytes = c.source(), c.run.launch.ASID, addr, n
	r.Data, r.Zero = nil, false
	m.data(r, o, i)
	o.off, o.linear = o.off+n, o.linear+n
	if o.off == o.runSize {
		o.off, o.run, o.runs = 0, o.run+1, o.runs-1
	}
	o.pending++
	c.inflight++
	r.Send(c.port)
}

func (m *memUnit) addr(o *memOp) uint64 {
	if o.gather == 0 {
		return o.runAddr()
	}
	return o.addr + uint64(m.c.index(o, o.run))*o.rowStride
}

// data gives a request its bytes: control always, payload when values count.
func (m *memUnit) data(r *hw.Request, o *memOp, i int32) {
	switch {
	case o.into == toIndices:
		at := o.spad + o.linear
		r.Data = m.c.indices[at : at+r.Bytes]
	case m.staging != nil:
		size := int64(m.c.cfg.Core.RequestBytes)
		r.Data = m.staging[int64(i)*size:][:r.Bytes]
		if m.op == hw.Write {
			m.c.exec.gather(m.c, r.Data, o, o.linear)
		}
	}
}

// arrive is a request's completion by the memory side.
func (m *memUnit) arrive(slot uint64) {
	c, r, f := m.c, &m.reqs[slot], &m.sent[slot]
	now := c.e.Now()
	m.portFree = max(m.portFree, f.at) + m.portTime(r.Bytes)
	end := max(now, m.portFree)
	m.account(f, r, now, end)
	if r.Status != hw.OK {
		c.run.stop(r.Status.Code(), r.FaultAddr)
	} else if m.op == hw.Read {
		m.take(r, f)
	}
	if end > now {
		c.e.At(end, sim.Call{H: m.landed, Arg: slot})
		return
	}
	m.land(slot)
}

// take takes what a read brought. Indices are where they belong already.
func (m *memUnit) take(r *hw.Request, f *flight) {
	switch {
	case f.op.into != toIndices && m.staging != nil:
		m.c.exec.scatter(m.c, r, f.op, f.linear)
	case f.op.into == toIndices && r.Zero:
		clear(r.Data)
	}
}

// account adds a request to its operation's times and the core's counts.
func (m *memUnit) account(f *flight, r *hw.Request, now, end sim.Time) {
	o, stalled := f.op, min(r.Stalled, now-f.at)
	m.moved += r.Bytes
	o.waited += end - f.at
	o.stalled += stalled
	o.ported += end - now
	if r.Remote {
		o.remote += now - f.at - stalled
	}
	if m.op == hw.Read {
		m.c.total.LoadBytes += r.Bytes
		m.c.total.LoadRequests++
	} else {
		m.c.total.StoreBytes += r.Bytes
		m.c.total.StoreRequests++
	}
}

// portTime returns how long n bytes take through the port.
func (m *memUnit) portTime(n int64) sim.Time {
	if n != m.sizeBytes {
		m.sizeBytes = n
		m.sizeTime = m.c.clock.Duration(ceilDiv(n, int64(m.c.cfg.Core.PortBytes)))
	}
	return m.sizeTime
}

// land ends a request.
func (m *memUnit) land(slot uint64) {
	c, o := m.c, m.sent[slot].op
	m.free = append(m.free, int32(slot))
	m.sent[slot].op = nil
	o.pending--
	c.inflight--
	if c.stopped() {
		c.settle()
		return
	}
	if o.pending == 0 && o.issued && m.retire() {
		c.advance()
	} else if m.cur != nil && m.issue() {
		c.advance()
	}
}

// retire completes operations in order; it reports whether one did.
func (m *memUnit) retire() bool {
	c, q, some := m.c, &m.queue, false
	for q.head < q.next {
		o := q.at(q.head)
		if !o.issued || o.pending > 0 {
			break
		}
		q.head++
		some = true
		c.bill = o.path(c.e.Now())
		c.complete(m.unit, &o.token, c.labels[m.unit], uint64(o.bytes()))
		if m.unit == abi.UnitStore {
			c.total.Tiles++
		}
	}
	if some {
		m.measure()
	}
	if q.head == q.next {
		c.want(m.unit, 0)
	} else {
		c.want(m.unit, m.wants)
	}
	return some
}

// measure finds what the unit wants of the scratchpad: what it has moved of late, which
// memory bounds more often than the port.
func (m *memUnit) measure() {
	c, now := m.c, m.c.e.Now()
	if now > m.since && m.moved > 0 {
		m.wants = min(demandOf(m.moved, c.clock.Cycles(now-m.since)), int64(c.cfg.Core.PortBytes)*demandUnit)
		m.since, m.moved = now, 0
	}
}
