package mmu

import "github.com/presi-sim/presi/hw"

// second starts a second-stage walk of gpa; then continues with the address
// in w.gpa, the leaf in w.gpte.
func (w *Walk) second(op *MemOp, gpa uint64, why purpose, then func(*Walk, *MemOp) bool) bool {
	w.gpa, w.gpurpose, w.then = gpa, why, then
	w.glevel = w.Second.Levels - 1
	if gpa>>(pageShift+2+uint(w.Second.Levels)*levelBits) != 0 {
		return w.failSecond()
	}
	w.gtable = w.Second.Root
	if why == finalAddress && w.GuestFrom != nil {
		if t := w.GuestFrom(gpa); t.Addr != 0 {
			w.gtable, w.glevel = t.Addr, t.Level
		}
	}
	return w.readSecond(op)
}

func (w *Walk) failSecond() bool {
	w.FaultGPA = w.gpa
	w.FaultImplicit = w.gpurpose != finalAddress
	return w.fail(FaultGuestPage)
}

func (w *Walk) readSecond(op *MemOp) bool {
	bits := uint(levelBits)
	if w.glevel == w.Second.Levels-1 {
		bits += 2 // the root table is 16 KiB
	}
	w.gpteAddr = w.gtable + index(w.gpa, w.glevel, bits)*8
	op.read(w.gpteAddr, 8)
	w.next = (*Walk).gotSecond
	return true
}

func (w *Walk) gotSecond(op *MemOp) bool {
	if op.Status != hw.OK {
		return w.bad(op)
	}
	return w.decodeSecond(op, op.Word(0))
}

func (w *Walk) decodeSecond(op *MemOp, pte uint64) bool {
	w.gpte = pte
	if w.gpurpose == finalAddress {
		w.GuestTables[w.glevel] = TableAt{Addr: w.gtable, Level: w.glevel}
	}
	switch classify(pte, w.glevel, w.PBMT) {
	case pteInvalid:
		return w.failSecond()
	case ptePointer:
		w.glevel--
		w.gtable = ptePPN(pte) << pageShift
		return w.readSecond(op)
	}
	return w.leafSecond(op)
}

// leafSecond checks a second-stage leaf; it counts as accessed by a user.
func (w *Walk) leafSecond(op *MemOp) bool {
	if !w.secondAllows(pagePerm(w.gpte)) {
		return w.failSecond()
	}
	if need := w.neededGuestAD(); w.gpte&need != need {
		if !w.Second.UpdateAD {
			return w.failSecond()
		}
		return w.updateSecond(op)
	}
	return w.secondDone(op)
}

func (w *Walk) secondAllows(perm Perm) bool {
	switch {
	case perm&UserPage == 0:
		return false
	case w.gpurpose != finalAddress:
		return perm&CanRead != 0
	case w.ATS.On:
		return true // what lacks is taken out of the answer
	}
	return perm&permFor[w.Kind] != 0
}

// neededGuestAD is neededAD for a second-stage leaf. A page that holds
// first-stage tables counts as written when hardware may update the entries.
func (w *Walk) neededGuestAD() uint64 {
	switch w.gpurpose {
	case finalAddress:
		return w.neededAD(w.gpte)
	case tableEntry:
		if w.First.UpdateAD && w.gpte&PTEWrite != 0 {
			return PTEAccessed | PTEDirty
		}
	}
	return PTEAccessed
}

func (w *Walk) updateSecond(op *MemOp) bool {
	op.read(w.gpteAddr, 8)
	op.Atomic = true
	w.next = (*Walk).swapSecond
	return true
}

func (w *Walk) swapSecond(op *MemOp) bool {
	if op.Status != hw.OK {
		return w.bad(op)
	}
	if seen := op.Word(0); seen != w.gpte {
		return w.decodeSecond(op, seen)
	}
	w.gpte |= w.neededGuestAD()
	op.write(w.gpteAddr, 8)
	op.Atomic = true
	op.setWord(0, w.gpte)
	w.next = (*Walk).wroteSecond
	return true
}

func (w *Walk) wroteSecond(op *MemOp) bool {
	if op.Status != hw.OK {
		return w.bad(op)
	}
	return w.secondDone(op)
}

func (w *Walk) secondDone(op *MemOp) bool {
	shift := leafShift(w.gpte, w.glevel)
	w.gpa = leafBase(w.gpte, shift) | w.gpa&(1<<shift-1)
	return w.then(w, op)
}
