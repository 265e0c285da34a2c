package docs_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"math/bits"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw/abi"
)

func writeCommands(t *testing.T, b *bytes.Buffer) {
	head(b, "Rings, packets, descriptors", `
What software puts into memory for the device, and what the device puts there:
the layouts are measured on the encoders of `+"`hw/abi`"+`, the texts are its
comments. Little-endian throughout; a reserved field that is not zero is an
error. The registers are in [registers.md](registers.md).
`)
	src := readSource(t)
	src.constants(t, b, "doc.go")
	structure(b, src, "Submission", (*abi.Submission).Encode, abi.SubmissionSize)
	src.constants(t, b, "ring.go")
	structure(b, src, "Completion", (*abi.Completion).Encode, abi.CompletionSize)
	packets(t, b, src)
	src.constants(t, b, "packet.go")
	structure(b, src, "Kernel", (*abi.Kernel).Encode, abi.KernelSize)
	structure(b, src, "MicroOp", (*abi.MicroOp).Encode, abi.MicroOpSize)
	src.constants(t, b, "kernel.go")
	src.heading(b, "Context")
	src.constants(t, b, "context.go")
	statuses(b)
}

// structure writes a wire struct, a row a field.
func structure[T any](b *bytes.Buffer, src *source, name string, encode func(*T, []byte), size int) {
	src.heading(b, name)
	table(b, "offset", "type", "field", "meaning")
	typ := reflect.TypeFor[T]()
	for i := range typ.NumField() {
		var v T
		f := typ.Field(i)
		fill(reflect.ValueOf(&v).Elem().Field(i))
		where, _ := place(&v, encode, size)
		row(b, where, typeName(f.Type), "`"+f.Name+"`", src.fields[name+"."+f.Name])
	}
}

// fill sets every bit of a value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float32:
		v.SetFloat(-1.999) // most bits; what matters is where
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		v.SetUint(^uint64(0))
	}
}

// place says which bytes an encoder sets for v, and how many.
func place[T any](v *T, encode func(*T, []byte), size int) (where string, n int) {
	zero, p := make([]byte, size), make([]byte, size)
	encode(new(T), zero)
	encode(v, p)
	lo, hi := 8*size, -1
	for i := range p {
		if d := p[i] ^ zero[i]; d != 0 {
			lo, hi = min(lo, 8*i+bits.TrailingZeros8(d)), max(hi, 8*i+7-bits.LeadingZeros8(d))
		}
	}
	switch n = hi/8 - lo/8 + 1; {
	case hi < 0:
		return "", 0
	case hi%8 == 7 && lo%8 == 0 || n > 4:
		return fmt.Sprint(lo / 8), n
	case lo == hi:
		return fmt.Sprintf("%d, bit %d", lo/32*4, lo%32), n
	}
	return fmt.Sprintf("%d, bits %d:%d", lo/32*4, hi%32, lo%32), n
}

func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "flag"
	case reflect.Float32:
		return "f32"
	case reflect.Array:
		return fmt.Sprintf("%s[%d]", typeName(t.Elem()), t.Len())
	case reflect.Struct:
		var fields []string
		for i := range t.NumField() {
			fields = append(fields, typeName(t.Field(i).Type)+" "+t.Field(i).Name)
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return fmt.Sprintf("u%d", t.Bits())
}

// packetFields says what a packet's fields mean, by opcode.
var packetFields = [abi.NumOps]map[string]string{
	abi.OpCopy: {"Src": "source", "Dst": "destination", "RowBytes": "bytes of a row", "Counts": "rows, planes; at least 1 each",
		"SrcStride": "bytes from row to row and from plane to plane of the source", "DstStride": "the same of the destination"},
	abi.OpFill: {"Dst": "destination", "Value": "pattern of 8 bytes, repeated", "RowBytes": "bytes of a row",
		"Counts": "rows, planes; at least 1 each", "DstStride": "bytes from row to row and from plane to plane"},
	abi.OpKernel:    {"Addr": "descriptor, 64-byte aligned", "Value": "its bytes", "Cores": "mask of cores; 0: all of the queue's entry"},
	abi.OpWait:      {"Addr": "slot, 8-byte aligned", "Value": "goes on when the slot is at least this, unsigned"},
	abi.OpSignal:    {"Addr": "slot, 8-byte aligned", "Value": "written when what was issued before is visible"},
	abi.OpTimestamp: {"Addr": "slot, 8-byte aligned, for the device's time in ns"},
	abi.OpBarrier:   {"Value": "what to wait for, a mask"},
	abi.OpIndirect:  {"Addr": "another command buffer, 16-byte aligned; it holds no INDIRECT", "Value": "its bytes"},
}

// packets writes each packet's fields as its encoder places them.
func packets(t *testing.T, b *bytes.Buffer, src *source) {
	src.heading(b, "Packet")
	table(b, "opcode", "packet", "bytes", "offset", "bits", "field", "meaning")
	for op := range abi.NumOps {
		row(b, op, "**"+abi.PacketNames[op]+"**", abi.PacketSizes[op], "", "", "", "")
		fields := fieldsOf(uint8(op))
		for _, f := range fields {
			require.Contains(t, packetFields[op], f.name, "%s has a field without text", abi.PacketNames[op])
			row(b, "", "", "", f.where, 8*f.bytes, "`"+f.name+"`", packetFields[op][f.name])
		}
		require.Len(t, packetFields[op], len(fields), "%s lacks a field that has a text", abi.PacketNames[op])
	}
}

