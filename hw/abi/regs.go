package abi

import (
	"fmt"

	"github.com/presi-sim/presi/hw/reg"
)

// Limits that the register map fixes.
const (
	MaxQueues      = 64
	QueueStride    = 0x100
	DoorbellStride = 0x1000
	MinRingLog2    = 2 // entries of a ring, as a power of two
	MaxRingLog2    = 16
)

// Bases of the register blocks in BAR0.
const (
	BaseIdent     = 0x0000
	BaseMMU       = 0x1000
	BaseTelemetry = 0x2000
	BaseMgmt      = 0x3000
	BaseQueues    = 0x10000
	BaseDoorbells = 0x100000
)

// Platform types.
const (
	PlatformSilicon    = 0
	PlatformEmulation  = 1
	PlatformSimulation = 2
)

// Reset domains, as written to RESET_CTRL.
const (
	ResetQueue   = 1 // one queue, by index
	ResetEngine  = 2 // one engine: 0 compute, 1 copy
	ResetCompute = 3 // all engines, queues and TLBs; memory is kept
)

// States of RESET_STATUS.
const (
	ResetIdle   = 0
	ResetBusy   = 1
	ResetDone   = 2
	ResetFailed = 3
)

// Bits of IRQ_CAUSE.
const (
	CauseFault   = 1 << 0 // a record is in the fault ring
	CauseReset   = 1 << 1 // a reset finished
	CauseThermal = 1 << 2
	CauseMailbox = 1 << 3 // the management controller answered
	CauseMemory  = 1 << 4 // uncorrectable memory error
	CauseMgmt    = 1 << 5 // management controller failed
	CauseQueue   = 1 << 6 // a queue entered ERROR
)

// States of a queue.
const (
	QueueDisabled = iota
	QueueIdle
	QueueRunning
	QueueWaiting
	QueueDraining
	QueueError
)

// QueueStates names the states of a queue.
var QueueStates = [...]string{"DISABLED", "IDLE", "RUNNING", "WAITING", "DRAINING", "ERROR"}

// Engines a queue may feed.
const (
	EngineCompute = 0
	EngineCopy    = 1
	NumEngines    = 2
)

// Values of BOOT_STATUS.
const (
	BootOff     = 0
	BootRunning = 1
	BootReady   = 2
	BootFailed  = 3
)

// Mailbox commands.
const (
	MailNop     = 0
	MailVersion = 1 // RET0: firmware version
	MailSensors = 2 // RET0: temperature in m°C, RET1: power in mW, RET2: core clock in kHz
	MailPower   = 3 // ARG0: 0 run, 1 retain, 2 off; an announcement that changes nothing
	MailTime    = 4 // RET0, RET1: device time in ns, low and high
)

// Values of MBOX_STATUS.
const (
	MailIdle    = 0
	MailBusy    = 1
	MailDone    = 2
	MailUnknown = 3 // no such command
	MailRefused = 4 // not in this state, or a bad argument
)

func ro(off uint64, name, text string) reg.Register {
	return reg.Register{Offset: off, Name: name, Size: 4, Access: reg.RO, Text: text}
}

func rw(off uint64, name, text string) reg.Register {
	return reg.Register{Offset: off, Name: name, Size: 4, Access: reg.RW, Text: text}
}

func wo(off uint64, name, text string) reg.Register {
	return reg.Register{Offset: off, Name: name, Size: 4, Access: reg.WO, Text: text}
}

func ro64(off uint64, name, text string) reg.Register {
	return reg.Register{Offset: off, Name: name, Size: 8, Access: reg.RO, Text: text}
}

func fixed(r reg.Register, v uint64) reg.Register { r.Reset = v; return r }

func values(names ...string) []reg.Value {
	out := make([]reg.Value, len(names))
	for i, n := range names {
		out[i] = reg.Value{Value: uint64(i), Name: n}
	}
	return out
}

