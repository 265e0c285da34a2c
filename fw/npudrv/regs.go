package npudrv

import "github.com/presi-sim/presi/hw/abi"

// Offsets in BAR0, taken from the tables.
var (
	regID          = abi.Offset(&abi.Ident, "ID")
	regABIVersion  = abi.Offset(&abi.Ident, "ABI_VERSION")
	regHWVersion   = abi.Offset(&abi.Ident, "HW_VERSION")
	regPlatform    = abi.Offset(&abi.Ident, "PLATFORM")
	regCores       = abi.Offset(&abi.Ident, "CAP_CORES")
	regQueues      = abi.Offset(&abi.Ident, "CAP_QUEUES")
	regDMA         = abi.Offset(&abi.Ident, "CAP_DMA")
	regArray       = abi.Offset(&abi.Ident, "CAP_ARRAY")
	regVector      = abi.Offset(&abi.Ident, "CAP_VECTOR")
	regDTypes      = abi.Offset(&abi.Ident, "CAP_DTYPES")
	regMemSize     = abi.Offset(&abi.Ident, "CAP_MEM_SIZE")
	regBAR2Size    = abi.Offset(&abi.Ident, "CAP_BAR2_SIZE")
	regSpadSize    = abi.Offset(&abi.Ident, "CAP_SPAD_SIZE")
	regCoreHz      = abi.Offset(&abi.Ident, "CAP_CORE_HZ")
	regTimestampHz = abi.Offset(&abi.Ident, "CAP_TIMESTAMP_HZ")
	regPageSizes   = abi.Offset(&abi.Ident, "CAP_PAGE_SIZES")
	regVABits      = abi.Offset(&abi.Ident, "CAP_VA_BITS")
	regRingLog2    = abi.Offset(&abi.Ident, "CAP_RING_LOG2")
	regContexts    = abi.Offset(&abi.Ident, "CAP_CONTEXTS")
	regResetCtrl   = abi.Offset(&abi.Ident, "RESET_CTRL")
	regResetStatus = abi.Offset(&abi.Ident, "RESET_STATUS")
	regCause       = abi.Offset(&abi.Ident, "IRQ_CAUSE")
	regMask        = abi.Offset(&abi.Ident, "IRQ_MASK")

	regContextLo = abi.Offset(&abi.MMU, "CTX_BASE_LO")
	regContextHi = abi.Offset(&abi.MMU, "CTX_BASE_HI")
	regInvASID   = abi.Offset(&abi.MMU, "INV_ASID")
	regInvAddrLo = abi.Offset(&abi.MMU, "INV_ADDR_LO")
	regInvAddrHi = abi.Offset(&abi.MMU, "INV_ADDR_HI")
	regInvSizeLo = abi.Offset(&abi.MMU, "INV_SIZE_LO")
	regInvSizeHi = abi.Offset(&abi.MMU, "INV_SIZE_HI")
	regInvCmd    = abi.Offset(&abi.MMU, "INV_CMD")
	regInvDone   = abi.Offset(&abi.MMU, "INV_DONE")
	regFaultLo   = abi.Offset(&abi.MMU, "FAULT_BASE_LO")
	regFaultHi   = abi.Offset(&abi.MMU, "FAULT_BASE_HI")
	regFaultLog2 = abi.Offset(&abi.MMU, "FAULT_LOG2")
	regFaultHead = abi.Offset(&abi.MMU, "FAULT_HEAD")
	regFaultTail = abi.Offset(&abi.MMU, "FAULT_TAIL")
	regFaultStat = abi.Offset(&abi.MMU, "FAULT_STATUS")

	regSnapshot  = abi.Offset(&abi.Telemetry, "SNAPSHOT")
	regTelemetry = abi.Offset(&abi.Telemetry, "TIMESTAMP_NS")
	regPower     = abi.Offset(&abi.Telemetry, "POWER_MW")
	regTemp      = abi.Offset(&abi.Telemetry, "TEMPERATURE_MC")

	regBootCtrl   = abi.Offset(&abi.Mgmt, "BOOT_CTRL")
	regBootStatus = abi.Offset(&abi.Mgmt, "BOOT_STATUS")

	regHeartbeat   = abi.Offset(&abi.Mgmt, "HEARTBEAT")
	regHeartbeatUS = abi.Offset(&abi.Mgmt, "HEARTBEAT_US")

	regMailCommand = abi.Offset(&abi.Mgmt, "MBOX_CMD")
	regMailStatus  = abi.Offset(&abi.Mgmt, "MBOX_STATUS")
	regMailRet     = abi.Offset(&abi.Mgmt, "MBOX_RET")

	regSQLo      = abi.Offset(&abi.Queue, "SQ_BASE_LO")
	regSQHi      = abi.Offset(&abi.Queue, "SQ_BASE_HI")
	regCQLo      = abi.Offset(&abi.Queue, "CQ_BASE_LO")
	regCQHi      = abi.Offset(&abi.Queue, "CQ_BASE_HI")
	regSQLog2    = abi.Offset(&abi.Queue, "SQ_LOG2")
	regCQLog2    = abi.Offset(&abi.Queue, "CQ_LOG2")
	regQVector   = abi.Offset(&abi.Queue, "VECTOR")
	regQEngine   = abi.Offset(&abi.Queue, "ENGINE")
	regQPriority = abi.Offset(&abi.Queue, "PRIORITY")
	regQCtrl     = abi.Offset(&abi.Queue, "CTRL")
	regQState    = abi.Offset(&abi.Queue, "STATE")
	regQProgress = abi.Offset(&abi.Queue, "PROGRESS")
	regQSeqno    = abi.Offset(&abi.Queue, "CUR_SEQNO")
	bellSQTail   = abi.Offset(&abi.Doorbell, "SQ_TAIL")
	bellCQHead   = abi.Offset(&abi.Doorbell, "CQ_HEAD")
	ctrlEnable   = uint32(1)
	ctrlResume   = uint32(2)
)

func (d *Device) read(off uint64) uint32     { return d.bus.Read32(abi.BARRegisters, off) }
func (d *Device) read64(off uint64) uint64   { return d.bus.Read64(abi.BARRegisters, off) }
func (d *Device) write(off uint64, v uint32) { d.bus.Write32(abi.BARRegisters, off, v) }

func (d *Device) writePair(lo, hi, v uint64) {
	d.write(lo, uint32(v))
	d.write(hi, uint32(v>>32))
}
