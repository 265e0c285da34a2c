package pcie

import "math/bits"

// Offsets in configuration space.
const (
	regCommand   = 0x04
	regStatus    = 0x06
	regBAR0      = 0x10
	capPM        = 0x40
	capMSIX      = 0x50
	capPCIe      = 0x60
	capAER       = 0x100
	capSerial    = 0x150
	regPMCSR     = capPM + 0x04
	regMSIX      = capMSIX + 0x02
	regDevCtl    = capPCIe + 0x08
	regDevSta    = capPCIe + 0x0a
	regUEStatus  = capAER + 0x04
	regUEMask    = capAER + 0x08
	regUESev     = capAER + 0x0c
	regCEStatus  = capAER + 0x10
	regCEMask    = capAER + 0x14
	regAERCtl    = capAER + 0x18
	regHeaderLog = capAER + 0x1c
)

// Bits of configuration space.
const (
	commandMemory     = 1 << 1
	commandMaster     = 1 << 2
	commandSERR       = 1 << 8
	msixEnable        = 1 << 15
	msixMask          = 1 << 14
	controlReset      = 1 << 15 // DevCtl: initiate FLR
	statusPending     = 1 << 5  // DevSta: transactions pending
	statusSignalled   = 1 << 14 // Status: signalled system error
	devStaUnsupported = 1 << 3  // DevSta; the bits below are those of error messages
)

// Errors that the function can detect (section 7.8.4), all bits of a mask.
const (
	uncorrectable = 0x005ff010
	correctable   = 0x0000f1c1
	all           = 0xffffffff
)

// header is the type-0 header (sections 7.5.1.1 and 7.5.1.2).
func header(c *FunctionConfig) []register {
	return []register{
		{0x00, 2, "VENDOR_ID", uint32(c.Vendor), 0, 0, 0, "7.5.1.1.1"},
		{0x02, 2, "DEVICE_ID", uint32(c.Device), 0, 0, 0, "7.5.1.1.2"},
		{regCommand, 2, "COMMAND", 0, 0x0546, 0, 0, "7.5.1.1.3"},
		{regStatus, 2, "STATUS", 0x0010, 0, 0xf900, 0, "7.5.1.1.4"},
		{0x08, 1, "REVISION_ID", uint32(c.Revision), 0, 0, 0, "7.5.1.1.5"},
		{0x09, 1, "PROG_IF", c.Class & 0xff, 0, 0, 0, "7.5.1.1.6"},
		{0x0a, 2, "CLASS", c.Class >> 8, 0, 0, 0, "7.5.1.1.6"},
		{0x0c, 1, "CACHE_LINE_SIZE", 0, 0xff, 0, 0, "7.5.1.1.7"},
		{0x0e, 1, "HEADER_TYPE", 0, 0, 0, 0, "7.5.1.1.9"},
		{0x2c, 2, "SUBSYSTEM_VENDOR_ID", uint32(c.SubsystemVendor), 0, 0, 0, "7.5.1.2.3"},
		{0x2e, 2, "SUBSYSTEM_ID", uint32(c.Subsystem), 0, 0, 0, "7.5.1.2.3"},
		{0x34, 1, "CAPABILITIES", capPM, 0, 0, 0, "7.5.1.1.11"},
		{0x3c, 1, "INTERRUPT_LINE", 0, 0xff, 0, 0, "7.5.1.1.12"},
	}
}

// power is the power management capability: D0 and D3hot, state kept.
var power = []register{
	{capPM, 2, "PM_CAP", 0x01 | capMSIX<<8, 0, 0, 0, "7.5.2.1"},
	{capPM + 2, 2, "PMC", 0x0003, 0, 0, 0, "7.5.2.1"},
	{regPMCSR, 2, "PMCSR", 0x0008, 0x0003, 0, 0, "7.5.2.2"},
}

// msix is the MSI-X capability; table and pending bits share a BAR.
func msix(vectors int, table *vectorTable) []register {
	return []register{
		{capMSIX, 2, "MSIX_CAP", 0x11 | capPCIe<<8, 0, 0, 0, "7.7.2.1"},
		{regMSIX, 2, "MSIX_CONTROL", uint32(vectors - 1), msixEnable | msixMask, 0, 0, "7.7.2.2"},
		{capMSIX + 4, 4, "MSIX_TABLE", msixBAR, 0, 0, 0, "7.7.2.3"},
		{capMSIX + 8, 4, "MSIX_PBA", uint32(table.pba) | msixBAR, 0, 0, 0, "7.7.2.4"},
	}
}