// Ident is identification, capabilities, reset and interrupts.
var Ident = reg.Table{
	Name: "IDENT", Base: BaseIdent, Size: 0x1000,
	Text: "Identification, capabilities, reset and interrupts. Capabilities are fixed by the machine.",
	Registers: []reg.Register{
		fixed(ro(0x000, "ID", "Device id in the high half, vendor id in the low half."), DeviceID<<16|VendorID),
		fixed(ro(0x004, "HW_VERSION", "Version of the hardware; also the PCI revision."), HWVersion),
		fixed(ro(0x008, "ABI_VERSION", "Version of this register interface."), Version),
		{Offset: 0x00c, Name: "PLATFORM", Size: 4, Access: reg.RO, Text: "What the device runs on; drivers scale their time-outs by it.",
			Fields: []reg.Field{{Name: "TYPE", Hi: 1, Lo: 0, Access: reg.RO, Reset: PlatformSimulation, Text: "Platform type.",
				Values: values("SILICON", "EMULATION", "SIMULATION")}}},
		ro(0x010, "CAP_CORES", "Compute cores."),
		ro(0x014, "CAP_QUEUES", "Command queues."),
		ro(0x018, "CAP_DMA", "DMA channels."),
		{Offset: 0x01c, Name: "CAP_ARRAY", Size: 4, Access: reg.RO, Text: "Systolic array of each core.", Fields: []reg.Field{
			{Name: "ROWS", Hi: 15, Lo: 0, Access: reg.RO, Text: "Rows of processing elements."},
			{Name: "COLS", Hi: 31, Lo: 16, Access: reg.RO, Text: "Columns of processing elements."}}},
		ro(0x020, "CAP_VECTOR", "Lanes of each core's vector unit."),
		ro(0x024, "CAP_DTYPES", "Element types, a bit per DTYPE number."),
		ro64(0x028, "CAP_MEM_SIZE", "Device memory in bytes."),
		ro64(0x030, "CAP_BAR2_SIZE", "Bytes of device memory, from 0, that BAR2 shows."),
		ro64(0x038, "CAP_SPAD_SIZE", "Scratchpad of each core in bytes."),
		ro64(0x040, "CAP_CORE_HZ", "Core clock in hertz."),
		fixed(ro64(0x048, "CAP_TIMESTAMP_HZ", "Rate of TIMESTAMP in hertz."), 1e9),
		fixed(ro(0x050, "CAP_PAGE_SIZES", "Page sizes of the device MMU, a bit per power of two."), 1<<12|1<<16|1<<21|1<<30),
		fixed(ro(0x054, "CAP_VA_BITS", "Bits of a context address (Sv48, the lower half)."), 47),
		fixed(ro(0x058, "CAP_RING_LOG2", "Largest ring, log2 of entries."), MaxRingLog2),
		fixed(ro(0x05c, "CAP_CONTEXTS", "Contexts (ASIDs)."), MaxContexts),
		fixed(ro(0x060, "DOORBELL_OFFSET", "Offset of queue 0's doorbell page in BAR0."), BaseDoorbells),
		fixed(ro(0x064, "DOORBELL_STRIDE", "Bytes from a queue's doorbell page to the next."), DoorbellStride),
		{Offset: 0x080, Name: "RESET_CTRL", Size: 4, Access: reg.WO, Text: "Starts a reset: halt, await outstanding completions, reset, epoch + 1. Ignored while one of the same or a wider domain is busy; a wider one takes a narrower one's place.",
			Fields: []reg.Field{
				{Name: "DOMAIN", Hi: 3, Lo: 0, Access: reg.WO, Text: "What to reset.", Values: []reg.Value{
					{Value: ResetQueue, Name: "QUEUE"}, {Value: ResetEngine, Name: "ENGINE"}, {Value: ResetCompute, Name: "COMPUTE"}}},
				{Name: "INDEX", Hi: 15, Lo: 8, Access: reg.WO, Text: "Queue or engine."}}},
		{Offset: 0x084, Name: "RESET_STATUS", Size: 4, Access: reg.RO, Text: "Progress of the last reset.", Fields: []reg.Field{
			{Name: "STATE", Hi: 1, Lo: 0, Access: reg.RO, Text: "State.", Values: values("IDLE", "BUSY", "DONE", "FAILED")}}},
		ro64(0x088, "RESET_ASIDS", "ASIDs below 64 whose work the last reset ended, a bit each."),
		{Offset: 0x100, Name: "IRQ_CAUSE", Size: 4, Access: reg.W1C, Text: "Causes of vector 0; write 1 to clear.", Fields: []reg.Field{
			{Name: "FAULT", Hi: 0, Lo: 0, Access: reg.W1C, Text: "A record was written to the fault ring."},
			{Name: "RESET", Hi: 1, Lo: 1, Access: reg.W1C, Text: "A reset has finished."},
			{Name: "THERMAL", Hi: 2, Lo: 2, Access: reg.W1C, Text: "A thermal limit was crossed."},
			{Name: "MAILBOX", Hi: 3, Lo: 3, Access: reg.W1C, Text: "The management controller has answered."},
			{Name: "MEMORY", Hi: 4, Lo: 4, Access: reg.W1C, Text: "Uncorrectable error of device memory."},
			{Name: "MGMT", Hi: 5, Lo: 5, Access: reg.W1C, Text: "The management controller has failed."},
			{Name: "QUEUE", Hi: 6, Lo: 6, Access: reg.W1C, Text: "A queue entered ERROR."}}},
		rw(0x104, "IRQ_MASK", "Causes that raise vector 0, as in IRQ_CAUSE."),
		{Offset: 0x108, Name: "IRQ_MODERATION", Size: 4, Text: "Moderation of completion interrupts, for every queue.", Fields: []reg.Field{
			{Name: "COUNT", Hi: 7, Lo: 0, Text: "Completions that raise an interrupt at once; 0 and 1: each."},
			{Name: "TIME_US", Hi: 31, Lo: 16, Text: "Longest delay of an interrupt in µs."}}},
		ro64(0x110, "TIMESTAMP", "Device time in ns since power-on."),
		ro(0x118, "DROPPED", "Writes that were dropped: not an aligned 4-byte write, or to no register."),
	},
}

