package main

import (
	"bytes"
	"fmt"
)

// packer is one function that packs eight rows: it transposes blocks of 8×8 words
// on their way from eight row pointers to a panel.
type packer struct {
	name, doc string
	begin     []string
	step      int                               // bytes that a block takes of a row
	load      func(mem, reg, z string) []string // one row's eight words
}

var packers = []packer{
	{"pack8F32", "eight rows of 32-bit words", nil, 32,
		func(mem, y, _ string) []string { return []string{"VMOVUPS " + mem + ", " + y} }},
	{"pack8BF16", "eight rows of bfloat16, widened to float32", nil, 16,
		func(mem, y, _ string) []string {
			return []string{"VPMOVZXWD " + mem + ", " + y, "VPSLLD $16, " + y + ", " + y}
		}},
	{"pack8U8", "eight rows of int8 by fours, 128 added to each",
		[]string{"MOVL $0x80808080, DX", "VPBROADCASTD DX, Z16"}, 32,
		func(mem, y, z string) []string {
			return []string{"VMOVUPS " + mem + ", " + y, "VPXORD Z16, " + z + ", " + z}
		}},
}

// rowRegs hold the row pointers; DI is the panel, SI its step, CX the count, DX
// the offset in the rows.
var rowRegs = []string{"R8", "R9", "R10", "R11", "R12", "R13", "AX", "BX"}

func (k *packer) write(w *bytes.Buffer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	fmt.Fprintf(w, "\n// func %s(dst *uint32, step int, rows *[8]*byte, blocks int)\n// %s: blocks of eight words.\n", k.name, k.doc)
	fmt.Fprintf(w, "TEXT ·%s(SB), NOSPLIT, $0-32\n", k.name)
	for _, line := range k.begin {
		p("%s", line)
	}
	p("MOVQ dst+0(FP), DI")
	p("MOVQ step+8(FP), SI")
	p("MOVQ rows+16(FP), DX")
	p("MOVQ blocks+24(FP), CX")
	for i, r := range rowRegs {
		p("MOVQ %d(DX), %s", 8*i, r)
	}
	p("SHLQ $2, SI")
	p("XORQ DX, DX")
	fmt.Fprintf(w, "\nloop:\n")
	for i, r := range rowRegs {
		for _, line := range k.load("("+r+")(DX*1)", fmt.Sprintf("Y%d", i), fmt.Sprintf("Z%d", i)) {
			p("%s", line)
		}
	}
	transpose(p)
	for i := range 8 {
		p("VMOVUPS Y%d, (DI)", 8+i)
		p("ADDQ SI, DI")
	}
	p("ADDQ $%d, DX", k.step)
	p("DECQ CX")
	p("JNZ loop")
	p("VZEROUPPER")
	p("RET")
}

// transpose turns the 8×8 words of Y0…Y7 into Y8…Y15.
func transpose(p func(string, ...any)) {
	for i := 0; i < 8; i += 2 {
		p("VUNPCKLPS Y%d, Y%d, Y%d", i+1, i, 8+i)
		p("VUNPCKHPS Y%d, Y%d, Y%d", i+1, i, 9+i)
	}
	for i := 0; i < 8; i += 4 {
		for j := range 2 {
			p("VUNPCKLPD Y%d, Y%d, Y%d", 10+i+j, 8+i+j, i+2*j)
			p("VUNPCKHPD Y%d, Y%d, Y%d", 10+i+j, 8+i+j, i+2*j+1)
		}
	}
	for i := range 4 {
		p("VPERM2F128 $0x20, Y%d, Y%d, Y%d", i+4, i, 8+i)
		p("VPERM2F128 $0x31, Y%d, Y%d, Y%d", i+4, i, 12+i)
	}
}

// columns are the functions that spread one row of B (for int8 four rows) over
// panels of 32 columns.
const columns = `
// func cols32F32(dst *uint32, panel int, src *byte, panels int)
// Spreads a row of 32-bit words over panels of 32 columns, panel words apart.
TEXT ·cols32F32(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ panel+8(FP), SI
	MOVQ src+16(FP), AX
	MOVQ panels+24(FP), CX
	SHLQ $2, SI

loop:
	VMOVUPS (AX), Z0
	VMOVUPS 64(AX), Z1
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ $128, AX
	ADDQ SI, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func cols32BF16(dst *uint32, panel int, src *byte, panels int)
// Spreads a row of bfloat16, widened to float32, over panels of 32 columns.
TEXT ·cols32BF16(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ panel+8(FP), SI
	MOVQ src+16(FP), AX
	MOVQ panels+24(FP), CX
	SHLQ $2, SI

loop:
	VPMOVZXWD (AX), Z0
	VPMOVZXWD 32(AX), Z1
	VPSLLD $16, Z0, Z0
	VPSLLD $16, Z1, Z1
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ $64, AX
	ADDQ SI, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func cols32I8(dst *uint32, panel int, rows *[4]*byte, panels int)
// Spreads four rows of int8, a word taking one of each, over panels of 32 columns.
TEXT ·cols32I8(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ panel+8(FP), SI
	MOVQ rows+16(FP), DX
	MOVQ panels+24(FP), CX
	MOVQ 0(DX), R8
	MOVQ 8(DX), R9
	MOVQ 16(DX), R10
	MOVQ 24(DX), R11
	SHLQ $2, SI
	XORQ DX, DX

loop:
	VPMOVZXBD (R8)(DX*1), Z0
	VPMOVZXBD 16(R8)(DX*1), Z4
	VPMOVZXBD (R9)(DX*1), Z1
	VPMOVZXBD 16(R9)(DX*1), Z5
	VPMOVZXBD (R10)(DX*1), Z2
	VPMOVZXBD 16(R10)(DX*1), Z6
	VPMOVZXBD (R11)(DX*1), Z3
	VPMOVZXBD 16(R11)(DX*1), Z7
	VPSLLD $8, Z1, Z1
	VPSLLD $8, Z5, Z5
	VPSLLD $16, Z2, Z2
	VPSLLD $16, Z6, Z6
	VPSLLD $24, Z3, Z3
	VPSLLD $24, Z7, Z7
	VPORD Z1, Z0, Z0
	VPORD Z5, Z4, Z4
	VPORD Z3, Z2, Z2
	VPORD Z7, Z6, Z6
	VPORD Z2, Z0, Z0
	VPORD Z6, Z4, Z4
	VMOVUPS Z0, (DI)
	VMOVUPS Z4, 64(DI)
	ADDQ $32, DX
	ADDQ SI, DI
	DECQ CX
	JNZ loop
	VZEROUPPER
	RET

// func sums32VNNI(groups int, panel *uint32)
// Writes the offset sums of a packed int8 panel of 32 columns behind it.
TEXT ·sums32VNNI(SB), NOSPLIT, $0-16
	MOVQ groups+0(FP), CX
	MOVQ panel+8(FP), BX
	MOVL $0x80808080, DX
	VPBROADCASTD DX, Z4
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z5, Z5, Z5

loop:
	VPDPBUSD (BX), Z4, Z0
	VPDPBUSD 64(BX), Z4, Z1
	ADDQ $128, BX
	DECQ CX
	JNZ loop
	VPSUBD Z0, Z5, Z0
	VPSUBD Z1, Z5, Z1
	VMOVUPS Z0, (BX)
	VMOVUPS Z1, 64(BX)
	VZEROUPPER
	RET
`
