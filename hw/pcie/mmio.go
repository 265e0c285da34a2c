package pcie

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// ConfigAccess is an access of the host to configuration space. The host owns
// it until Done fires.
type ConfigAccess struct {
	Write  bool
	Off    int
	Size   int    // 1, 2 or 4
	Value  uint32 // written, or read
	Status hw.Status
	Done   sim.Call
}

// access is an access of the host under way.
type access struct {
	r       *hw.Request
	config  *ConfigAccess
	bar     int
	req     hw.Request // the copy that a function serves
	epoch   uint32
	lost    bool
	asked   sim.Time
	barrier int64
}

// MMIO carries an access of the host's CPU to a BAR; r.Addr is an offset in it.
//
// A write is posted: Done fires when the function has done it. Writes reach the
// function in order. A read returns behind all writes and interrupts that the
// device submitted before it answered; nobody's answer is all ones.
func (l *Link) MMIO(bar int, r *hw.Request) {
	i, a := l.accesses.take()
	*a = access{r: r, bar: bar, asked: l.e.Now()}
	cost := sim.Time(0)
	if r.Op == hw.Write {
		cost = l.WriteCost(r.Bytes)
	}
	l.leavePort(i, cost)
}

// AccessConfig carries an access to configuration space, a round trip either way.
func (l *Link) AccessConfig(c *ConfigAccess) {
	i, a := l.accesses.take()
	*a = access{config: c, asked: l.e.Now()}
	l.leavePort(i, 0)
}

// WriteCost returns how long a posted write of n bytes occupies the CPU. The
// link spaces writes by it; the caller is busy for as long.
func (l *Link) WriteCost(n int64) sim.Time {
	return l.c.MMIOWrite + l.c.MMIOWriteRate.TimeFor(sim.Bytes(n))
}

// leavePort sends an access when the CPU's earlier stores have left.
func (l *Link) leavePort(i uint32, cost sim.Time) {
	_, end := l.port.Reserve(l.e.Now(), cost)
	if end == l.e.Now() {
		l.onIssue(uint64(i))
		return
	}
	l.e.At(end, sim.Call{H: l.handlers.issue, Arg: uint64(i)})
}

// onIssue puts an access on the wire.
func (l *Link) onIssue(arg uint64) {
	a := l.accesses.at(uint32(arg))
	a.epoch = l.epoch
	if l.gone || l.fn == nil {
		a.lost = true
		l.e.After(0, sim.Call{H: l.handlers.returned, Arg: arg})
		return
	}
	l.down.Send(len(l.sources), sim.Bytes(l.requestBytes(a)), sim.Call{H: l.handlers.request, Arg: arg})
}

func (l *Link) requestBytes(a *access) int64 {
	switch {
	case a.config != nil && a.config.Write:
		return l.wire.configWrite
	case a.config != nil:
		return l.wire.configRead
	case a.r.Op == hw.Write:
		return a.r.Bytes + l.wire.write*pieces(a.r.Addr, a.r.Bytes, int64(l.c.MPS))
	}
	return l.wire.read * pieces(a.r.Addr, a.r.Bytes, int64(l.c.MRRS))
}

func (l *Link) replyBytes(a *access) int64 {
	switch {
	case a.config != nil && a.config.Write:
		return l.wire.completion
	case a.config != nil:
		return l.wire.completion + 4
	}
	return a.r.Bytes + l.wire.completion*pieces(a.r.Addr, a.r.Bytes, int64(l.c.MPS))
}

// onRequest gives an access to the function.
func (l *Link) onRequest(arg uint64) {
	a := l.accesses.at(uint32(arg))
	switch {
	case a.epoch != l.epoch:
		l.onReturned(arg)
	case a.config != nil:
		a.config.serve(l.fn)
		l.onAnswered(arg)
	case a.r.Op == hw.Write:
		r, bar := a.r, a.bar
		l.countAccess(a)
		l.accesses.give(uint32(arg))
		l.fn.MMIO(bar, r)
	default:
		a.req = *a.r
		a.req.Done = sim.Call{H: l.handlers.answered, Arg: arg}
		l.fn.MMIO(a.bar, &a.req)
	}
}

func (c *ConfigAccess) serve(fn hw.Function) {
	if c.Write {
		fn.ConfigWrite(c.Off, c.Size, c.Value)
	} else {
		c.Value = fn.ConfigRead(c.Off, c.Size)
	}
}

// onAnswered sends the function's answer, behind what it wrote before.
func (l *Link) onAnswered(arg uint64) {
	a := l.accesses.at(uint32(arg))
	if a.epoch != l.epoch {
		l.onReturned(arg)
		return
	}
	a.barrier = l.submitted
	l.up.Send(len(l.sources)+1, sim.Bytes(l.replyBytes(a)), sim.Call{H: l.handlers.reply, Arg: arg})
}

// onReply takes the answer at the root complex.
func (l *Link) onReply(arg uint64) {
	l.replies.Push(uint32(arg))
	l.letReplies()
}

// letReplies lets answers go whose earlier writes are visible.
func (l *Link) letReplies() {
	for l.replies.Len() > 0 {
		i := *l.replies.Front()
		if l.accesses.at(i).barrier > l.visible {
			return
		}
		l.replies.Pop()
		l.e.After(l.c.MMIORead, sim.Call{H: l.handlers.returned, Arg: uint64(i)})
	}
}

// onReturned ends an access at the CPU; one that the link lost reads all ones.
func (l *Link) onReturned(arg uint64) {
	a := l.accesses.at(uint32(arg))
	lost := a.lost || a.epoch != l.epoch
	l.countAccess(a)
	done := a.end(lost)
	a.r, a.config, a.req.Data = nil, nil, nil
	l.accesses.give(uint32(arg))
	l.e.Fire(done)
}

// end fills in the results and returns who waits for them.
func (a *access) end(lost bool) sim.Call {
	if c := a.config; c != nil {
		c.Status = hw.OK
		if lost {
			c.Status = hw.Unsupported
			c.Value = ^uint32(0) >> (32 - 8*c.Size)
		}
		return c.Done
	}
	r := a.r
	if lost {
		r.Status = hw.OK
		if r.Op == hw.Read {
			allOnes(r)
		}
		return r.Done
	}
	r.Answer(&a.req)
	return r.Done
}

// allOnes is what a read yields that nobody answers.
func allOnes(r *hw.Request) {
	r.Status, r.Zero = hw.OK, false
	for i := range r.Data {
		r.Data[i] = 0xff
	}
}