// MMU is the device MMU.
var MMU = reg.Table{
	Name: "MMU", Base: BaseMMU, Size: 0x1000,
	Text: "Device MMU: context table, invalidation and the fault ring.",
	Registers: []reg.Register{
		rw(0x000, "CTX_BASE_LO", "Physical address of the context table (bit 55 of the whole: device memory)."),
		rw(0x004, "CTX_BASE_HI", "High half; writing it latches the base."),
		rw(0x010, "INV_ASID", "Context to invalidate; ALL ones for every context."),
		rw(0x014, "INV_ADDR_LO", "First address."),
		rw(0x018, "INV_ADDR_HI", "High half."),
		rw(0x01c, "INV_SIZE_LO", "Bytes; 0 for the whole context."),
		rw(0x020, "INV_SIZE_HI", "High half."),
		wo(0x024, "INV_CMD", "Starts the invalidation; it takes the next sequence number, beginning with 1."),
		ro(0x028, "INV_DONE", "Sequence number of the last finished invalidation: entries are dropped, earlier walks discarded, and accesses already translated have completed."),
		rw(0x040, "FAULT_BASE_LO", "Bus address of the fault ring (records of 32 bytes)."),
		rw(0x044, "FAULT_BASE_HI", "High half."),
		rw(0x048, "FAULT_LOG2", "Records of the ring, log2; writing it empties and enables the ring, 0 disables it."),
		rw(0x04c, "FAULT_HEAD", "Next record software reads."),
		ro(0x050, "FAULT_TAIL", "Next record the device writes."),
		{Offset: 0x054, Name: "FAULT_STATUS", Size: 4, Access: reg.W1C, Text: "State of the fault ring.", Fields: []reg.Field{
			{Name: "OVERFLOW", Hi: 0, Lo: 0, Access: reg.W1C, Text: "A record was lost: the ring was full or disabled."},
			{Name: "WRITE_ERROR", Hi: 1, Lo: 1, Access: reg.W1C, Text: "A record could not be written."}}},
	},
}

