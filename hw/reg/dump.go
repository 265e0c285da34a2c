package reg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// JSON writes the tables with stable names, as one array.
func JSON(w io.Writer, tables []Table) error {
	resolved := make([]Table, len(tables))
	for i, t := range tables {
		resolved[i] = t.resolved()
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(resolved)
}

// resolved returns a copy in which every field has the Access that holds and
// every register the reset value of the whole.
func (t Table) resolved() Table {
	t.Registers = append([]Register{}, t.Registers...)
	for i := range t.Registers {
		r := &t.Registers[i]
		r.Reset = r.ResetValue()
		r.Fields = append([]Field(nil), r.Fields...)
		for j := range r.Fields {
			r.Fields[j].Access = r.access(&r.Fields[j])
		}
	}
	return t
}

// Dump writes one line a register, "CTRL = 0x00000003 ENABLE=1 MODE=1(fast)",
// as hardware holds it: WO fields show what was written last, and nothing is
// cleared.
func Dump(w io.Writer, f *File) error {
	var b bytes.Buffer
	for e := range f.elems {
		el := &f.elems[e]
		r := &f.table.Registers[el.row]
		v := f.refresh(int32(e))
		fmt.Fprintf(&b, "%s = 0x%0*x", el.name, 2*r.Size, v)
		for i := range r.Fields {
			dumpField(&b, &r.Fields[i], v)
		}
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

func dumpField(b *bytes.Buffer, f *Field, v uint64) {
	v = v & f.Mask() >> f.Lo
	fmt.Fprintf(b, " %s=%d", f.Name, v)
	for i := range f.Values {
		if f.Values[i].Value == v {
			fmt.Fprintf(b, "(%s)", f.Values[i].Name)
		}
	}
}
