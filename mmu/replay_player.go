package mmu

import "fmt"

// player runs one scenario.
type player struct {
	c          *iommuCore
	x          *translation
	m          *replayRAM
	writes     []hexTriple
	sync       []hexPair
	msgs       []Message
	mismatches []string
	want       *expect
}

func newPlayer(sc *scenario, cfg IOMMUConfig) *player {
	p := &player{c: newIOMMUCore(cfg, uint64(sc.Caps))}
	p.m = &replayRAM{pages: map[uint64]*[4096]byte{}, poison: map[uint64]bool{}}
	p.x = newTranslation(p.c)
	p.c.fctl, p.c.ignored = uint32(sc.Fctl), modelIgnores
	for _, w := range sc.Mem {
		p.m.put(uint64(w[0]), uint64(w[1]))
	}
	for _, a := range sc.Poison {
		p.m.poison[uint64(a)&^7] = true
	}
	p.c.send = func(m Message) { p.msgs = append(p.msgs, m) }
	wrote := func(addr uint64, data uint32) { p.writes = append(p.writes, hexTriple{hex(addr), 4, hex(data)}) }
	p.c.cq.wrote, p.c.messages.wrote = wrote, wrote
	p.c.cq.fenced = func(pr, pw bool) { p.sync = append(p.sync, hexPair{hex(bit(pr, 0)), hex(bit(pw, 0))}) }
	return p
}

// steps has what each operation does.
var steps = map[string]func(*player, *op){
	"reg_write": func(p *player, o *op) { p.c.MMIOWrite(o.Off, o.Size, uint64(o.Val)) },
	"reg_read": func(p *player, o *op) {
		v := p.c.MMIORead(o.Off, o.Size)
		if o.Mask != nil {
			v &= uint64(*o.Mask)
		}
		p.hex("val", hex(v), p.want.Val)
	},
	"mem_write":        func(p *player, o *op) { p.m.put(uint64(o.Addr), uint64(o.Val)) },
	"mem_read":         func(p *player, o *op) { p.hex("val", hex(p.m.get(uint64(o.Addr))), p.want.Val) },
	"flush":            func(p *player, _ *op) { p.c.flush() },
	"translate":        (*player).translate,
	"command":          (*player).command,
	"cq_run":           func(p *player, _ *op) { run(&p.c.cq, p.m) },
	"page_request":     (*player).pageRequest,
	"inval_completion": (*player).completion,
	"inval_timeout": func(p *player, o *op) {
		p.c.cq.invalidationTimeout(o.ITags)
		run(&p.c.cq, p.m)
	},
	"fq_read": (*player).readFaults,
	"pq_read": (*player).readPages,
}

func (p *player) step(o *op) {
	p.want = o.Expect
	if p.want == nil {
		p.want = &expect{}
	}
	p.m.reads, p.m.updates = p.m.reads[:0], p.m.updates[:0]
	p.writes, p.sync, p.msgs = p.writes[:0], p.sync[:0], p.msgs[:0]
	tail := p.c.fq.tail
	steps[o.Op](p, o)
	if p.c.trCtl&trGo != 0 {
		run(&p.c.debug, p.m)
	}
	// A record may raise an interrupt, whose message may fault, and so on.
	for len(p.c.fq.waiting)+len(p.c.messages.waiting) > 0 {
		run(&p.c.fq, p.m)
		run(&p.c.messages, p.m)
	}
	p.after((p.c.fq.tail - tail) & p.c.fq.mask())
}