// Telemetry is the counters, latched together by SNAPSHOT.
var Telemetry = reg.Table{
	Name: "TELEMETRY", Base: BaseTelemetry, Size: 0x1000,
	Text: "Counters since power-on, latched together by a write to SNAPSHOT. In the order of the uAPI's telemetry.",
	Registers: []reg.Register{
		wo(0x000, "SNAPSHOT", "Latches all counters."),
		ro64(0x008, "TIMESTAMP_NS", "Device time of the snapshot."),
		ro64(0x010, "CORE_BUSY_NS", "Time with a kernel running, summed over cores."),
		ro64(0x018, "DMA_BUSY_NS", "Time with a copy running, summed over channels."),
		ro64(0x020, "LINK_RX_BYTES", "Payload the device received over the link."),
		ro64(0x028, "LINK_TX_BYTES", "Payload the device sent over the link."),
		ro64(0x030, "MEM_READ_BYTES", "Bytes read from device memory."),
		ro64(0x038, "MEM_WRITE_BYTES", "Bytes written to device memory."),
		ro64(0x040, "JOBS_COMPLETED", "Ring entries that ended well."),
		ro64(0x048, "JOBS_FAILED", "Ring entries that ended with an error."),
		ro64(0x050, "TLB_HITS", "Look-ups that hit, all TLBs."),
		ro64(0x058, "TLB_MISSES", "Look-ups that walked."),
		ro64(0x060, "FAULTS", "Faults of the device MMU."),
		ro64(0x068, "ECC_CORRECTED", "Corrected memory errors."),
		ro64(0x070, "ECC_UNCORRECTED", "Uncorrectable memory errors."),
		ro(0x078, "POWER_MW", "Power in mW, from the activity since the last snapshot."),
		ro(0x07c, "TEMPERATURE_MC", "Temperature in thousandths of a degree Celsius."),
	},
}

// Mgmt is the management controller.
var Mgmt = reg.Table{
	Name: "MGMT", Base: BaseMgmt, Size: 0x1000,
	Text: "Management controller: boot handshake, mailbox, heartbeat. Nothing but this block and identification works before BOOT_STATUS is READY.",
	Registers: []reg.Register{
		{Offset: 0x000, Name: "BOOT_CTRL", Size: 4, Access: reg.WO, Text: "Boot handshake.", Fields: []reg.Field{
			{Name: "START", Hi: 0, Lo: 0, Access: reg.WO, Text: "Starts the controller."}}},
		{Offset: 0x004, Name: "BOOT_STATUS", Size: 4, Access: reg.RO, Text: "Where the controller is.", Fields: []reg.Field{
			{Name: "STATE", Hi: 3, Lo: 0, Access: reg.RO, Text: "State.", Values: values("OFF", "BOOTING", "READY", "FAILED")},
			{Name: "CODE", Hi: 31, Lo: 16, Access: reg.RO, Text: "With FAILED: the reason."}}},
		ro(0x008, "HEARTBEAT", "Counts up while the controller lives."),
		fixed(ro(0x00c, "HEARTBEAT_US", "Period of the heartbeat in µs."), 1000),
		wo(0x010, "MBOX_CMD", "Sends a command with MBOX_ARG; refused while BUSY."),
		{Offset: 0x014, Name: "MBOX_STATUS", Size: 4, Access: reg.RO, Text: "Outcome of the last command.", Fields: []reg.Field{
			{Name: "STATE", Hi: 3, Lo: 0, Access: reg.RO, Text: "State.", Values: values("IDLE", "BUSY", "DONE", "UNKNOWN", "REFUSED")}}},
		{Offset: 0x020, Name: "MBOX_ARG", Size: 4, Count: 4, Stride: 4, Text: "Arguments of the next command."},
		{Offset: 0x030, Name: "MBOX_RET", Size: 4, Access: reg.RO, Count: 4, Stride: 4, Text: "Results of the last command."},
	},
}

