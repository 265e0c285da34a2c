package abi

// MaxContexts is how many ASIDs there are; ASID 0 is never valid.
const MaxContexts = 1024

// ContextSize is the size of a context table entry in bytes.
const ContextSize = 16

// Modes of a context.
const (
	ModeSv39   = 8
	ModeSv48   = 9
	ModeShared = 14 // addresses go to the bus as they are, with the PASID
)

// Context is an entry of the device MMU's context table (16 B), in the format
// of a RISC-V IOMMU process context: word 0 valid (bit 0) and PASID (31:12),
// word 1 root page number (43:0) and mode (63:60). The root's physical address
// may lie in device memory (DeviceBit) or on the bus.
type Context struct {
	Valid bool
	Mode  uint8
	Root  uint64 // physical address, 4 KiB aligned
	PASID uint32 // with ModeShared
}

// Encode lays c out in p[:16].
func (c *Context) Encode(p []byte) {
	w := uint64(c.PASID) << 12
	if c.Valid {
		w |= 1
	}
	put64(p, w, c.Root>>12|uint64(c.Mode)<<60)
}

// Decode reads p[:16].
func (c *Context) Decode(p []byte) {
	w0, w1 := le.Uint64(p), le.Uint64(p[8:])
	*c = Context{Valid: w0&1 != 0, PASID: uint32(w0 >> 12 & 0xfffff), Root: w1 & (1<<44 - 1) << 12, Mode: uint8(w1 >> 60)}
}

// DeviceBit in a physical address means device memory, else the bus; bits
// 54:52 are zero.
const DeviceBit = 1 << 55

// Bits of a page-table entry (RISC-V privileged specification, Sv48).
const (
	PTEValid   = 1 << 0
	PTERead    = 1 << 1
	PTEWrite   = 1 << 2
	PTEExecute = 1 << 3 // commands may be fetched from here
	PTEUser    = 1 << 4
	PTEGlobal  = 1 << 5
	PTEAccess  = 1 << 6
	PTEDirty   = 1 << 7
	PTENapot   = 1 << 63 // Svnapot: with PPN[3:0] = 1000, a 64 KiB page
)

// PTE returns the entry for a physical address with the given bits: the page
// number at bits 53:10. Physical bit 55 is page-number bit 43.
func PTE(phys, bits uint64) uint64 { return phys>>12<<10 | bits }