// packetField is a field as an opcode's encoder places it.
type packetField struct {
	name, where string
	bytes, at   int
}

// fieldsOf lists what follows a packet's header, by offset.
func fieldsOf(op uint8) (out []packetField) {
	encode := func(k *abi.Packet, p []byte) { k.Op = op; k.Encode(p) }
	typ := reflect.TypeFor[abi.Packet]()
	for i := range typ.NumField() {
		f := packetField{name: typ.Field(i).Name}
		if f.name == "Op" || f.name == "Flags" || f.name == "Tag" {
			continue
		}
		var k abi.Packet
		fill(reflect.ValueOf(&k).Elem().Field(i))
		if f.where, f.bytes = place(&k, encode, abi.PacketSizes[op]); f.bytes > 0 {
			fmt.Sscan(f.where, &f.at)
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b packetField) int { return a.at - b.at })
	return out
}

func statuses(b *bytes.Buffer) {
	b.WriteString("\n## Statuses\n\nIn completion entries and ERR_CODE; the errno is what the fence of the job ends with.\n")
	table(b, "value", "status", "errno", "meaning")
	for s := range abi.NumStatus {
		errno := "-"
		if e := s.Errno(); e != 0 {
			errno = unix.ErrnoName(e)
		}
		row(b, uint16(s), s, errno, s.Text())
	}
}

// source is the text of hw/abi: comments and the values of constants.
type source struct {
	docs   map[string]string // of types
	fields map[string]string // "Type.Field"
	files  map[string]*ast.File
	values map[*ast.Ident]types.Object
}

// offsetNote is how fields' comments in the source begin.
var offsetNote = regexp.MustCompile(`^\d+(, bits? [0-9:]+)?(: |$)`)

func readSource(t *testing.T) *source {
	paths, err := filepath.Glob("../hw/abi/*.go")
	require.NoError(t, err)
	s := &source{docs: map[string]string{}, fields: map[string]string{}, files: map[string]*ast.File{}}
	set := token.NewFileSet()
	var list []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		require.NoError(t, err)
		list = append(list, f)
		s.files[filepath.Base(path)] = f
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				s.types(g)
			}
		}
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Error: func(error) {}} // imports are missing; constants need none
	_, _ = conf.Check("abi", set, list, info)
	s.values = info.Defs
	return s
}

// types keeps the comments of a type declaration.
func (s *source) types(g *ast.GenDecl) {
	spec := g.Specs[0].(*ast.TypeSpec)
	s.docs[spec.Name.Name] = g.Doc.Text()
	st, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range st.Fields.List {
		for _, n := range f.Names {
			s.fields[spec.Name.Name+"."+n.Name] = offsetNote.ReplaceAllString(strings.TrimSpace(f.Comment.Text()), "")
		}
	}
}

// heading writes a type's name and its comment.
func (s *source) heading(b *bytes.Buffer, name string) {
	fmt.Fprintf(b, "\n## %s\n\n%s", name, fenced(s.docs[name]))
}

// fenced makes the indented lines of a comment a block of code.
func fenced(doc string) string {
	var b strings.Builder
	code := false
	for line := range strings.Lines(doc) {
		if in := strings.HasPrefix(line, "\t"); in != code {
			b.WriteString("```\n")
			code = in
		}
		b.WriteString(strings.TrimPrefix(line, "\t"))
	}
	if code {
		b.WriteString("```\n")
	}
	return b.String()
}

// constants writes the groups of exported constants of a file.
func (s *source) constants(t *testing.T, b *bytes.Buffer, file string) {
	require.Contains(t, s.files, file)
	for _, d := range s.files[file].Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST || g.Doc == nil {
			continue
		}
		doc := strings.TrimSpace(g.Doc.Text())
		if !g.Lparen.IsValid() {
			name := g.Specs[0].(*ast.ValueSpec).Names[0]
			fmt.Fprintf(b, "\n`%s` (%s) %s\n", name.Name, s.value(t, name), strings.TrimPrefix(doc, name.Name+" "))
			continue
		}
		fmt.Fprintf(b, "\n### %s\n", strings.TrimSuffix(doc, "."))
		table(b, "name", "value", "meaning")
		for _, spec := range g.Specs {
			s.constant(t, b, spec.(*ast.ValueSpec))
		}
	}
}

// constant writes a row a name; a comment above it has a row of its own. How
// many there are of a kind is for Go alone.
func (s *source) constant(t *testing.T, b *bytes.Buffer, v *ast.ValueSpec) {
	if v.Doc != nil {
		row(b, "", "", "**"+strings.TrimSpace(v.Doc.Text())+"**")
	}
	for _, name := range v.Names {
		if name.IsExported() && !strings.HasPrefix(name.Name, "Num") {
			row(b, "`"+name.Name+"`", s.value(t, name), strings.TrimSpace(v.Comment.Text()))
		}
	}
}

func (s *source) value(t *testing.T, name *ast.Ident) string {
	c, ok := s.values[name].(*types.Const)
	require.True(t, ok, "%s is no constant", name.Name)
	n, exact := constant.Uint64Val(c.Val())
	require.True(t, exact, "%s is no number", name.Name)
	if n > 255 {
		return fmt.Sprintf("%#x", n)
	}
	return fmt.Sprint(n)
}
