package reg

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// CHeader writes the tables as C macros, all beginning with prefix: of a table
// PREFIX_TABLE_BLOCK_BASE, _SIZE, _COUNT and _STRIDE; of a register its offset
// from the instance's base, PREFIX_TABLE_REGISTER, with the index as an argument
// if it is an array; of a field _MASK (in place) and _SHIFT; of a value its
// number. Names that would make one macro of two things are an error.
func CHeader(w io.Writer, guard, prefix string, tables []Table) error {
	h := header{names: map[string]bool{}}
	h.WriteString("/* SPDX-License-Identifier: Apache-2.0 */\n/* Generated from the register tables; do not edit. */\n")
	fmt.Fprintf(&h, "#ifndef %s\n#define %s\n", guard, guard)
	for i := range tables {
		h.table(prefix, &tables[i])
	}
	fmt.Fprintf(&h, "\n#endif /* %s */\n", guard)
	if len(h.twice) > 0 {
		return fmt.Errorf("header in C: macros defined twice: %s", strings.Join(h.twice, ", "))
	}
	_, err := w.Write(h.Bytes())
	return err
}

type header struct {
	bytes.Buffer
	names map[string]bool
	twice []string
}

func (h *header) table(prefix string, t *Table) {
	name := strings.ToUpper(prefix + "_" + t.Name)
	fmt.Fprintf(h, "\n/* %s */\n", comment(t.Name, t.Text))
	h.define(name+"_BLOCK_BASE", "", fmt.Sprintf("%#x", t.Base), "offset in the BAR")
	h.define(name+"_BLOCK_SIZE", "", fmt.Sprintf("%#x", t.Size), "bytes")
	if t.Count > 1 {
		h.define(name+"_BLOCK_COUNT", "", fmt.Sprint(t.Count), "instances")
		h.define(name+"_BLOCK_STRIDE", "", fmt.Sprintf("%#x", t.Stride), "bytes from instance to instance")
	}
	for i := range t.Registers {
		h.register(name, &t.Registers[i])
	}
}

func (h *header) register(table string, r *Register) {
	name := table + "_" + strings.ToUpper(r.Name)
	note := comment(fmt.Sprintf("%d bits, %s", 8*r.Size, accessText(r)), r.Text)
	h.WriteByte('\n')
	if r.Count > 0 {
		h.define(name, "(i)", fmt.Sprintf("(%#x + %#x * (i))", r.Offset, r.Stride), note)
		h.define(name+"_ELEMENTS", "", fmt.Sprint(r.Count), "")
	} else {
		h.define(name, "", fmt.Sprintf("%#x", r.Offset), note)
	}
	for i := range r.Fields {
		f := &r.Fields[i]
		field := name + "_" + strings.ToUpper(f.Name)
		h.define(field+"_MASK", "", literal(f.Mask(), r.Size), comment(r.access(f).String(), f.Text))
		h.define(field+"_SHIFT", "", fmt.Sprint(f.Lo), "")
		for _, v := range f.Values {
			h.define(field+"_"+strings.ToUpper(v.Name), "", literal(v.Value, r.Size), comment("", v.Text))
		}
	}
}

func (h *header) define(name, args, value, note string) {
	if h.names[name] {
		h.twice = append(h.twice, name)
	}
	h.names[name] = true
	fmt.Fprintf(h, "#define %s%s %s", name, args, value)
	if note != "" {
		fmt.Fprintf(h, " /* %s */", note)
	}
	h.WriteByte('\n')
}

// literal has the suffix that makes a mask as wide as its register.
func literal(v uint64, size int) string {
	if size == 8 {
		return fmt.Sprintf("%#xULL", v)
	}
	return fmt.Sprintf("%#xU", v)
}

// accessText is the access of a register without fields, "fields" of one with.
func accessText(r *Register) string {
	if len(r.Fields) > 0 {
		return "fields"
	}
	return r.Access.String()
}

// comment joins two texts and keeps them from ending the comment.
func comment(head, text string) string {
	if head != "" && text != "" {
		head += ": "
	}
	return strings.NewReplacer("*/", "* /", "/*", "/ *", "\n", " ").Replace(head + text)
}
