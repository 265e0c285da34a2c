package mmu

import "github.com/presi-sim/presi/hw"

// Table is one stage of translation. Levels 0 is Bare.
type Table struct {
	Levels   int
	Root     uint64 // byte address of the root table
	UpdateAD bool   // hardware sets A and D; else a clear bit faults
}

// FaultKind is how a walk failed.
type FaultKind uint8

// Kinds of fault. The caller turns them into causes by the access it serves.
const (
	NoFault        FaultKind = iota
	FaultPage                // no valid translation in the first stage
	FaultPerm                // a first-stage translation that does not allow the access
	FaultGuestPage           // second stage, either of the two
	FaultAccess              // a table lies where nothing answers
	FaultPoison              // a table entry is corrupted
)

// ATS makes a walk a translation request: permissions that lack are taken out
// of the answer instead of raising a fault.
type ATS struct {
	On    bool
	Write bool // write permission is asked for
	Exec  bool
}

// Walk translates one address. Fill in the inputs, call Begin, then Resume
// until it returns false.
//
// The order of accesses is the specification's: each first-stage entry after
// the second-stage walk of its own address, A/D updates before a later stage.
type Walk struct {
	First, Second Table
	PBMT          bool // Svpbmt is implemented
	VA            uint64
	Kind          Access
	Priv, SUM     bool
	ATS           ATS
	// Implicit walks VA, the guest physical address of a directory entry,
	// through the second stage alone.
	Implicit bool
	// From, when not zero, starts the first stage at a cached table.
	From TableAt
	// GuestFrom starts the final second-stage walk at a cached table, if it
	// covers the address.
	GuestFrom func(gpa uint64) TableAt

	// Results.
	Fault         FaultKind
	FaultGPA      uint64 // with FaultGuestPage
	FaultImplicit bool   // the second stage failed for a table entry's address
	FaultWrite    bool   // ... to be updated
	PA, GPA       uint64 // translated VA
	Shift         uint8  // log2 of the bytes the translation covers, 64: all
	Perm          Perm
	PBMTOut       uint8
	Granted       Perm // ATS: permissions whatever D says
	Tables        [5]TableAt
	GuestTables   [5]TableAt

	next     func(*Walk, *MemOp) bool
	then     func(*Walk, *MemOp) bool // after a second-stage walk
	level    int
	table    TableAt
	pteAddr  uint64
	pte      uint64
	gpa      uint64
	glevel   int
	gtable   uint64
	gpteAddr uint64
	gpte     uint64
	gpurpose purpose
}

// TableAt is a table found on the way: where it lies, as the IOMMU reads it
// and as the first stage names it, and at which level (0 holds 4 KiB leaves).
// Addr 0 is "none".
type TableAt struct {
	Addr     uint64
	GPA      uint64
	Level    int
	Writable bool // the second stage lets its entries be updated
	Global   bool // an entry on the way has G: all that the table maps is global
}

// purpose says what a second-stage walk is for.
type purpose uint8

const (
	finalAddress purpose = iota
	tableEntry           // an entry of a first-stage table
	directory            // an entry of the process directory
)

// Begin prepares a walk whose inputs are set.
func (w *Walk) Begin() {
	w.Fault, w.FaultGPA, w.FaultImplicit, w.FaultWrite = NoFault, 0, false, false
	w.Tables, w.GuestTables = [5]TableAt{}, [5]TableAt{}
	w.Shift, w.PBMTOut = 64, 0
	w.Perm = CanRead | CanWrite | CanExec | UserPage | AnyPriv
	w.Granted = w.Perm
	w.PA, w.GPA = w.VA, w.VA
	w.next = (*Walk).start
}

// Resume proceeds to the next access; see machine.
func (w *Walk) Resume(op *MemOp) bool { return w.next(w, op) }

func (w *Walk) start(op *MemOp) bool {
	switch {
	case w.Implicit:
		return w.second(op, w.VA, directory, (*Walk).finish)
	case w.First.Levels == 0:
		return w.final(op)
	case !canonical(w.VA, w.First.Levels):
		return w.fail(FaultPage)
	}
	w.level = w.First.Levels - 1
	w.table = TableAt{Addr: w.First.Root, GPA: w.First.Root, Level: w.level}
	if w.From.Addr != 0 {
		w.table, w.level = w.From, w.From.Level
	} else if w.Second.Levels != 0 {
		w.table.Addr = 0 // not translated yet
	}
	return w.first(op)
}

// canonical reports whether the bits above a first stage's address are copies
// of its top bit.
func canonical(va uint64, levels int) bool {
	top := int64(va) >> (pageShift + uint(levels)*levelBits - 1)
	return top == 0 || top == -1
}

func index(addr uint64, level int, bits uint) uint64 {
	return addr >> (pageShift + uint(level)*levelBits) & (1<<bits - 1)
}

// first addresses the first-stage entry of the current level.
func (w *Walk) first(op *MemOp) bool {
	off := index(w.VA, w.level, levelBits) * 8
	w.pteAddr = w.table.Addr + off
	if w.Second.Levels == 0 || w.table.Addr != 0 {
		return w.readFirst(op)
	}
	return w.second(op, w.table.GPA+off, tableEntry, (*Walk).firstTranslated)
}

func (w *Walk) firstTranslated(op *MemOp) bool {
	w.pteAddr = w.gpa
	w.table.Addr = w.gpa &^ pageMask
	w.table.Writable = w.gpte&PTEWrite != 0
	return w.readFirst(op)
}

