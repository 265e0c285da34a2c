package queue

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// phase is where the running entry stands.
type phase uint8

const (
	phaseNone   phase = iota // no entry runs
	phaseFetch               // wants the next packet
	phaseWindow              // waits for command bytes
	phaseParse               // the parser has the packet
	phaseIssue               // the packet waits until it may be executed
	phaseKernel              // waits for a kernel descriptor
	phaseWait                // WAIT has read its slot and not passed
	phaseSlot                // waits for a read or write of a slot
	phaseDrain               // every packet is issued; operations are in flight
	phasePost                // wants room in the completion ring
)

// steps is what each phase tries when something has happened; it reports
// whether it got anywhere.
var steps = [...]func(*queue) bool{
	phaseNone:   (*queue).begin,
	phaseFetch:  (*queue).next,
	phaseWindow: blocked,
	phaseParse:  blocked,
	phaseIssue:  (*queue).issue,
	phaseKernel: blocked,
	phaseWait:   (*queue).waitAgain,
	phaseSlot:   blocked,
	phaseDrain:  (*queue).drained,
	phasePost:   (*queue).post,
}

func blocked(*queue) bool { return false }

// queue is one command queue.
type queue struct {
	u     *Unit
	index int
	regs  *reg.File
	bells *reg.File
	r     refs
	calls callbacks

	// Latched at ENABLE.
	sqBase, cqBase   uint64
	sqDepth, cqDepth uint32
	vector           int
	engine           uint64
	priority         uint8

	state    uint64 // abi.Queue*
	epoch    uint16
	halted   bool
	stuck    bool   // a fault: nothing is fetched
	lingers  bool   // a fault: not idle after a reset
	tail     uint32 // doorbell
	rung     sim.Time
	fetched  uint32 // entries whose fetch has begun
	head     uint32 // entries that have arrived, in order: software may write over them
	stopped  bool   // an error: nothing goes on before RESUME or a reset
	produced uint32 // completions
	consumed uint32 // CQ_HEAD
	overrun  bool

	jobs    []job  // the one that runs and those fetched ahead, by index modulo their number
	running uint32 // index of the entry that runs or runs next
	phase   phase
	packet  abi.Packet
	at      uint32     // offset of packet in the entry's command buffer
	again   bool       // a fence may have changed since the slot was read
	slot    hw.Request // WAIT, SIGNAL and TIMESTAMP
	slotBuf [8]byte

	ops             []op
	copies, kernels int
	inFlight        int
	progress        uint32
	status          abi.Status // of the running entry: its first error
	errAddr         uint64
	errAt           uint32
	bill            hw.Bill
	billed          sim.Time
	blocked         sim.Time // since when the running entry waits for a fetch
	began           sim.Time
	watch           uint32 // grows with each entry, so that an old watchdog is void
	posts           [maxPosts]posting
	unraised        uint64 // completions whose interrupt is put off
	moderation      uint32
	armed           bool
	armIndex        uint32
	track           sim.Track
	label           sim.Label
}

type refs struct {
	state, epoch, head, progress, seqno, offset                      reg.Ref
	errCode, errOffset, errSeqno, errAddr, errASID, ctrl             reg.Ref
	sqLo, sqHi, cqLo, cqHi, sqLog2, cqLog2, vector, engine, priority reg.Ref
}

func newQueue(u *Unit, index int, regs, bells *reg.File, calls callbacks) *queue {
	q := &queue{u: u, index: index, regs: regs, bells: bells, calls: calls,
		jobs: make([]job, u.cfg.Prefetch), ops: make([]op, u.cfg.Window)}
	q.r = refs{
		state: regs.Ref("STATE"), epoch: regs.Ref("EPOCH"), head: regs.Ref("HEAD"), progress: regs.Ref("PROGRESS"),
		seqno: regs.Ref("CUR_SEQNO"), offset: regs.Ref("CUR_OFFSET"), errCode: regs.Ref("ERR_CODE"),
		errOffset: regs.Ref("ERR_OFFSET"), errSeqno: regs.Ref("ERR_SEQNO"), errAddr: regs.Ref("ERR_ADDR"),
		errASID: regs.Ref("ERR_ASID"), ctrl: regs.Ref("CTRL"),
		sqLo: regs.Ref("SQ_BASE_LO"), sqHi: regs.Ref("SQ_BASE_HI"), cqLo: regs.Ref("CQ_BASE_LO"), cqHi: regs.Ref("CQ_BASE_HI"),
		sqLog2: regs.Ref("SQ_LOG2"), cqLog2: regs.Ref("CQ_LOG2"), vector: regs.Ref("VECTOR"),
		engine: regs.Ref("ENGINE"), priority: regs.Ref("PRIORITY"),
	}
	regs.OnWrite("CTRL", func(_ int, old, new uint64) { q.control(old, new) })
	regs.OnRead("HEAD", func(int) uint64 { return uint64(q.head) })
	regs.OnRead("PROGRESS", func(int) uint64 { return uint64(q.progress) })
	bells.OnWrite("SQ_TAIL", func(_ int, _, v uint64) { q.ring(uint32(v)) })
	bells.OnWrite("CQ_HEAD", func(_ int, _, v uint64) { q.consume(uint32(v)) })
	bells.OnWrite("CQ_ARM", func(_ int, _, v uint64) { q.arm(uint32(v)) })
	bells.OnWrite("FENCE_KICK", func(int, uint64, uint64) { u.stats.Kicks++; q.look() })
	q.initJobs()
	q.initOps()
	arg := uint64(index)
	q.slot.Source, q.slot.Done = u.parts.Source, sim.Call{H: calls.slot, Arg: arg}
	q.slot.Bytes, q.slot.Atomic = 8, true
	q.initPosts()
	if tr := u.e.Trace; tr != nil {
		q.track, q.label = tr.NewTrack("queue"+string(rune('0'+index/10))+string(rune('0'+index%10))), tr.NewLabel("entry")
	}
	return q
}