// express is the PCI Express capability of an endpoint. The reset value of
// MPS and MRRS is what the link models.
func express(link *Config) []register {
	size := func(n int64) uint32 { return uint32(bits.Len64(uint64(n)) - 8) } // 128 B is 0
	speed, width := uint32(link.Generation), uint32(link.Lanes)
	control := 0x0910 | size(int64(link.MPS))<<5 | size(int64(link.MRRS))<<12
	tags10 := uint32(0)
	if link.Tags == Unlimited || link.Tags > 256 {
		tags10 = 1<<16 | 1<<17
	}
	return []register{
		{capPCIe, 2, "PCIE_CAP", 0x10, 0, 0, 0, "7.5.3.1"},
		{capPCIe + 0x02, 2, "PCIE_FLAGS", 0x0002, 0, 0, 0, "7.5.3.2"},
		{capPCIe + 0x04, 4, "DEVCAP", 0x10008020 | size(int64(link.MPS)), 0, 0, 0, "7.5.3.3"},
		{regDevCtl, 2, "DEVCTL", control, 0xf9ff, 0, 0x00e0, "7.5.3.4"},
		{regDevSta, 2, "DEVSTA", 0, 0, 0x000f, 0, "7.5.3.5"},
		{capPCIe + 0x0c, 4, "LNKCAP", 1<<22 | width<<4 | speed, 0, 0, 0, "7.5.3.6"},
		{capPCIe + 0x10, 2, "LNKCTL", 0, 0x00cb, 0, 0x00cb, "7.5.3.7"},
		{capPCIe + 0x12, 2, "LNKSTA", 1<<12 | width<<4 | speed, 0, 0, 0, "7.5.3.8"},
		{capPCIe + 0x24, 4, "DEVCAP2", 0x001f | tags10, 0, 0, 0, "7.5.3.15"},
		{capPCIe + 0x28, 2, "DEVCTL2", 0, 0x001f | tags10>>17<<12, 0, 0, "7.5.3.16"},
		{capPCIe + 0x2c, 4, "LNKCAP2", (1<<speed - 1) << 1, 0, 0, 0, "7.5.3.18"},
		{capPCIe + 0x30, 2, "LNKCTL2", speed, 0x000f, 0, 0x000f, "7.5.3.19"},
		{capPCIe + 0x32, 2, "LNKSTA2", 0, 0, 0, 0, "7.5.3.20"},
	}
}

// aer is advanced error reporting; its state is sticky.
var aer = []register{
	{capAER, 4, "AER_CAP", 0x0001 | 2<<16 | capSerial<<20, 0, 0, all, "7.8.4.1"},
	{regUEStatus, 4, "UE_STATUS", 0, 0, uncorrectable, all, "7.8.4.2"},
	{regUEMask, 4, "UE_MASK", 0x00400000, uncorrectable, 0, all, "7.8.4.3"},
	{regUESev, 4, "UE_SEVERITY", 0x00462010, uncorrectable, 0, all, "7.8.4.4"},
	{regCEStatus, 4, "CE_STATUS", 0, 0, correctable, all, "7.8.4.5"},
	{regCEMask, 4, "CE_MASK", 0x0000e000, correctable, 0, all, "7.8.4.6"},
	{regAERCtl, 4, "AER_CONTROL", 0, 0, 0, all, "7.8.4.7"},
	{regHeaderLog, 4, "HEADER_LOG0", 0, 0, 0, all, "7.8.4.8"},
	{regHeaderLog + 4, 4, "HEADER_LOG1", 0, 0, 0, all, "7.8.4.8"},
	{regHeaderLog + 8, 4, "HEADER_LOG2", 0, 0, 0, all, "7.8.4.8"},
	{regHeaderLog + 12, 4, "HEADER_LOG3", 0, 0, 0, all, "7.8.4.8"},
}

// serial is the device serial number, an EUI-64.
func serial(n uint64) []register {
	return []register{
		{capSerial, 4, "SERIAL_CAP", 0x0003 | 1<<16, 0, 0, 0, "7.9.3.1"},
		{capSerial + 4, 4, "SERIAL_LOW", uint32(n), 0, 0, 0, "7.9.3.2"},
		{capSerial + 8, 4, "SERIAL_HIGH", uint32(n >> 32), 0, 0, 0, "7.9.3.2"},
	}
}

// barRows returns the two dwords of a 64-bit memory BAR (section 7.5.1.2.1): the
// address bits above the size can be written, which is how software sizes it.
func barRows(bar int, size uint64, prefetch bool) []register {
	flags, mask := uint32(0x4), ^(size - 1)
	if prefetch {
		flags |= 0x8
	}
	off := regBAR0 + 4*bar
	return []register{
		{off, 4, "BAR", flags, uint32(mask) &^ 0xf, 0, 0, "7.5.1.2.1"},
		{off + 4, 4, "BAR_HIGH", 0, uint32(mask >> 32), 0, 0, "7.5.1.2.1"},
	}
}
