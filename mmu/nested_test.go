package mmu

import (
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
	"github.com/stretchr/testify/require"
)

// guest is a virtual machine's two stages: guest physical addresses of tables
// are those of the ram, and its data pages are mapped one by one.
type guest struct {
	r      *hostRig
	vs     uint64 // root of the first stage
	g      uint64 // root of the second
	tables []uint64
}

// newGuest makes a guest behind a device. Pages that its first-stage tables
// take are mapped one to one with the given flags.
func (r *hostRig) newGuest(did int, gscid, tc, tableFlags uint64) *guest {
	r.b.next = (r.b.next + 0x3fff) &^ 0x3fff
	v := &guest{r: r, g: r.b.page()}
	r.b.next += 0x3000 // the root table has four pages
	first := r.b.next
	r.b.next += 0x10000
	v.vs = first
	tables := &mapper{m: r.m, next: first, levels: 4}
	v.vs = tables.root()
	for va := range uint64(4) {
		tables.set(v.vs, va<<12, 0x30_0000+va<<12, userRW&^PTEDirty, 0)
	}
	for page := first; page < tables.next; page += 4096 {
		v.tables = append(v.tables, page)
		r.b.set(v.g, page, page, tableFlags, 0)
	}
	r.device(did, tc, v.g>>12|gscid<<44|ModeSv48<<60, 7<<12, v.vs>>12|ModeSv48<<60)
	return v
}

// mapData maps the guest's data pages from a host physical address.
func (v *guest) mapData(spa uint64) {
	for i := range uint64(4) {
		v.r.b.set(v.g, 0x30_0000+i<<12, spa+i<<12, userRW, 0)
	}
}

func TestNestedTranslation(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	v := r.newGuest(testDevice, 3, 0, userRW)
	v.mapData(0x50_0000)
	r.m.bus[0x50_1008] = 'n'
	q := r.access(hw.Read, 0x1008, 1)
	r.do(q)
	require.Equal(t, "n", string(q.Data))
	// Context, four first-stage entries with a second-stage walk of four each,
	// and the last one of the address itself.
	require.Equal(t, (1+4*5+4)*latency, q.Stalled)
	q = r.access(hw.Read, 0x2008, 1)
	r.do(q)
	require.Equal(t, 2*latency, q.Stalled, "with both stages' pointers cached: two leaves")
}

func TestGuestsDoNotShareTranslations(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.newGuest(testDevice, 3, 0, userRW).mapData(0x50_0000)
	r.newGuest(6, 4, 0, userRW).mapData(0x60_0000)
	r.m.bus[0x50_0000], r.m.bus[0x60_0000], r.m.bus[0x60_1000] = 'a', 'b', 'c'
	q, other := r.access(hw.Read, 0, 1), r.access(hw.Read, 0, 1)
	r.do(q)
	require.Equal(t, "a", string(q.Data))
	r.p = r.u.NewPort(6, r.m)
	r.do(other)
	require.Equal(t, "b", string(other.Data))
	other.Addr = 0x1000
	r.do(other)
	require.Equal(t, "c", string(other.Data))
}

// TestGuestTableMoves maps a guest's leaf table to another page of the host:
// it shows after IOTINVAL.GVMA of the guest.
func TestGuestTableMoves(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	v := r.newGuest(testDevice, 3, 0, userRW)
	v.mapData(0x50_0000)
	r.do(r.access(hw.Read, 0, 1))
	fresh := r.b.page()
	r.m.put(false, fresh+8, abi.PTE(0x30_3000, userRW))
	r.m.bus[0x50_1000], r.m.bus[0x50_3000] = 'o', 'n'
	r.b.set(v.g, v.tables[3], fresh, userRW, 0)
	q := r.access(hw.Read, 0x1000, 1)
	r.do(q)
	require.Equal(t, "o", string(q.Data), "the pointer to the old table shows")
	r.command(CmdIOTINVAL|1<<7|cmdGV|3<<44, 0)
	require.NoError(t, r.Run())
	r.do(q)
	require.Equal(t, "n", string(q.Data))
}

// TestDirtyUpdateNeedsAWritableTable has the leaf table in a page that the
// second stage maps read-only: loads work, a store that must set D faults.
func TestDirtyUpdateNeedsAWritableTable(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	v := r.newGuest(testDevice, 3, DCSADE, userRW&^PTEWrite)
	v.mapData(0x50_0000)
	r.do(r.access(hw.Read, 0, 1))
	q := r.access(hw.Write, 0x1000, 1)
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status)
	rec := DecodeFault(r.m.bus[fqBase:])
	require.Equal(t, StoreGuestFault, rec.Cause)
	require.Equal(t, v.tables[3]+8|3, rec.Iotval2, "an implicit write of the entry")

	v = r.newGuest(testDevice, 3, DCSADE, userRW)
	v.mapData(0x50_0000)
	r.command(CmdIODIR, 0, CmdIOTINVAL|cmdGV|3<<44, 0, CmdIOTINVAL|1<<7|cmdGV|3<<44, 0)
	require.NoError(t, r.Run())
	r.do(q)
	require.Equal(t, hw.OK, q.Status)
	require.NotZero(t, r.m.get(false, v.tables[3]+8)&PTEDirty)
}

