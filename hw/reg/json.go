package reg

import (
	"encoding/json"
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
