package abi

import "github.com/presi-sim/presi/hw/reg"

// BaseInject is the base of the INJECT block in BAR0, which exists where
// PLATFORM says SIMULATION.
const BaseInject = 0x4000

// Values of INJECT's ARM and STATUS.
const (
	InjectArm   = 1
	InjectClear = 2
	InjectOff   = 3 // what the block has armed of KIND

	InjectIdle    = 0
	InjectArmed   = 1
	InjectRefused = 2
)

// InjectForever in TIMES strikes without end.
const InjectForever = 0xffffffff

// InjectUse says which of INJECT's registers a kind looks at beside those of its
// trigger: a set.
type InjectUse uint8

// Registers that not every kind uses.
const (
	InjectTarget   InjectUse = 1 << iota // TARGET
	InjectAddress                        // FROM and TO
	InjectValue                          // VALUE
	InjectDuration                       // DURATION_NS
	// InjectUnreadable: a read of STATUS behind ARM would itself meet the fault.
	InjectUnreadable
)

// InjectKind is a kind of fault.
type InjectKind struct {
	Name string
	Uses InjectUse
}

// InjectKinds has what software needs to know of each kind; KIND is the index
// plus 1.
var InjectKinds = [...]InjectKind{
	{"all-ones", InjectTarget | InjectAddress | InjectDuration | InjectUnreadable},
	{"link-loss", InjectTarget | InjectAddress | InjectDuration | InjectUnreadable},
	{"dma-error", InjectTarget | InjectAddress | InjectValue},
	{"lost-completion", InjectTarget | InjectAddress | InjectDuration},
	{"fewer-vectors", InjectValue},
	{"aer-corrected", InjectTarget},
	{"aer-nonfatal", InjectTarget},
	{"aer-fatal", InjectTarget},
	{"irq-lost", InjectTarget},
	{"irq-doubled", InjectTarget},
	{"irq-spurious", InjectTarget | InjectValue},
	{"irq-late", InjectTarget | InjectDuration},
	{"irq-storm", InjectTarget | InjectValue | InjectDuration},
	{"completion-early", InjectTarget},
	{"completion-twice", InjectTarget},
	{"completion-unknown", InjectTarget | InjectValue},
	{"completion-missing", InjectTarget},
	{"queue-stuck", InjectTarget | InjectDuration},
	{"bad-opcode", InjectTarget},
	{"stale-entry", InjectTarget},
	{"page-fault", InjectTarget | InjectAddress},
	{"perm-fault", InjectTarget | InjectAddress},
	{"walk-abort", InjectTarget | InjectAddress},
	{"invalidate-hang", InjectDuration},
	{"stale-tlb", InjectTarget},
	{"wrong-context", InjectTarget | InjectAddress | InjectValue},
	{"record-lost", InjectTarget | InjectAddress},
	{"ecc-corrected", InjectTarget | InjectAddress},
	{"ecc-uncorrectable", InjectTarget | InjectAddress},
	{"parity", InjectTarget | InjectAddress},
	{"boot-error", InjectValue},
	{"boot-hang", InjectDuration},
	{"mailbox-error", InjectValue},
	{"mailbox-hang", InjectDuration},
	{"heartbeat-lost", InjectTarget | InjectDuration},
	{"engine-hang", InjectTarget},
	{"engine-slow", InjectTarget | InjectDuration},
	{"not-idle", InjectTarget | InjectDuration},
	{"reset-hang", InjectTarget | InjectDuration},
	{"reset-fail", InjectTarget},
	{"thermal", InjectTarget | InjectValue | InjectDuration},
	{"aer-permanent", InjectTarget | InjectDuration},
	{"surprise-reset", InjectTarget},
	{"completion-overflow", InjectTarget},
}

// Inject is faults on demand.
var Inject = reg.Table{
	Name: "INJECT", Base: BaseInject, Size: 0x1000,
	Text: "Faults on demand, on the simulated platform alone: software describes a fault, then writes ARM. Kinds, their targets and values are in [faults.md](faults.md). 0 in any register means what the kind has. It works before the controller has booted, and a reset changes nothing of it.",
	Registers: []reg.Register{
		ro(0x000, "KINDS", "The largest KIND there is."),
		rw(0x004, "KIND", "What is to happen: a number of the table of kinds."),
		rw(0x008, "TARGET", "Instance that it happens to, plus 1; 0 any."),
		rw(0x00c, "SPACE", "Chances that pass before the first strike."),
		rw(0x010, "INTERVAL", "From then on every so many-th chance."),
		rw(0x014, "TIMES", "Strikes before it is over; all ones without end."),
		rw(0x018, "PROBABILITY", "Millionths of the chosen chances that are struck."),
		rw(0x01c, "SEED", "Of the probability's stream."),
		rw(0x020, "FROM_LO", "First address that it happens at."),
		rw(0x024, "FROM_HI", "High half."),
		rw(0x028, "TO_LO", "Last address, inclusive."),
		rw(0x02c, "TO_HI", "High half."),
		rw(0x030, "DELAY_US", "Time in µs from ARM on in which it does not happen."),
		rw(0x034, "DURATION_NS", "How long a strike lasts, or how late it makes things."),
		rw(0x038, "VALUE_LO", "Parameter of the kind."),
		rw(0x03c, "VALUE_HI", "High half."),
		{Offset: 0x040, Name: "ARM", Size: 4, Access: reg.WO, Text: "Arms the fault described, disarms all, or what was armed here of its kind.", Fields: []reg.Field{
			{Name: "COMMAND", Hi: 1, Lo: 0, Access: reg.WO, Text: "What to do.", Values: []reg.Value{
				{Value: InjectArm, Name: "ARM"}, {Value: InjectClear, Name: "CLEAR"}, {Value: InjectOff, Name: "OFF"}}}}},
		{Offset: 0x044, Name: "STATUS", Size: 4, Access: reg.RO, Text: "Outcome of the last ARM.", Fields: []reg.Field{
			{Name: "STATE", Hi: 1, Lo: 0, Access: reg.RO, Text: "State.", Values: values("IDLE", "ARMED", "REFUSED")}}},
		ro(0x048, "STRUCK", "Strikes of all faults since power-on."),
	},
}

func init() { Tables = append(Tables[:4:4], append([]reg.Table{Inject}, Tables[4:]...)...) }