// after compares what any operation may be asked about.
func (p *player) after(records uint32) {
	w, c := p.want, p.c
	p.int("fqn", int(records), w.FQN)
	p.hex("cqh", hex(c.cq.head), w.CQH)
	p.hex("cqcsr", hex(c.MMIORead(RegCQCSR, 4)), w.CQCSR)
	p.hex("ipsr", hex(c.MMIORead(RegIPSR, 4)), w.IPSR)
	p.hex("pqt", hex(c.pq.tail), w.PQT)
	p.hex("pqcsr", hex(c.MMIORead(RegPQCSR, 4)), w.PQCSR)
	compareList(p, "writes", p.writes, w.Writes)
	compareList(p, "sync", p.sync, w.Sync)
	if w.Msgs != nil {
		var got []msg
		for _, m := range p.msgs {
			got = append(got, msg{hex(m.Code), hex(m.Tag), hex(m.RID), hex(bit(m.DSV, 0)), hex(m.DSeg),
				hex(bit(m.PV, 0)), hex(m.PID), hex(m.Payload)})
		}
		compareList(p, "msgs", got, w.Msgs)
	}
}

func (p *player) miss(what string, got, want any) {
	p.mismatches = append(p.mismatches, fmt.Sprintf("%s is %v, expected %v", what, got, want))
}

func (h hex) String() string { return fmt.Sprintf("%#x", uint64(h)) }

func (p *player) hex(what string, got hex, want *hex) {
	if want != nil && got != *want {
		p.miss(what, got, *want)
	}
}

func (p *player) int(what string, got int, want flag) {
	if want != nil && got != *want {
		p.miss(what, got, *want)
	}
}

func (p *player) bool(what string, got bool, want flag) { p.int(what, int(bit(got, 0)), want) }

func compareList[T comparable](p *player, what string, got []T, want *[]T) {
	if want == nil {
		return
	}
	same := len(got) == len(*want)
	for i := 0; same && i < len(got); i++ {
		same = got[i] == (*want)[i]
	}
	if !same {
		p.miss(what, got, *want)
	}
}

// translate serves one transaction, from the caches if they have it.
func (p *player) translate(o *op) {
	t := Transaction{DID: o.DID, PID: o.PID, PV: o.PV != 0, Priv: o.Priv != 0 && o.PV != 0, AT: o.AT,
		NoWrite: o.NW != 0, Exec: o.Exec != 0, IOVA: uint64(o.IOVA)}
	switch {
	case o.RW == "w":
		t.Kind = Store
	case o.Exec != 0:
		t.Kind = Fetch
	}
	if t.AT == Untranslated {
		if e, identity := p.c.lookup(&t); e != nil {
			p.translated("ok", e.PA|t.IOVA&(1<<e.Shift-1), e.Shift)
			return
		} else if identity {
			p.translated("ok", t.IOVA, 64)
			return
		}
	}
	x := p.x
	x.Begin(t)
	run(x, p.m)
	p.coldReads(o)
	x.fill()
	if t.AT == TranslationRequest {
		p.ats(x)
		return
	}
	if x.Cause == 0 {
		p.translated("ok", x.PA, x.Shift)
		return
	}
	p.c.report(x.record(), x.hidden())
	p.str("status", "ur")
	p.faulted(x)
}

func (p *player) coldReads(o *op) {
	if o.Cold == 0 {
		return
	}
	compareList(p, "reads", p.m.reads, p.want.Reads)
	compareList(p, "pte_writes", p.m.updates, p.want.PTEWrites)
}

func (p *player) str(what, got string) {
	if w := p.want.Status; w != nil && *w != got {
		p.miss(what, got, *w)
	}
}

func (p *player) translated(status string, pa uint64, shift uint8) {
	p.str("status", status)
	if p.want.Cause != nil {
		p.miss("cause", "none", *p.want.Cause)
	}
	p.hex("pa", hex(pa), p.want.PA)
	if shift < 64 {
		p.hex("page_size", hex(1)<<shift, p.want.PageSize)
	}
}

func (p *player) faulted(x *translation) {
	p.hex("cause", hex(x.Cause), p.want.Cause)
	p.page("iotval", x.t.IOVA, p.want.Iotval, 0)
	p.page("iotval2", x.Iotval2, p.want.Iotval2, 3)
}

// page compares an address without its page offset, apart from some low bits.
func (p *player) page(what string, got uint64, want *hex, low uint64) {
	mask := ^uint64(pageMask) | low
	if want != nil && got&mask != uint64(*want)&mask {
		p.miss(what, hex(got), *want)
	}
}