// setState shows the state to software. An error stays until it is cleared.
func (q *queue) setState(s uint64) {
	if q.stopped {
		s = abi.QueueError
	}
	q.state = s
	q.regs.Set(q.r.state, 0, s)
}

// advance goes on as far as it can. Everything that happens to a queue ends here.
func (q *queue) advance() {
	if q.halted {
		q.u.checkHalt()
		return
	}
	q.prefetch()
	for steps[q.phase](q) {
		q.prefetch()
	}
}

// control is a write to CTRL.
func (q *queue) control(old, new uint64) {
	const enable, resume = 1, 2
	switch {
	case new&enable != 0 && old&enable == 0 && q.state == abi.QueueDisabled:
		q.enable()
	case new&enable != 0 && old&enable == 0:
		q.regs.Set(q.r.ctrl, 0, old) // still draining
	case new&enable == 0 && old&enable != 0:
		q.disable()
	}
	if new&resume != 0 && q.stopped && q.phase == phaseNone {
		q.resume()
	}
}

// enable latches the configuration.
func (q *queue) enable() {
	get := func(r reg.Ref) uint64 { return q.regs.Get(r, 0) }
	q.sqBase = get(q.r.sqHi)<<32 | get(q.r.sqLo)
	q.cqBase = get(q.r.cqHi)<<32 | get(q.r.cqLo)
	q.vector, q.engine = int(get(q.r.vector)), get(q.r.engine)
	q.priority = uint8(min(get(q.r.priority), 3))
	sq, cq := get(q.r.sqLog2), get(q.r.cqLog2)
	q.restart()
	if !q.ringFits(sq) || !q.ringFits(cq) || q.sqBase%64 != 0 || q.cqBase%64 != 0 || q.engine >= abi.NumEngines {
		q.report(abi.StatusBadEntry, 0, 0, 0, 0)
		return
	}
	q.sqDepth, q.cqDepth = 1<<sq, 1<<cq
	q.setState(abi.QueueIdle)
}

func (q *queue) ringFits(log2 uint64) bool {
	return log2 >= abi.MinRingLog2 && log2 < 32 && 1<<log2 <= q.u.cfg.Depth
}

// restart clears what a fresh ring starts with.
func (q *queue) restart() {
	q.tail, q.fetched, q.head, q.running, q.produced, q.consumed = 0, 0, 0, 0, 0, 0
	q.stopped, q.overrun, q.armed, q.unraised, q.stuck = false, false, false, 0, false
	q.phase = phaseNone
	for i := range q.jobs {
		q.jobs[i].state = jobEmpty
	}
	for _, r := range []reg.Ref{q.r.errCode, q.r.errOffset, q.r.errSeqno, q.r.errAddr, q.r.errASID} {
		q.regs.Set(r, 0, 0)
	}
}

// disable lets the running entry end and forgets the rest.
func (q *queue) disable() {
	q.stopped = false
	if q.busy() {
		q.setState(abi.QueueDraining)
		return
	}
	q.setState(abi.QueueDisabled)
}

// enabled reports whether new entries may be fetched and begun.
func (q *queue) enabled() bool {
	return !q.halted && q.state != abi.QueueDisabled && q.state != abi.QueueDraining && !q.stopped
}

// chaosDoorbell is the longest that chaos mode puts off a doorbell's effect.
const chaosDoorbell = 2 * sim.Microsecond

// ring is the SQ_TAIL doorbell. In ERROR the value is kept for RESUME.
func (q *queue) ring(tail uint32) {
	if q.halted || q.state == abi.QueueDisabled || q.state == abi.QueueDraining {
		return
	}
	q.u.stats.Doorbells++
	q.rung = q.u.e.Now()
	switch behind := int32(tail - q.fetched); {
	case behind < 0 && -behind <= int32(q.sqDepth): // an old value: those are being fetched already
	case tail-q.head > q.sqDepth:
		q.overrun = true
	default:
		q.tail = tail
	}
	if s := q.u.parts.Chaos; s != nil {
		q.goOnAfter(fault.Pick(s, chaosDoorbell), 0)
		return
	}
	q.advance()
}

// report fills the error registers and stops the queue.
func (q *queue) report(s abi.Status, seqno uint64, offset uint32, addr uint64, asid uint16) {
	q.regs.Set(q.r.errCode, 0, uint64(s))
	q.regs.Set(q.r.errOffset, 0, uint64(offset))
	q.regs.Set(q.r.errSeqno, 0, seqno)
	q.regs.Set(q.r.errAddr, 0, addr)
	q.regs.Set(q.r.errASID, 0, uint64(asid))
	q.stopped = true
	q.setState(abi.QueueError)
	q.u.parts.Event(abi.CauseQueue)
}

// resume goes on behind the failed entry, which is already completed.
func (q *queue) resume() {
	q.stopped, q.overrun = false, false
	q.setState(abi.QueueIdle)
	q.advance()
}