func TestSupervisorNeedsENS(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	const pdt = 0x6000
	r.device(testDevice, DCPDTV, 0, 0, pdt>>12|PD8<<60)
	r.m.put(false, pdt+3*16, PCValid|PCSUM|9<<12)
	r.m.put(false, pdt+3*16+8, r.root>>12|ModeSv48<<60)
	r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
	q := r.access(hw.Read, 0x5000, 1)
	q.PASID, q.HasPASID = 3, true
	r.do(q)
	require.Equal(t, hw.OK, q.Status)
	q.Priv = true
	r.do(q)
	require.Equal(t, hw.Unsupported, q.Status, "although the IOTLB has the page")
	require.Equal(t, TypeDisallowed, DecodeFault(r.m.bus[fqBase:]).Cause)
}

// TestProcessContextsAreCached changes a process's page table: it shows after
// either of the directory commands that cover the process.
func TestProcessContextsAreCached(t *testing.T) {
	const dv, pid = cmdDV | testDevice<<40, 3 << 12
	for name, c := range map[string]struct {
		lo    uint64
		fresh bool
	}{
		"nothing":             {CmdIOFENCE, false},
		"another process":     {CmdIODIR | 1<<7 | dv | 4<<12, false},
		"the process":         {CmdIODIR | 1<<7 | dv | pid, true},
		"another device":      {CmdIODIR | cmdDV | 6<<40, false},
		"the device":          {CmdIODIR | dv, true},
		"the whole directory": {CmdIODIR, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newHostRig(t, DefaultIOMMUConfig())
			const pdt = 0x6000
			r.device(testDevice, DCPDTV, 0, 0, pdt>>12|PD8<<60)
			r.m.put(false, pdt+3*16, PCValid|9<<12)
			r.m.put(false, pdt+3*16+8, r.root>>12|ModeSv48<<60)
			r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
			q := r.access(hw.Read, 0x5000, 1)
			q.PASID, q.HasPASID = 3, true
			r.do(q)
			root := r.b.root()
			r.b.set(root, 0x5000, 0x20_0000, userRW, 0)
			r.m.put(false, pdt+3*16+8, root>>12|ModeSv48<<60)
			r.m.bus[0x20_0000] = 'n'
			r.command(c.lo, 0, CmdIOTINVAL, 0)
			require.NoError(t, r.Run())
			r.do(q)
			require.Equal(t, c.fresh, q.Data[0] == 'n')
		})
	}
}

// TestTranslationRequestOnACleanPage asks for reading alone: a page that is not
// dirty is not granted for writing, or its D would be lost.
func TestTranslationRequestOnACleanPage(t *testing.T) {
	for _, c := range []struct {
		name     string
		flags    uint64
		tc       uint64
		noWrite  bool
		r, w     bool
		dirtied  bool
		accessed bool
	}{
		{"dirty", userRW, 0, true, true, true, true, true},
		{"clean, read asked for", userRW &^ PTEDirty, 0, true, true, false, false, true},
		{"clean, write asked for", userRW &^ PTEDirty, 0, false, false, false, false, true},
		{"clean, hardware sets D", userRW &^ PTEDirty, DCSADE, false, true, true, true, true},
		{"not accessed", userRW &^ (PTEDirty | PTEAccessed), 0, true, false, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHostRig(t, DefaultIOMMUConfig())
			r.device(testDevice, DCATS|c.tc, 0, 7<<12, r.root>>12|ModeSv48<<60)
			r.b.set(r.root, 0x5000, 0x10_0000, c.flags, 0)
			x := newTranslation(r.u.iommuCore)
			x.Begin(Transaction{DID: testDevice, AT: TranslationRequest, NoWrite: c.noWrite, IOVA: 0x5000})
			run(x, ramMemory{r.m})
			a := x.atsResponse()
			require.Equal(t, [2]bool{c.r, c.w}, [2]bool{a.R, a.W})
			pte := r.m.get(false, r.b.entry(r.root, 0x5000, 0))
			require.Equal(t, c.dirtied, pte&PTEDirty != 0)
			require.Equal(t, c.accessed, pte&PTEAccessed != 0)
		})
	}
}