// Queue is one command queue.
var Queue = reg.Table{
	Name: "QUEUE", Base: BaseQueues, Size: QueueStride, Count: MaxQueues, Stride: QueueStride,
	Text: "A command queue. The configuration is latched when ENABLE is set.",
	Registers: []reg.Register{
		rw(0x000, "SQ_BASE_LO", "Bus address of the submission ring (64-byte entries), 64-byte aligned."),
		rw(0x004, "SQ_BASE_HI", "High half."),
		rw(0x008, "CQ_BASE_LO", "Bus address of the completion ring (32-byte entries), 64-byte aligned."),
		rw(0x00c, "CQ_BASE_HI", "High half."),
		rw(0x010, "SQ_LOG2", "Entries of the submission ring, log2, 2 to 16."),
		rw(0x014, "CQ_LOG2", "Entries of the completion ring, log2, 2 to 16."),
		rw(0x018, "VECTOR", "MSI-X vector of its completions."),
		{Offset: 0x01c, Name: "ENGINE", Size: 4, Text: "What it feeds.", Fields: []reg.Field{
			{Name: "TYPE", Hi: 3, Lo: 0, Text: "Engine.", Values: values("COMPUTE", "COPY")}}},
		rw(0x020, "PRIORITY", "0 low to 3 realtime."),
		{Offset: 0x024, Name: "CTRL", Size: 4, Text: "Control.", Fields: []reg.Field{
			{Name: "ENABLE", Hi: 0, Lo: 0, Text: "Latches the configuration and starts the queue; cleared: drains and disables it."},
			{Name: "RESUME", Hi: 1, Lo: 1, Access: reg.WO, Text: "In ERROR: skips the failed entry and goes on."}}},
		{Offset: 0x040, Name: "STATE", Size: 4, Access: reg.RO, Text: "State.", Fields: []reg.Field{
			{Name: "STATE", Hi: 3, Lo: 0, Access: reg.RO, Text: "State.", Values: values(QueueStates[:]...)}}},
		ro(0x044, "EPOCH", "Resets of this queue since power-on, modulo 65536."),
		ro(0x048, "HEAD", "Entries since ENABLE that have been read, in order: their places in the ring may be written again."),
		ro(0x04c, "PROGRESS", "Packets and tiles retired; never counts polls, so it tells slow from hung."),
		ro64(0x050, "CUR_SEQNO", "Sequence number of the entry that runs or has run last. A reset keeps it: what had begun is at or below it."),
		ro(0x058, "CUR_OFFSET", "Offset in its command buffer, bytes."),
		ro(0x060, "ERR_CODE", "Status of the first error since ENABLE or RESUME."),
		ro(0x064, "ERR_OFFSET", "Offset of the packet that failed, bytes."),
		ro64(0x068, "ERR_SEQNO", "Its entry's sequence number."),
		ro64(0x070, "ERR_ADDR", "Address that failed, for address errors."),
		ro(0x078, "ERR_ASID", "Context that failed."),
	},
}

// Doorbell is a queue's doorbell page.
var Doorbell = reg.Table{
	Name: "DOORBELL", Base: BaseDoorbells, Size: DoorbellStride, Count: MaxQueues, Stride: DoorbellStride,
	Text: "Doorbells of a queue, one 4 KiB page each. Values are absolute, so a later one heals a lost one.",
	Registers: []reg.Register{
		wo(0x0, "SQ_TAIL", "Entries produced since ENABLE, modulo 2³², at most the ring's depth beyond HEAD. A value behind what is being fetched is ignored."),
		wo(0x4, "CQ_HEAD", "Completions consumed since ENABLE, modulo 2³²."),
		wo(0x8, "CQ_ARM", "Interrupt when completions produced exceed this count; at once if they do."),
		wo(0xc, "FENCE_KICK", "Looks at the slot of a waiting WAIT again."),
	},
}

// Tables lists all register blocks of BAR0, by offset.
var Tables = []reg.Table{Ident, MMU, Telemetry, Mgmt, Queue, Doorbell}

// Table is a register block.
type Table = reg.Table

// EachReadable calls fn for every register of an instance of a block that reading
// does not change, arrays element by element, with its offset in BAR0 and its
// size in bytes.
func EachReadable(t *Table, instance int, fn func(name string, off uint64, size int)) {
	base := t.Base + uint64(instance)*t.Stride
	for i := range t.Registers {
		r := &t.Registers[i]
		if r.Access == reg.WO || r.Access == reg.RC {
			continue
		}
		for e := range max(r.Count, 1) {
			name := r.Name
			if r.Count > 0 {
				name = fmt.Sprintf("%s[%d]", name, e)
			}
			fn(name, base+r.Offset+uint64(e)*r.Stride, r.Size)
		}
	}
}

// Offset returns a register's offset in BAR0 (of instance 0, element 0). A name
// that is not in the table panics: drivers take their offsets when they load.
func Offset(t *reg.Table, name string) uint64 {
	for i := range t.Registers {
		if t.Registers[i].Name == name {
			return t.Base + t.Registers[i].Offset
		}
	}
	panic("abi: table " + t.Name + " has no register " + name)
}
