package mmu

import "encoding/binary"

// The context table is an array of 16-byte entries, indexed by ASID, in the
// format of the IOMMU specification's process context:
//
//	word 0: V[0], reserved[11:1], PASID[31:12], reserved[63:32]
//	word 1: PPN[43:0] of the root table, reserved[59:44], MODE[63:60]
//
// MODE is 8 (Sv39), 9 (Sv48), 10 (Sv57) or ContextShared, in which the
// context's addresses go to the bus as they are, with the PASID: a process that
// shares its address space with the device, translated by the host's IOMMU.
//
// A physical address, of a table or a page, has bits [55:0]. Bit 55 set means
// device memory, at the offset in the lower bits; clear means a bus address.
// Bits 54:52 are zero.
const (
	ContextBytes  = 16
	ContextShared = 14

	DeviceMemory    = uint64(1) << 55
	physReserved    = uint64(7) << 52
	contextReserved = 0xffffffff_00000ffe
	pidMask         = 1<<20 - 1
)

// Context is one entry of the context table.
type Context struct {
	Valid bool
	Mode  uint8
	Root  uint64 // physical address of the root table
	PASID uint32 // with ContextShared
}

// Encode lays the entry out.
func (c Context) Encode() (p [ContextBytes]byte) {
	binary.LittleEndian.PutUint64(p[0:], bit(c.Valid, 0)|uint64(c.PASID&pidMask)<<12)
	binary.LittleEndian.PutUint64(p[8:], c.Root>>pageShift&ppnMask|uint64(c.Mode)<<60)
	return p
}

// decodeContext reads an entry; ok is false if something reserved is set.
func decodeContext(w0, w1 uint64) (c Context, ok bool) {
	c = Context{Valid: w0&1 != 0, Mode: uint8(w1 >> 60), Root: w1 & ppnMask << pageShift,
		PASID: uint32(w0 >> 12 & pidMask)}
	known := levelsOf(uint64(c.Mode)) != 0 || c.Mode == ContextShared
	return c, known && w0&contextReserved == 0 && w1>>44&0xffff == 0
}

// placeOf returns where a physical address of the device lies.
func placeOf(pa uint64) (inDevice bool, addr uint64) {
	return pa&DeviceMemory != 0, pa &^ DeviceMemory
}
