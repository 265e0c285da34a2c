package edudrv

// PCI identity and configuration space.
const (
	vendorID      = 0x1234
	deviceID      = 0x11e8
	pciID         = 0x00
	pciCommand    = 0x04
	commandMemory = 1 << 1
	commandMaster = 1 << 2
)

// Registers in BAR0.
const (
	regIdentification = 0x00
	regLiveness       = 0x04
	regFactorial      = 0x08
	regStatus         = 0x20
	regCauses         = 0x24
	regAcknowledge    = 0x64
	regSource         = 0x80
	regDestination    = 0x88
	regCount          = 0x90
	regCommand        = 0x98
)

// Bits of registers.
const (
	statusComputing = 0x01
	statusInterrupt = 0x80

	causeFactorial = 0x001
	causeDMA       = 0x100

	dmaRun       = 1 << 0
	dmaToHost    = 1 << 1
	dmaInterrupt = 1 << 2
)

// The card's own memory, as DMA addresses it, and the address bits it drives.
const (
	cardBuffer = 0x40000
	cardBytes  = 4096
	dmaBits    = 28
)

// gone is what a register reads when nothing answers.
const gone = 0xffffffff

func (d *Device) read(off uint64) uint32       { return d.bus.Read32(0, off) }
func (d *Device) write(off uint64, v uint32)   { d.bus.Write32(0, off, v) }
func (d *Device) write64(off uint64, v uint64) { d.bus.Write64(0, off, v) }
