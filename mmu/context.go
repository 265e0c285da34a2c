package mmu

import "github.com/presi-sim/presi/hw/abi"

// The context table (abi.Context) is read here as it lies in memory. An entry
// with a reserved bit set, an unknown mode or a root outside the physical
// address space is misconfigured.
//
// A physical address, of a table or a page, has bits [55:0]. Bit 55
// (abi.DeviceBit) set means device memory, at the offset in the lower bits;
// clear means a bus address. Bits 54:52 are zero.
const (
	physReserved    = uint64(7) << 52
	contextReserved = 0xffffffff_00000ffe
	pidMask         = 1<<20 - 1
)

// decodeContext reads an entry's two words; ok is false if it is misconfigured.
func decodeContext(op *MemOp) (c abi.Context, ok bool) {
	c.Decode(op.Buf[:])
	known := levelsOf(uint64(c.Mode)) != 0 || c.Mode == abi.ModeShared
	reserved := op.Word(0)&contextReserved | op.Word(1)>>44&0xffff | c.Root&physReserved
	return c, known && reserved == 0
}

// placeOf returns where a physical address of the device lies.
func placeOf(pa uint64) (inDevice bool, addr uint64) {
	return pa&abi.DeviceBit != 0, pa &^ abi.DeviceBit
}
