package mmu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

// deviceWalk is the machine of one walk of the device MMU: the context entry,
// then the page table.
type deviceWalk struct {
	u      *Unit
	req    hw.Request // a copy of the request that missed
	va     uint64
	asid   uint16 // whose tables are walked: the request's, faults apart
	since  uint64 // invalidations before the start
	ctx    abi.Context
	cached bool // the context came from the cache
	walk   Walk
	cause  Cause
	status hw.Status
	entry  Entry
	next   func(*deviceWalk, *MemOp) bool
}

// job implements walkUnit.
func (u *Unit) job() walkJob { return &deviceWalk{u: u} }

func (d *deviceWalk) begin(p *piece) {
	d.req, d.va, d.since = p.sub, p.va, d.u.stale.now
	d.cause, d.status, d.cached, d.asid = 0, hw.OK, false, p.sub.ASID
	d.next = (*deviceWalk).context
}

// Resume implements machine.
func (d *deviceWalk) Resume(op *MemOp) bool { return d.next(d, op) }

func (d *deviceWalk) end(cause Cause, status hw.Status) bool {
	d.cause, d.status = cause, status
	return false
}

func (d *deviceWalk) context(op *MemOp) bool {
	if d.u.injector != nil && d.struck() {
		return false
	}
	if d.asid == 0 || uint32(d.asid) >= d.u.contexts {
		return d.end(PDTNotValid, hw.PageFault)
	}
	if c := d.u.ctx.lookup(uint64(d.asid)); c != nil {
		d.ctx, d.cached = *c, true
		return d.table(op)
	}
	op.read(d.u.contextBase+uint64(d.asid)*abi.ContextSize, abi.ContextSize)
	d.next = (*deviceWalk).gotContext
	return true
}

func (d *deviceWalk) gotContext(op *MemOp) bool {
	switch op.Status {
	case hw.OK:
	case hw.MemoryError:
		return d.end(PDTCorrupted, hw.MemoryError)
	default:
		return d.end(PDTAccessFault, hw.Aborted)
	}
	c, ok := decodeContext(op)
	switch {
	case !c.Valid:
		return d.end(PDTNotValid, hw.PageFault)
	case !ok:
		return d.end(PDTMisconfigured, hw.PageFault)
	}
	d.ctx = c
	return d.table(op)
}

func (d *deviceWalk) table(op *MemOp) bool {
	if d.ctx.Mode == abi.ModeShared {
		return d.shared()
	}
	d.walk = Walk{First: Table{Levels: levelsOf(uint64(d.ctx.Mode)), Root: d.ctx.Root},
		VA: d.va, Kind: accessOf(&d.req), Priv: d.req.Priv, SUM: true}
	d.walk.Begin()
	if d.u.tables != nil {
		if e := d.u.tables.Lookup(uint64(d.asid), d.va); e != nil {
			d.walk.From = TableAt{Addr: e.PA, Level: int(e.Aux)}
		}
	}
	d.next = (*deviceWalk).walking
	return d.walking(op)
}

// struckBy are the kinds that end a walk, with what it ends with.
var struckBy = [...]struct {
	kind   fault.Kind
	found  FaultKind
	status hw.Status
}{
	{fault.PageFault, FaultPage, hw.PageFault},
	{fault.PermFault, FaultPerm, hw.PermFault},
	{fault.WalkAbort, FaultAccess, hw.Aborted},
}

// struck gives a walk its chances at its beginning, and reports whether one of
// them has ended it.
func (d *deviceWalk) struck() bool {
	x := d.u.injector
	for i := range struckBy {
		if s := &struckBy[i]; x.Hit(s.kind, int(d.req.ASID), d.va) != nil {
			d.end(causeOf(accessOf(&d.req), s.found), s.status)
			return true
		}
	}
	if s := x.Hit(fault.WrongContext, int(d.req.ASID), d.va); s != nil {
		d.asid = uint16(s.Value)
	}
	return false
}

// shared is a context whose addresses the bus translates.
func (d *deviceWalk) shared() bool {
	if d.va>>sharedShift != 0 {
		return d.end(causeOf(accessOf(&d.req), FaultPage), hw.PageFault)
	}
	d.entry = Entry{Tag: uint64(d.req.ASID), Shift: sharedShift, Aux: 1<<32 | uint64(d.ctx.PASID),
		Perm: CanRead | CanWrite | CanExec | AnyPriv}
	return false
}

// walkStatus is what a requester sees of a walk's fault.
var walkStatus = [...]hw.Status{FaultPage: hw.PageFault, FaultPerm: hw.PermFault,
	FaultAccess: hw.Aborted, FaultPoison: hw.MemoryError}

func (d *deviceWalk) walking(op *MemOp) bool {
	if d.walk.Resume(op) {
		if op.Addr&physReserved != 0 { // a table outside the physical address space
			return d.end(causeOf(accessOf(&d.req), FaultAccess), hw.Aborted)
		}
		return true
	}
	w := &d.walk
	if w.Fault != NoFault {
		if d.u.keen && !d.stale() {
			d.installTables()
		}
		return d.end(causeOf(w.Kind, w.Fault), walkStatus[w.Fault])
	}
	if w.PA&physReserved != 0 {
		return d.end(causeOf(w.Kind, FaultAccess), hw.Unsupported)
	}
	d.entry = Entry{Tag: uint64(d.req.ASID), VPN: d.va >> w.Shift, Shift: w.Shift,
		PA: w.PA &^ (1<<w.Shift - 1), Perm: w.Perm}
	return false
}

func (d *deviceWalk) stale() bool {
	shift := uint8(everyAddress)
	if d.status == hw.OK {
		shift = d.entry.Shift
	}
	return d.u.stale.covers(d.since, uint64(d.req.ASID), d.va, shift)
}

func (d *deviceWalk) fault() hw.Status { return d.status }

func (d *deviceWalk) install() {
	u := d.u
	if !d.cached {
		u.ctx.insert(uint64(d.asid), d.ctx)
	}
	u.l2.Insert(d.entry)
	d.installTables()
}

// installTables remembers the pointers that the walk has followed.
func (d *deviceWalk) installTables() {
	u := d.u
	if u.tables == nil || d.ctx.Mode == abi.ModeShared {
		return
	}
	for level, t := range d.walk.Tables {
		if t.Addr == 0 || level == d.walk.First.Levels-1 {
			continue
		}
		shift := uint8(pageShift + (level+1)*levelBits)
		u.tables.Insert(Entry{Tag: uint64(d.asid), VPN: d.va >> shift, Shift: shift, PA: t.Addr, Aux: uint64(level)})
	}
}

// serve implements walkJob.
func (d *deviceWalk) serve(p *piece, m *mapping) bool {
	if !d.entry.Perm.Allows(accessOf(&p.sub), p.sub.Priv, true) {
		return false
	}
	p.lane.l1.Insert(d.entry)
	deviceMapping(&d.entry, p.va, m)
	return true
}

// report writes the fault record: PID is the ASID.
func (d *deviceWalk) report() {
	d.u.stats.Faults++
	if d.u.injector.Hit(fault.RecordLost, int(d.req.ASID), d.va) != nil {
		d.u.faults.lose()
		return
	}
	d.u.faults.put(FaultRecord{Cause: d.cause, PID: uint32(d.req.ASID), PV: true, Priv: d.req.Priv,
		TTYP: TTYPUntranslated + ttypOffset[accessOf(&d.req)], Iotval: d.va})
}
