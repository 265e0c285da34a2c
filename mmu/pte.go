package mmu

import "github.com/presi-sim/presi/hw/abi"

// Page-table entry, Privileged specification 4.4 (Sv39) and chapters "Svnapot"
// and "Svpbmt".
const (
	PTEValid    = abi.PTEValid
	PTERead     = abi.PTERead
	PTEWrite    = abi.PTEWrite
	PTEExec     = abi.PTEExecute
	PTEUser     = abi.PTEUser
	PTEGlobal   = abi.PTEGlobal
	PTEAccessed = abi.PTEAccess
	PTEDirty    = abi.PTEDirty
	PTENapot    = abi.PTENapot

	pteRWX      = PTERead | PTEWrite | PTEExec
	ptePPNShift = 10
	ppnMask     = 1<<44 - 1
	pteReserved = 0x7f << 54
	pbmtShift   = 61
	pbmtMask    = 3
	napotBits   = 4 // 64 KiB: the one size that Svnapot defines
	pageShift   = 12
	levelBits   = 9
	pageMask    = 1<<pageShift - 1
)

// Modes of a table pointer (satp, iosatp, iohgatp): 0 is Bare.
const (
	ModeBare = 0
	ModeSv39 = 8
	ModeSv48 = 9
	ModeSv57 = 10
)

// levelsOf returns the levels of a mode, 0 for Bare and for unknown modes.
func levelsOf(mode uint64) int {
	if mode < ModeSv39 || mode > ModeSv57 {
		return 0
	}
	return int(mode-ModeSv39) + 3
}

func ptePPN(pte uint64) uint64 { return pte >> ptePPNShift & ppnMask }

type pteKind uint8

const (
	pteInvalid pteKind = iota
	ptePointer
	pteLeaf
)

// classify applies steps 3 to 5 of the address translation process: what an
// entry of a level is, with every reserved encoding invalid.
func classify(pte uint64, level int, pbmtOn bool) pteKind {
	pbmt := pte >> pbmtShift & pbmtMask
	switch {
	case pte&PTEValid == 0, pte&pteReserved != 0, pte&(PTERead|PTEWrite) == PTEWrite:
		return pteInvalid
	case pbmt != 0 && !pbmtOn, pbmt == pbmtMask:
		return pteInvalid
	case pte&pteRWX == 0:
		if level == 0 || pte&(PTENapot|PTEAccessed|PTEDirty|PTEUser) != 0 || pbmt != 0 {
			return pteInvalid
		}
		return ptePointer
	}
	ppn := ptePPN(pte)
	if pte&PTENapot != 0 {
		if level != 0 || ppn&(1<<napotBits-1) != 1<<(napotBits-1) {
			return pteInvalid
		}
		return pteLeaf
	}
	if ppn&(1<<(uint(level)*levelBits)-1) != 0 {
		return pteInvalid // misaligned superpage
	}
	return pteLeaf
}

// leafShift returns log2 of the bytes a leaf maps.
func leafShift(pte uint64, level int) uint8 {
	if pte&PTENapot != 0 {
		return pageShift + napotBits
	}
	return uint8(pageShift + level*levelBits)
}

// leafBase returns the physical address of the first byte a leaf maps.
func leafBase(pte uint64, shift uint8) uint64 {
	return ptePPN(pte) << pageShift &^ (1<<shift - 1)
}

// Access is what an access does to a page.
type Access uint8

// Kinds of access.
const (
	Load    Access = iota
	Store          // writes and atomics
	Fetch          // reads to execute: needs X
	Command        // reads commands: needs X or R
)

// Perm is what a translation allows.
type Perm uint8

// Permissions of a translation. CanWrite is set only when the dirty bits need
// no update, so that the first store to a clean page walks.
const (
	CanRead Perm = 1 << iota
	CanWrite
	CanExec
	UserPage
	GlobalPage
	AnyPriv // no first stage: privilege does not matter
)

var permFor = [...]Perm{Load: CanRead, Store: CanWrite, Fetch: CanExec, Command: CanRead | CanExec}

// Allows reports whether an access may use the translation. sum is the
// context's SUM bit: supervisors may touch user pages, though never fetch.
func (p Perm) Allows(kind Access, priv, sum bool) bool {
	switch {
	case p&permFor[kind] == 0:
		return false
	case p&AnyPriv != 0:
		return true
	case !priv:
		return p&UserPage != 0
	}
	return p&UserPage == 0 || sum && kind != Fetch
}

// pagePerm returns what a leaf's R, W, X, U and G bits say, D apart.
func pagePerm(pte uint64) (p Perm) {
	p = Perm(pte>>1) & (CanRead | CanWrite | CanExec | UserPage | GlobalPage)
	return p
}