// TestTranslationRequestThatGrantsNothing meets a second-stage leaf that has no
// permission of the first stage's: no fault, so the walk is completed and A set.
func TestTranslationRequestThatGrantsNothing(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	v := r.newGuest(testDevice, 3, DCATS|DCGADE, userRW)
	r.b.set(v.g, 0x30_0000, 0x50_0000, PTEValid|PTEExec|PTEUser, 0)
	x := newTranslation(r.u.iommuCore)
	x.Begin(Transaction{DID: testDevice, AT: TranslationRequest, NoWrite: true})
	run(x, ramMemory{r.m})
	require.Zero(t, x.Cause)
	a := x.atsResponse()
	require.Equal(t, "ok", a.Status)
	require.False(t, a.R || a.W || a.X)
	require.NotZero(t, r.m.get(false, r.b.entry(v.g, 0x30_0000, 0))&PTEAccessed)
}

// TestTranslationRequestToldOfGlobalPages sets G in an entry of each level.
func TestTranslationRequestToldOfGlobalPages(t *testing.T) {
	const pdt = 0x6000
	for level := -1; level < 4; level++ {
		r := newHostRig(t, DefaultIOMMUConfig())
		r.device(testDevice, DCATS|DCPDTV, 0, 0, pdt>>12|PD8<<60)
		r.m.put(false, pdt+3*16, PCValid|9<<12)
		r.m.put(false, pdt+3*16+8, r.root>>12|ModeSv48<<60)
		r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
		if level >= 0 {
			at := r.b.entry(r.root, 0x5000, level)
			r.m.put(false, at, r.m.get(false, at)|PTEGlobal)
		}
		for _, pv := range []bool{true, false} {
			x := newTranslation(r.u.iommuCore)
			x.Begin(Transaction{DID: testDevice, PV: pv, PID: 3, AT: TranslationRequest, IOVA: 0x5000})
			run(x, ramMemory{r.m})
			require.Equal(t, pv && level >= 0, x.atsResponse().Global, "level %d", level)
		}
	}
}

// ramMemory is a ram's bus side at once.
type ramMemory struct{ m *ram }

// Do implements Memory.
func (r ramMemory) Do(op *MemOp) {
	op.Status = hw.OK
	if op.Write {
		copy(r.m.bus[op.Addr:], op.Buf[:op.Bytes])
		return
	}
	copy(op.Buf[:op.Bytes], r.m.bus[op.Addr:])
}

// TestInvalidationDuringAHostWalk changes the leaf after the walk has read it;
// the command makes the walk begin again.
func TestInvalidationDuringAHostWalk(t *testing.T) {
	r := newHostRig(t, DefaultIOMMUConfig())
	r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
	r.b.set(r.root, 0x6000, 0x10_0000, userRW, 0)
	r.do(r.access(hw.Read, 0x6000, 1))
	r.m.bus[0x20_0000] = 'n'
	r.m.late = func(q *hw.Request) sim.Time {
		if q.Addr == r.b.entry(r.root, 0x5000, 0) {
			return 10 * latency
		}
		return 0
	}
	r.m.atIssue = true
	r.At(r.Now()+200*sim.Nanosecond, sim.Call{H: r.Register("unmap", func(uint64) {
		r.b.set(r.root, 0x5000, 0x20_0000, userRW, 0)
		r.command(CmdIOTINVAL|cmdAV, 5<<10)
	})})
	q := r.access(hw.Read, 0x5000, 1)
	r.do(q)
	require.Equal(t, "n", string(q.Data))
	require.EqualValues(t, 1, r.u.walk.retries)
}

// TestOtherInvalidationsLeaveAWalkAlone has commands for another page, another
// process and another guest come during a walk.
func TestOtherInvalidationsLeaveAWalkAlone(t *testing.T) {
	for _, c := range []struct {
		name    string
		lo, hi  uint64
		retries int64
	}{
		{"another page", CmdIOTINVAL | cmdAV, 6 << 10, 0},
		{"another process", CmdIOTINVAL | cmdPSCV | 8<<12, 0, 0},
		{"a guest", CmdIOTINVAL | cmdGV | 3<<44, 0, 0},
		{"this page", CmdIOTINVAL | cmdAV, 5 << 10, 1},
		{"this process", CmdIOTINVAL | cmdPSCV | 7<<12, 0, 1},
		{"the directory", CmdIODIR, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newHostRig(t, DefaultIOMMUConfig())
			r.b.set(r.root, 0x5000, 0x10_0000, userRW, 0)
			r.At(50*sim.Nanosecond, sim.Call{H: r.Register("command", func(uint64) { r.command(c.lo, c.hi) })})
			r.do(r.access(hw.Read, 0x5000, 1))
			require.Equal(t, c.retries, r.u.walk.retries)
		})
	}
}
