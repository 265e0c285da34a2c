package fault

import (
	"strings"

	"github.com/presi-sim/presi/sim"
)

// Kind numbers a kind of fault: its row in Kinds, and KIND of the INJECT block.
type Kind uint8

// Kinds, as rows of the table.
const (
	None Kind = iota
	AllOnes
	LinkLoss
	DMAError
	LostCompletion
	FewerVectors
	AERCorrected
	AERNonFatal
	AERFatal

	IRQLost
	IRQDoubled
	IRQSpurious
	IRQLate
	IRQStorm

	CompletionEarly
	CompletionTwice
	CompletionUnknown
	CompletionMissing
	QueueStuck
	BadOpcode
	StaleEntry

	PageFault
	PermFault
	WalkAbort
	InvalidateHang
	StaleTLB
	WrongContext
	RecordLost

	ECCCorrected
	ECCUncorrectable
	Parity

	BootError
	BootHang
	MailboxError
	MailboxHang
	HeartbeatLost

	EngineHang
	EngineSlow
	NotIdle
	ResetHang
	ResetFail
	Thermal

	// Later ones: a kind keeps its number.
	AERPermanent
	SurpriseReset
	CompletionOverflow

	NumKinds
)

// Span says what a strike's duration means.
type Span uint8

// Meanings of a duration.
const (
	Moment Span = iota // the kind has no duration
	Window             // every further chance within it is struck too, for the price of one strike
	Delay              // how late what was struck is
	Until              // when what was struck works again; 0: at the reset that the outcome names
)

// End is how a job, or a call of the driver, ends that meets a fault: a set, since
// some faults meet different things.
type End uint8

// Ends: without error, or with an errno.
const (
	Well End = 1 << iota
	EINVAL
	EFAULT
	EIO
	ENODEV
	ETIME
	ECANCELED
)

var endNames = [...]string{"well", "EINVAL", "EFAULT", "EIO", "ENODEV", "ETIME", "ECANCELED"}

