// Package reg is the register-table machinery: a device's registers are rows of
// data (hw/abi has the rows), and from the rows come decode, access rules, the
// reference manual, the C header and the names in dumps and traces.
//
// Check judges a table. File is the state of one instance of it; Space puts
// several Files into a BAR. Markdown, CHeader and JSON write.
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
	numAccess
)

var accessNames = [numAccess]string{"RW", "RO", "WO", "W1C", "RC"}

func (a Access) String() string { return accessNames[a] }

// MarshalText implements encoding.TextMarshaler.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Field is a group of bits of a register. A field that says RW in a register
// that says something else has the register's Access, so that a read-only
// register need not say RO in each of its fields; a register of several kinds
// says RW itself.
type Field struct {
	Name   string  `json:"name"`
	Hi     uint    `json:"hi"`
	Lo     uint    `json:"lo"`
	Access Access  `json:"access"`
	Reset  uint64  `json:"reset"` // value of the field after reset, not shifted
	Text   string  `json:"text,omitempty"`
	Values []Value `json:"values,omitempty"` // for enumerations
}

// Value names one value of a field.
type Value struct {
	Value uint64 `json:"value"`
	Name  string `json:"name"`
	Text  string `json:"text,omitempty"`
}

// Register is one row. A register without fields is one field of its whole
// width with the row's Access and Reset; with fields, its Reset is left zero.
// Bits of no field are reserved: they read zero and ignore writes.
type Register struct {
	Offset uint64  `json:"offset"` // bytes from the table's base
	Name   string  `json:"name"`
	Size   int     `json:"size_bytes"` // 4 or 8
	Access Access  `json:"access"`
	Reset  uint64  `json:"reset"`
	Fields []Field `json:"fields,omitempty"`
	Text   string  `json:"text,omitempty"`
	Count  int     `json:"count,omitempty"`        // array of this many (0: one)
	Stride uint64  `json:"stride_bytes,omitempty"` // from element to element, with Count
}

// Table is a block's registers, ordered by offset, without overlap. The
// elements of two arrays may alternate.
type Table struct {
	Name      string     `json:"name"`                   // prefix in the C header and the manual's heading
	Base      uint64     `json:"base"`                   // offset in BAR0
	Size      uint64     `json:"size_bytes"`             // what the block decodes
	Count     int        `json:"count,omitempty"`        // instances (queues); 0: one
	Stride    uint64     `json:"stride_bytes,omitempty"` // from instance to instance
	Text      string     `json:"text,omitempty"`
	Registers []Register `json:"registers"`
}

// Elements returns how many elements the register has, at least one.
func (r *Register) Elements() int { return max(r.Count, 1) }

// At returns the offset of element i.
func (r *Register) At(i int) uint64 { return r.Offset + uint64(i)*r.Stride }

// ResetValue returns the whole register's value after reset.
func (r *Register) ResetValue() uint64 {
	v := r.Reset
	for i := range r.Fields {
		v |= r.Fields[i].Reset << r.Fields[i].Lo
	}
	return v & r.width()
}

// width has a one for every bit of the register.
func (r *Register) width() uint64 { return ^uint64(0) >> (64 - 8*r.Size) }

// access returns the kind that holds for a field of the register.
func (r *Register) access(f *Field) Access {
	if f.Access == RW {
		return r.Access
	}
	return f.Access
}

// Mask has a one for every bit of the field, in place.
func (f *Field) Mask() uint64 { return ^uint64(0) >> (63 - (f.Hi - f.Lo)) << f.Lo }

// Instances returns how many instances the table has, at least one.
func (t *Table) Instances() int { return max(t.Count, 1) }
