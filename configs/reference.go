package configs

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Reference writes the keys of a configuration struct as Markdown, a section a
// table. What v holds is shown as an example.
func Reference(w io.Writer, v any) error {
	var b bytes.Buffer
	section := "-"
	for _, k := range Keys(v) {
		at := strings.LastIndexByte(k.Path, '.')
		if table := k.Path[:max(at, 0)]; table != section {
			section = table
			referenceHead(&b, table)
		}
		kind := k.Type
		if k.Unit != "" {
			kind += " (" + k.Unit + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s |\n", k.Path[at+1:], kind, k.Default, strings.ReplaceAll(k.Doc, "|", `\|`))
	}
	_, err := w.Write(b.Bytes())
	return err
}

func referenceHead(b *bytes.Buffer, table string) {
	title := "At the top"
	if inner, array := strings.CutSuffix(table, "[]"); array {
		title = "`[[" + inner + "]]`"
	} else if table != "" {
		title = "`[" + table + "]`"
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(b, "## %s\n\n| key | type | example | meaning |\n|---|---|---|---|\n", title)
}
