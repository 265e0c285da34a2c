package reg

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Markdown writes the register manual: a section a table, a line a register, a
// line a field with its values.
func Markdown(w io.Writer, tables []Table) error {
	var b bytes.Buffer
	for i := range tables {
		if i > 0 {
			b.WriteByte('\n')
		}
		markdownTable(&b, &tables[i])
	}
	_, err := w.Write(b.Bytes())
	return err
}

func markdownTable(b *bytes.Buffer, t *Table) {
	fmt.Fprintf(b, "## %s\n\n", t.Name)
	if t.Text != "" {
		fmt.Fprintf(b, "%s\n\n", t.Text)
	}
	fmt.Fprintf(b, "Base %#x, %#x bytes", t.Base, t.Size)
	if t.Count > 1 {
		fmt.Fprintf(b, "; %d instances, %#x bytes apart", t.Count, t.Stride)
	}
	b.WriteString(".\n\n| offset | register | bits | field | access | reset | meaning |\n|---|---|---|---|---|---|---|\n")
	for i := range t.Registers {
		markdownRegister(b, &t.Registers[i])
	}
}

func markdownRegister(b *bytes.Buffer, r *Register) {
	offset, name := fmt.Sprintf("%#x", r.Offset), r.Name
	if r.Count > 0 {
		offset += fmt.Sprintf(" + i·%#x", r.Stride)
		name += fmt.Sprintf("[%d]", r.Count)
	}
	access := r.Access.String()
	if len(r.Fields) > 0 {
		access = ""
	}
	fmt.Fprintf(b, "| %s | **%s** | %d:0 | | %s | %#x | %s |\n", offset, name, 8*r.Size-1, access, r.ResetValue(), cell(r.Text))
	for i := range r.Fields {
		f := &r.Fields[i]
		bits := fmt.Sprintf("%d:%d", f.Hi, f.Lo)
		if f.Hi == f.Lo {
			bits = fmt.Sprint(f.Lo)
		}
		fmt.Fprintf(b, "| | | %s | %s | %s | %#x | %s |\n", bits, f.Name, r.access(f), f.Reset, cell(fieldText(f)))
	}
}

// fieldText is the field's text followed by its values.
func fieldText(f *Field) string {
	parts := make([]string, 0, 1+len(f.Values))
	if f.Text != "" {
		parts = append(parts, f.Text)
	}
	for _, v := range f.Values {
		part := fmt.Sprintf("%d %s", v.Value, v.Name)
		if v.Text != "" {
			part += ": " + v.Text
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "<br>")
}

// cell keeps text from breaking out of a table's cell.
func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ")
}