func (w *Walk) readFirst(op *MemOp) bool {
	op.read(w.pteAddr, 8)
	w.next = (*Walk).gotFirst
	return true
}

// bad ends the walk on a failed access to a table.
func (w *Walk) bad(op *MemOp) bool {
	if op.Status == hw.MemoryError {
		return w.fail(FaultPoison)
	}
	return w.fail(FaultAccess)
}

func (w *Walk) gotFirst(op *MemOp) bool {
	if op.Status != hw.OK {
		return w.bad(op)
	}
	return w.decodeFirst(op, op.Word(0))
}

func (w *Walk) decodeFirst(op *MemOp, pte uint64) bool {
	w.pte = pte
	w.Tables[w.level] = w.table
	switch classify(pte, w.level, w.PBMT) {
	case pteInvalid:
		return w.fail(FaultPage)
	case ptePointer:
		w.level--
		next := ptePPN(pte) << pageShift
		w.table = TableAt{Addr: next, GPA: next, Level: w.level, Global: w.table.Global || pte&PTEGlobal != 0}
		if w.Second.Levels != 0 {
			w.table.Addr = 0
		}
		return w.first(op)
	}
	return w.leafFirst(op)
}

func (w *Walk) leafFirst(op *MemOp) bool {
	perm := pagePerm(w.pte)
	if w.ATS.On {
		perm = w.atsPerm(perm)
		if perm&(CanRead|CanWrite|CanExec) == 0 {
			return w.fail(FaultPerm)
		}
	} else if !perm.Allows(w.Kind, w.Priv, w.SUM) {
		return w.fail(FaultPerm)
	}
	if need := w.neededAD(w.pte); w.pte&need != need {
		if !w.First.UpdateAD {
			return w.fail(FaultPage)
		}
		return w.updateFirst(op)
	}
	return w.firstDone(op)
}

// atsPerm takes away what a translation request's privilege may not have.
func (w *Walk) atsPerm(perm Perm) Perm {
	user := perm&UserPage != 0
	if w.Priv && user && (!w.SUM || w.ATS.Exec) || !w.Priv && !user {
		return perm &^ (CanRead | CanWrite | CanExec)
	}
	return perm
}

// neededAD returns which of A and D the access needs to be set in a leaf.
func (w *Walk) neededAD(pte uint64) uint64 {
	if w.Kind == Store || w.ATS.On && w.ATS.Write && pte&PTEWrite != 0 {
		return PTEAccessed | PTEDirty
	}
	return PTEAccessed
}

// updateFirst sets A and D by compare and swap.
func (w *Walk) updateFirst(op *MemOp) bool {
	if w.Second.Levels != 0 && !w.table.Writable {
		w.FaultGPA = w.table.GPA + index(w.VA, w.level, levelBits)*8
		w.FaultImplicit, w.FaultWrite = true, true
		return w.fail(FaultGuestPage)
	}
	op.read(w.pteAddr, 8)
	op.Atomic = true
	w.next = (*Walk).swapFirst
	return true
}

func (w *Walk) swapFirst(op *MemOp) bool {
	if op.Status != hw.OK {
		return w.bad(op)
	}
	if seen := op.Word(0); seen != w.pte {
		return w.decodeFirst(op, seen)
	}
	w.pte |= w.neededAD(w.pte)
	op.write(w.pteAddr, 8)
	op.Atomic = true
	op.setWord(0, w.pte)
	w.next = (*Walk).wroteFirst
	return true
}

func (w *Walk) wroteFirst(op *MemOp) bool {
	if op.Status != hw.OK {
		return w.bad(op)
	}
	return w.firstDone(op)
}

func (w *Walk) firstDone(op *MemOp) bool {
	w.Shift = leafShift(w.pte, w.level)
	w.GPA = leafBase(w.pte, w.Shift) | w.VA&(1<<w.Shift-1)
	w.PA = w.GPA
	w.PBMTOut = uint8(w.pte >> pbmtShift & pbmtMask)
	w.Perm = pagePerm(w.pte)
	if w.table.Global {
		w.Perm |= GlobalPage
	}
	w.Granted = w.Perm
	if w.ATS.On {
		w.Granted = w.atsPerm(w.Perm)
	}
	if w.pte&PTEDirty == 0 {
		w.Perm &^= CanWrite
	}
	return w.final(op)
}

// final translates the access's own address through the second stage.
func (w *Walk) final(op *MemOp) bool {
	if w.Second.Levels == 0 {
		return w.finish(op)
	}
	return w.second(op, w.GPA, finalAddress, (*Walk).finalTranslated)
}

func (w *Walk) finalTranslated(op *MemOp) bool {
	w.PA = w.gpa
	w.Shift = min(w.Shift, leafShift(w.gpte, w.glevel))
	guest := pagePerm(w.gpte)
	w.Granted &= guest | UserPage | GlobalPage | AnyPriv
	if w.gpte&PTEDirty == 0 {
		guest &^= CanWrite
	}
	w.Perm &= guest | UserPage | GlobalPage | AnyPriv
	if pbmt := uint8(w.gpte >> pbmtShift & pbmtMask); w.PBMTOut == 0 {
		w.PBMTOut = pbmt
	}
	return w.finish(op)
}

func (w *Walk) finish(*MemOp) bool {
	if w.Implicit {
		w.PA = w.gpa
	}
	w.next = nil
	return false
}

func (w *Walk) fail(kind FaultKind) bool {
	w.Fault = kind
	w.next = nil
	return false
}
