package abi

// MaxContexts is how many ASIDs there are; ASID 0 is never valid.
const MaxContexts = 1024

// ContextSize is the size of a context table entry in bytes.
const ContextSize = 16

// Context is an entry of the device MMU's context table (16 B): u64 valid (bit
// 0) | Sv48 root page number << 12, u64 reserved. The root's physical address
// may lie in device memory (bit 55) or on the bus.
type Context struct {
	Valid bool
	Root  uint64 // physical address, 4 KiB aligned
}

// Encode lays c out in p[:16].
func (c *Context) Encode(p []byte) {
	w := c.Root &^ 0xfff
	if c.Valid {
		w |= 1
	}
	put64(p, w, 0)
}

// Decode reads p[:16]; false when a reserved bit is set.
func (c *Context) Decode(p []byte) bool {
	w := le.Uint64(p)
	*c = Context{Valid: w&1 != 0, Root: w &^ 0xfff}
	return w&0xffe == 0 && le.Uint64(p[8:]) == 0
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
