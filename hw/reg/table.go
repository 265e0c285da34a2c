// Package reg is the register-table machinery: a device's registers are rows of
// data (hw/abi has the rows), and from the rows come decode, access rules, the
// reference manual, the C header and the names in dumps and traces.
package reg

// Access says what software may do with a register or field.
type Access uint8

// Access kinds.
const (
	RW  Access = iota // read and write
	RO                // writes are ignored
	WO                // reads as zero; a write is an action
	W1C               // a written 1 clears the bit
	RC                // reading clears
)

// Field is a group of bits of a register.
type Field struct {
	Name   string
	Hi, Lo uint
	Access Access
	Reset  uint64 // value of the field after reset, not shifted
	Text   string
	Values []Value // for enumerations
}

// Value names one value of a field.
type Value struct {
	Value uint64
	Name  string
	Text  string
}

// Register is one row. A register without fields is one field of its whole
// width with the row's Access and Reset.
type Register struct {
	Offset uint64 // bytes from the table's base
	Name   string
	Size   int // bytes: 4 or 8
	Access Access
	Reset  uint64
	Fields []Field
	Text   string
	Count  int    // array of this many (0: one)
	Stride uint64 // bytes from element to element, with Count
}

// Table is a block's registers, ordered by offset, without overlap.
type Table struct {
	Name      string // prefix in the C header and the manual's heading
	Base      uint64 // offset in BAR0
	Size      uint64 // bytes the block decodes
	Count     int    // instances (queues); 0: one
	Stride    uint64 // bytes from instance to instance
	Text      string
	Registers []Register
}