func (e End) String() string {
	var names []string
	for i, name := range endNames {
		if e>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// Row is one kind of fault. The rows are the documentation: docs/faults.md is
// made from them.
type Row struct {
	Name    string // in [[fault]] and in debugfs
	Group   string
	Chance  string // what is counted, and what count, interval and probability choose from
	Target  string // what target numbers; empty: there is one
	Address string // what from and to bound; empty: they are not looked at
	What    string // what the device does
	Value   string // what value means; empty: it is not used
	Outcome string // what a driver makes of it: errno and recovery
	Ends    End    // how the job or call that meets it may end

	Span     Span
	Duration sim.Time // when none is given
	Default  uint64   // value when none is given
	Times    int      // strikes when none are given; 0 is 1
	// Event marks what needs no chance: with `at` and nothing that chooses among
	// chances it happens at that instant.
	Event bool
}

// Groups of kinds, in the order of the contract.
const (
	bus    = "bus"
	irq    = "interrupts"
	queues = "queues"
	mmu    = "device MMU"
	memory = "memory"
	mgmt   = "management controller"
	engine = "engines"
)

// Texts that several rows share.
const (
	dmaRequest = "DMA requests of the device"
	requester  = "requester: 0 command processor, 1 device MMU, 3 and up cores, behind them DMA channels"
	message    = "interrupts that the device raises"
	vectors    = "vector"
	queueIndex = "queue"
	walks      = "page-table walks"
	contexts   = "context (ASID)"
	contextVA  = "context address"
	deviceAddr = "device memory"
	hungJob    = "the job makes no progress: ETIME after a reset, its context (the open file) is killed, bystanders run again"
)

// Kinds has a row for each Kind, in order.
var Kinds = [NumKinds]Row{
	None: {Name: "none", Group: bus, What: "Nothing."},
	AllOnes: {Name: "all-ones", Group: bus, Ends: Well | EIO | ETIME | ENODEV, Chance: "reads of the device's BARs", Target: "BAR", Address: "offset in the BAR",
		What:    "A read of the device is answered by nobody: all ones.",
		Outcome: "a driver must not take all ones for a value: ENODEV in probe, the device given up (EIO) when it stays; after a window jobs go on",
		Span:    Window},
	LinkLoss: {Name: "link-loss", Group: bus, Ends: Well | EIO | ETIME | ENODEV, Chance: dmaRequest, Target: requester, Address: "bus address",
		What:    "The link goes down: what is on it is lost, DMA fails, reads give all ones.",
		Outcome: "the resets that follow fail: the device is given up, EIO for its jobs and for later submissions; one that returns in time is reset, ETIME; an unbind ends what is left with ENODEV, as every call after it; in probe ENODEV, ETIME in mid-boot; once the link is back a function-level reset makes it usable again",
		Span:    Until, Event: true},
	DMAError: {Name: "dma-error", Group: bus, Ends: EIO | ETIME, Chance: dmaRequest, Target: requester, Address: "bus address",
		What: "The root complex refuses a request; the function logs it (AER).", Value: "0 unsupported request, 1 completer abort",
		Outcome: "EIO for the job (BUS_ERROR), and its queue goes on by RESUME; ETIME behind a reset when a ring entry or a completion is lost, as nobody knows whose it was"},
	LostCompletion: {Name: "lost-completion", Group: bus, Ends: EIO | ETIME, Chance: "DMA reads of the device", Target: requester, Address: "bus address",
		What:    "The completion of a read does not come: the request ends when the completion time-out is over.",
		Outcome: "EIO for the job (BUS_TIMEOUT), ETIME behind a reset for a ring entry", Span: Delay},
	FewerVectors: {Name: "fewer-vectors", Group: bus, Ends: Well, Chance: "reads of MSI-X Message Control",
		What: "The function has fewer MSI-X vectors than its queues want.", Value: "vectors it says it has", Default: 1, Times: Unlimited,
		Outcome: "none: vectors are shared"},
	AERCorrected: {Name: "aer-corrected", Group: bus, Ends: Well, Chance: dmaRequest, Target: requester,
		What: "A corrected error is logged (receiver error).", Outcome: "none: it is counted", Event: true},
	AERNonFatal: {Name: "aer-nonfatal", Group: bus, Ends: Well, Chance: dmaRequest, Target: requester,
		What: "An uncorrectable error that is not fatal is logged (completer abort).", Outcome: "none: the host asks the driver, which can recover without a reset", Event: true},
	AERFatal: {Name: "aer-fatal", Group: bus, Ends: Well | EIO | ECANCELED, Chance: dmaRequest, Target: requester,
		What: "A fatal error is logged (data link protocol).", Outcome: "jobs go on unless the host freezes the function: then a slot reset, EIO for what was on the hardware, ECANCELED for contexts that had buffers in device memory", Event: true},

	IRQLost: {Name: "irq-lost", Group: irq, Ends: Well, Chance: message, Target: vectors, What: "A message is not sent.",
		Outcome: "none: the driver looks at the ring when a job's time is up, or at the next interrupt"},
	IRQDoubled: {Name: "irq-doubled", Group: irq, Ends: Well, Chance: message, Target: vectors, What: "A message is sent twice.",
		Outcome: "none: a handler finds nothing and says so"},
	IRQSpurious: {Name: "irq-spurious", Group: irq, Ends: Well, Chance: dmaRequest, Target: vectors, What: "A message without a cause is sent.",
		Value: "vector when target names none", Outcome: "none", Event: true},
	IRQLate: {Name: "irq-late", Group: irq, Ends: Well, Chance: message, Target: vectors, What: "A message is sent late, even behind a reset.",
		Outcome: "none", Span: Delay, Duration: sim.Millisecond},
	IRQStorm: {Name: "irq-storm", Group: irq, Ends: Well, Chance: dmaRequest, Target: vectors, What: "A vector fires over and over.",
		Value: "messages", Default: 100, Outcome: "none: jobs go on, slower", Span: Until, Duration: 100 * sim.Microsecond, Event: true},

	CompletionEarly: {Name: "completion-early", Group: queues, Ends: Well, Chance: "entries whose operations are awaited", Target: queueIndex,
		What:    "Fence and completion are written while operations of the entry are still in flight.",
		Outcome: "none that a driver could see: the job ends well, its data come later"},
	CompletionTwice: {Name: "completion-twice", Group: queues, Ends: Well, Chance: "completions", Target: queueIndex,
		What: "A completion is written twice, in two slots of the ring.", Outcome: "none: the second names a job that has ended, and is logged"},
	CompletionUnknown: {Name: "completion-unknown", Group: queues, Ends: ETIME, Chance: "completions", Target: queueIndex,
		What: "A completion names a sequence number that nobody submitted.", Value: "what is added to the sequence number", Default: 1 << 32,
		Outcome: hungJob},
	CompletionMissing: {Name: "completion-missing", Group: queues, Ends: ETIME, Chance: "completions", Target: queueIndex,
		What: "A slot of the completion ring is left out: a gap that the phase bit shows.", Outcome: hungJob},
	QueueStuck: {Name: "queue-stuck", Group: queues, Ends: Well | ETIME, Chance: "ring entries about to be fetched", Target: queueIndex,
		What: "The queue fetches no more entries: HEAD stands still.", Outcome: hungJob, Span: Until},
	BadOpcode: {Name: "bad-opcode", Group: queues, Ends: EINVAL, Chance: "ring entries fetched", Target: queueIndex,
		What: "An entry arrives with an undefined opcode.", Outcome: "EINVAL for the job (BAD_OPCODE), and the queue goes on by RESUME"},
	StaleEntry: {Name: "stale-entry", Group: queues, Ends: EIO, Chance: "ring entries fetched", Target: queueIndex,
		What: "An entry arrives as it was one round of the ring before.", Outcome: "EIO for the job (STALE_ENTRY), and the queue goes on by RESUME"},

	PageFault: {Name: "page-fault", Group: mmu, Ends: EFAULT, Chance: walks, Target: contexts, Address: contextVA,
		What: "A walk finds no translation.", Outcome: "EFAULT for the job, a fault record"},
	PermFault: {Name: "perm-fault", Group: mmu, Ends: EFAULT, Chance: walks, Target: contexts, Address: contextVA,
		What: "A walk finds a translation that does not allow the access.", Outcome: "EFAULT for the job, a fault record"},
	WalkAbort: {Name: "walk-abort", Group: mmu, Ends: EIO, Chance: walks, Target: contexts, Address: contextVA,
		What: "A walk's read of a table is aborted.", Outcome: "EIO for the job (BUS_ERROR), a fault record"},
	InvalidateHang: {Name: "invalidate-hang", Group: mmu, Ends: Well | EIO | ETIME, Chance: "invalidations that finish",
		What: "An invalidation is not reported: INV_DONE stands still.", Outcome: "ETIME for who waits, a compute reset", Span: Until},
	StaleTLB: {Name: "stale-tlb", Group: mmu, Ends: Well, Chance: "invalidations", Target: contexts,
		What: "An invalidation is reported and has dropped nothing.", Outcome: "none that a driver could see: a freed page can still be reached"},
	WrongContext: {Name: "wrong-context", Group: mmu, Ends: Well | EFAULT, Chance: walks, Target: contexts, Address: contextVA,
		What: "A walk uses the page table of another context.", Value: "the context it uses; 0 is never valid", Outcome: "EFAULT for the job, unless the other context maps the address: then wrong data"},
	RecordLost: {Name: "record-lost", Group: mmu, Ends: Well | EFAULT, Chance: "fault records", Target: contexts, Address: contextVA,
		What: "The event queue overflows: a fault record is dropped as if the ring were full.", Outcome: "the job ends as without; FAULT_STATUS says OVERFLOW"},

	ECCCorrected: {Name: "ecc-corrected", Group: memory, Ends: Well, Chance: "reads of device memory by the device", Target: requester, Address: deviceAddr,
		What: "A bit is corrected.", Outcome: "none: ECC_CORRECTED counts"},
	ECCUncorrectable: {Name: "ecc-uncorrectable", Group: memory, Ends: EIO, Chance: "reads of device memory by the device", Target: requester, Address: deviceAddr,
		What: "A read has an error that cannot be corrected: MEMORY in IRQ_CAUSE.", Outcome: "EIO for the job (MEMORY_ERROR); ECC_UNCORRECTED counts"},
	Parity: {Name: "parity", Group: memory, Ends: EIO, Chance: "writes of device memory by the device", Target: requester, Address: deviceAddr,
		What: "The data of a write arrive with a parity error and are not written: MEMORY in IRQ_CAUSE.", Outcome: "EIO for the job (MEMORY_ERROR); ECC_UNCORRECTED counts"},

	BootError: {Name: "boot-error", Group: mgmt, Ends: EIO, Chance: "boots", What: "The controller fails to boot.", Value: "CODE of BOOT_STATUS", Default: 1,
		Outcome: "EIO in probe; a function-level reset boots again"},
	BootHang: {Name: "boot-hang", Group: mgmt, Ends: ETIME, Chance: "boots", What: "The controller never leaves BOOTING.",
		Outcome: "ETIME in probe; a function-level reset boots again", Span: Until},
	MailboxError: {Name: "mailbox-error", Group: mgmt, Ends: Well | EIO, Chance: "mailbox commands", What: "A command comes back with a bad return code.",
		Value: "STATE of MBOX_STATUS", Default: 4, Outcome: "EIO for who asked; jobs go on"},
	MailboxHang: {Name: "mailbox-hang", Group: mgmt, Ends: Well | ETIME, Chance: "mailbox commands", What: "A command is not answered.",
		Outcome: "ETIME for who asked; jobs go on; a function-level reset ends it", Span: Until},
	HeartbeatLost: {Name: "heartbeat-lost", Group: mgmt, Ends: Well, Chance: dmaRequest, Target: requester, What: "The heartbeat stands still, and mailbox commands are not answered: MGMT in IRQ_CAUSE.",
		Outcome: "jobs go on; mailbox calls end with ETIME; a uevent says HEARTBEAT=lost; a function-level reset ends it, which the driver does when somebody opens the device that nobody has open", Span: Until, Event: true},

	EngineHang: {Name: "engine-hang", Group: engine, Ends: ETIME, Chance: "kernels and copies", Target: "engine: 0 compute, 1 copy",
		What: "A kernel or copy never ends.", Outcome: "the job makes no progress: ETIME; the queue's reset waits for the engine, so a compute reset follows, and what had begun on other queues ends with EIO"},
	EngineSlow: {Name: "engine-slow", Group: engine, Ends: Well, Chance: "kernels and copies", Target: "engine: 0 compute, 1 copy", Times: Unlimited,
		What: "A kernel or copy begins late; PROGRESS goes on.", Outcome: "none: a job that makes progress is left alone", Span: Delay, Duration: 100 * sim.Microsecond},
	NotIdle: {Name: "not-idle", Group: engine, Ends: Well | EIO | ETIME, Chance: "resets of a queue", Target: queueIndex,
		What: "A queue is DRAINING after its reset and takes no ENABLE.", Outcome: "the next job hangs and costs another reset, ETIME; when no reset helps the device is given up, EIO", Span: Until},
	ResetHang: {Name: "reset-hang", Group: engine, Ends: EIO | ETIME, Chance: "resets", Target: "domain: 1 queue, 2 engine, 3 compute, 4 function", What: "A reset stays BUSY; one of the function hangs only without a duration.",
		Outcome: "a wider reset; behind a compute reset EIO for every job until a function-level reset, behind that until power is cycled", Span: Until},
	ResetFail: {Name: "reset-fail", Group: engine, Ends: EIO | ETIME, Chance: "resets", Target: "domain: 1 queue, 2 engine, 3 compute", What: "A reset ends as FAILED and has reset nothing.",
		Outcome: "a wider reset; behind a compute reset EIO for every job until a function-level reset"},
	Thermal: {Name: "thermal", Group: engine, Ends: Well, Chance: dmaRequest, Target: requester, What: "A thermal limit is crossed: THERMAL in IRQ_CAUSE, the temperature shows it.",
		Value: "temperature in m°C", Default: 110_000, Outcome: "jobs go on; a uevent says THERMAL= and the temperature", Span: Until, Event: true},

	AERPermanent: {Name: "aer-permanent", Group: bus, Ends: EIO, Chance: dmaRequest, Target: requester,
		What:    "A fatal error is logged, and the link is down from then on: no slot reset brings the function back.",
		Outcome: "the host tells the driver that the channel is dead: EIO for every job and for later submissions; once the link is back, unbind and bind", Span: Until, Event: true},
	SurpriseReset: {Name: "surprise-reset", Group: engine, Ends: Well | EIO | ECANCELED, Chance: dmaRequest, Target: requester,
		What:    "A reset under load that nobody asked for: everything behind configuration space is as behind a function-level reset, memory is lost.",
		Outcome: "the driver finds the controller off when a job's time is up: a function-level reset, EIO for what was on the hardware, ECANCELED for contexts that had buffers in device memory", Event: true},
	CompletionOverflow: {Name: "completion-overflow", Group: queues, Ends: ETIME, Chance: "completions", Target: queueIndex,
		What: "The completion ring overflows: a completion is dropped, and the queue stops in ERROR with RING_OVERRUN.", Outcome: hungJob},
}

func (k Kind) String() string {
	if k >= NumKinds {
		return "unknown"
	}
	return Kinds[k].Name
}

// Named returns the kind of a name, None if there is no such.
func Named(name string) Kind {
	for k := range Kinds {
		if Kinds[k].Name == name {
			return Kind(k)
		}
	}
	return None
}
