package reg

import (
	"fmt"
	"regexp"
	"strings"
)

var identifier = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)

// maxTable bounds a table's decode index; BAR0 is smaller.
const maxTable = 16 << 20

// Check returns everything that is wrong with a table: names that are not
// unique C identifiers, registers out of order, overlapping, misaligned or
// outside Size, fields that overlap or leave the register, resets that do not
// fit.
func Check(t Table) []error {
	c := checker{t: &t, owner: map[uint64]string{}, names: map[string]bool{}}
	c.table()
	var last uint64
	for i := range t.Registers {
		r := &t.Registers[i]
		c.identifier(r.Name, r.Name)
		if i > 0 && r.Offset <= last {
			c.bad(r.Name, "offset %#x is not above %#x of the row before it", r.Offset, last)
		}
		last = r.Offset
		if c.register(r) {
			c.claim(r)
			c.fields(r)
		}
	}
	return c.errs
}

type checker struct {
	t     *Table
	owner map[uint64]string // who has the word at this offset
	names map[string]bool
	errs  []error
}

func (c *checker) bad(where, format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf("table %s: %s: %s", c.t.Name, where, fmt.Sprintf(format, args...)))
}

// identifier checks a name's form, and its path's uniqueness in capitals, as
// the C header has it.
func (c *checker) identifier(name, path string) {
	if !identifier.MatchString(name) {
		c.bad(path, "%q is not a C identifier", name)
	}
	path = strings.ToUpper(path)
	if c.names[path] {
		c.bad(path, "the name is there twice")
	}
	c.names[path] = true
}

func (c *checker) table() {
	t := c.t
	if !identifier.MatchString(t.Name) {
		c.bad("name", "%q is not a C identifier", t.Name)
	}
	if t.Size == 0 || t.Size%4 != 0 || t.Size > maxTable {
		c.bad("size", "%#x is not a multiple of 4 from 4 to %#x", t.Size, maxTable)
	}
	if t.Base%8 != 0 || t.Stride%8 != 0 {
		c.bad("base", "base %#x and stride %#x must be multiples of 8", t.Base, t.Stride)
	}
	if t.Count < 0 || t.Count > 1 && t.Stride < t.Size {
		c.bad("stride", "%d instances of %#x bytes, %#x bytes apart, overlap", t.Count, t.Size, t.Stride)
	}
}

// register checks one row by itself; what else is checked needs it sound.
func (c *checker) register(r *Register) bool {
	before := len(c.errs)
	if r.Size != 4 && r.Size != 8 {
		c.bad(r.Name, "%d bytes; a register has 4 or 8", r.Size)
		return false
	}
	size := uint64(r.Size)
	if r.Offset%size != 0 || r.Stride%size != 0 {
		c.bad(r.Name, "offset %#x and stride %#x must be multiples of its %d bytes", r.Offset, r.Stride, size)
	}
	if r.Count < 0 || r.Count > 1 && r.Stride < size {
		c.bad(r.Name, "%d elements of %d bytes, %d bytes apart, overlap", r.Count, size, r.Stride)
	}
	// Divisions, not products: no table can make this overflow.
	room := min(c.t.Size, maxTable) - min(c.t.Size, size)
	if r.Offset > room || r.Count > 1 && r.Stride > 0 && uint64(r.Count-1) > (room-r.Offset)/r.Stride {
		c.bad(r.Name, "ends outside the table's %#x bytes", c.t.Size)
	}
	if r.Access >= numAccess {
		c.bad(r.Name, "unknown access kind %d", uint8(r.Access))
	}
	if r.Reset&^r.width() != 0 {
		c.bad(r.Name, "reset %#x does not fit %d bytes", r.Reset, size)
	}
	if len(r.Fields) > 0 && r.Reset != 0 {
		c.bad(r.Name, "reset %#x stands beside fields; give each field its own", r.Reset)
	}
	return len(c.errs) == before
}

func (c *checker) claim(r *Register) {
	for i := range r.Elements() {
		for off := r.At(i); off < r.At(i)+uint64(r.Size); off += 4 {
			if other, taken := c.owner[off]; taken {
				c.bad(r.Name, "overlaps %s at offset %#x", other, off)
				return
			}
			c.owner[off] = r.Name
		}
	}
}

func (c *checker) fields(r *Register) {
	var used uint64
	for i := range r.Fields {
		f := &r.Fields[i]
		where := r.Name + "." + f.Name
		c.identifier(f.Name, where)
		if f.Hi < f.Lo || f.Hi >= uint(8*r.Size) {
			c.bad(where, "bits %d:%d are not inside %d bytes", f.Hi, f.Lo, r.Size)
			continue
		}
		if used&f.Mask() != 0 {
			c.bad(where, "bits %d:%d overlap a field before it", f.Hi, f.Lo)
		}
		used |= f.Mask()
		if f.Access >= numAccess {
			c.bad(where, "unknown access kind %d", uint8(f.Access))
		}
		if f.Reset > f.Mask()>>f.Lo {
			c.bad(where, "reset %#x does not fit bits %d:%d", f.Reset, f.Hi, f.Lo)
		}
		c.values(where, f)
	}
}

func (c *checker) values(where string, f *Field) {
	seen := map[uint64]bool{}
	for _, v := range f.Values {
		c.identifier(v.Name, where+"."+v.Name)
		if v.Value > f.Mask()>>f.Lo || seen[v.Value] {
			c.bad(where+"."+v.Name, "value %d does not fit bits %d:%d or is there twice", v.Value, f.Hi, f.Lo)
		}
		seen[v.Value] = true
	}
}