func (p *player) ats(x *translation) {
	r := x.atsResponse()
	if r.Status != "ok" {
		p.str("status", r.Status)
		p.c.report(x.record(), x.hidden())
		p.faulted(x)
		return
	}
	w := p.want
	if w.PA != nil || w.Cause != nil {
		p.translated(r.Status, r.PA, r.Shift)
	}
	p.str("status", r.Status)
	p.bool("r", r.R, w.R)
	p.bool("w", r.W, w.W)
	p.bool("x", r.X, w.X)
	p.bool("u", false, w.U)
	p.bool("n", false, w.N)
	p.bool("priv", r.Priv, w.Priv)
	p.bool("glob", r.Global, w.Glob)
	p.int("pbmt", int(r.PBMT), w.PBMT)
}

// command stores a command as a driver does and lets the queue run.
func (p *player) command(o *op) {
	q := &p.c.cq
	at := q.base + uint64(q.tail)*commandBytes
	p.m.put(at, uint64(o.Lo))
	p.m.put(at+8, uint64(o.Hi))
	p.c.MMIOWrite(RegCQT, 4, uint64((q.tail+1)&q.mask()))
	run(q, p.m)
}

func (p *player) pageRequest(o *op) {
	p.c.pageRequest(PageRequest{RID: o.RID, DSV: o.DSV != 0, DSeg: o.DSeg, PV: o.PV != 0, PID: o.PID,
		Priv: o.Priv != 0, Exec: o.Exec != 0, Payload: uint64(o.Payload)}, p.m)
}

func (p *player) completion(o *op) {
	expected := p.c.cq.invalidationCompletion(o.RID, o.DSV != 0, o.DSeg, o.CC, o.ITags)
	p.bool("unexpected", !expected, p.want.Unexpected)
	run(&p.c.cq, p.m)
}

func (p *player) readFaults(*op) {
	var got []record
	p.drain(&p.c.fq, RegFQH, func(at uint64) {
		b := p.m.page(at)[at&pageMask:]
		f := DecodeFault(b)
		got = append(got, record{Cause: hex(f.Cause), PID: hex(f.PID), PV: hex(bit(f.PV, 0)), Priv: hex(bit(f.Priv, 0)),
			TTYP: hex(f.TTYP), DID: hex(f.DID), Iotval: hex(f.Iotval &^ pageMask), Iotval2: hex(f.Iotval2 &^ (pageMask &^ 3))})
	})
	if w := p.want.Records; w != nil {
		for i := range *w {
			if r := &(*w)[i]; r.TTYP != TTYPMessage && r.TTYP != TTYPNone {
				r.Iotval &^= pageMask
			} else if i < len(got) {
				got[i].Iotval = r.Iotval
			}
			(*w)[i].Iotval2 &^= pageMask &^ 3
		}
	}
	compareList(p, "records", got, p.want.Records)
}

func (p *player) readPages(*op) {
	var got []record
	p.drain(&p.c.pq, RegPQH, func(at uint64) {
		w := p.m.get(at)
		got = append(got, record{PID: hex(w >> 12 & pidMask), PV: hex(w >> 32 & 1), Priv: hex(w >> 33 & 1),
			Exec: hex(w >> 34 & 1), DID: hex(w >> 40), Payload: hex(p.m.get(at + 8))})
	})
	compareList(p, "records", got, p.want.Records)
}

// drainLimit bounds how many records a scenario may read at once.
const drainLimit = 1 << 16

// drain reads a queue's entries and gives them back.
func (p *player) drain(q *recordRing, headReg uint64, each func(at uint64)) {
	if n := (q.tail - q.head) & q.mask(); n > drainLimit {
		p.miss("records", n, fmt.Sprintf("at most %d", drainLimit))
		return
	}
	for i := q.head; i != q.tail; i = (i + 1) & q.mask() {
		each(q.base + uint64(i)*uint64(q.bytes))
	}
	p.c.MMIOWrite(headReg, 4, uint64(q.tail))
}
