package main

import (
	"bytes"
	"fmt"
	"math"
)

// rowFn is one function over a row of float32, sixteen elements at a time with
// AVX-512: the same operations in the same order as its Go counterpart, nothing
// fused, so that the bits agree. The body sees K1 (the elements there are), Z14
// and Z15 (f and h in all lanes) and pointers AX (x), BX (y) and DX (z).
type rowFn struct {
	name, doc    string
	consts       []constant
	begin        []string
	body         []string
	end          []string
	yStep, zStep int // bytes of sixteen elements
}

// constant is a register filled with one word.
type constant struct {
	reg  int
	bits uint32
}

func float(reg int, v float32) constant { return constant{reg, math.Float32bits(v)} }

const (
	loadX  = "VMOVUPS.Z (AX), K1, Z0"
	loadY  = "VMOVUPS.Z (BX), K1, Z1"
	loadZ  = "VMOVUPS.Z (DX), K1, Z2"
	storeX = "VMOVUPS Z0, K1, (AX)"
	zero9  = "VPXORD Z9, Z9, Z9"
)

// Registers of expConsts; Z9 is zero.
var expConsts = []constant{
	float(16, 1.44269504088896341), float(17, 3<<22), float(18, 0.693359375), float(19, -2.12194440e-4),
	float(20, 1.9875691500e-4), float(21, 1.3981999507e-3), float(22, 8.3334519073e-3),
	float(23, 4.1665795894e-2), float(24, 1.6666665459e-1), float(25, 5.0000001201e-1),
	float(26, 1), float(27, 88.8), float(28, -104), {29, 127}, float(30, float32(math.Inf(1))), {31, 1 << 31},
}

// exp puts e to the Z0 into Z0; Z1 to Z5 are lost.
var exp = []string{
	"VMULPS Z16, Z0, Z1", "VADDPS Z17, Z1, Z1", "VSUBPS Z17, Z1, Z1",
	"VMULPS Z18, Z1, Z2", "VSUBPS Z2, Z0, Z2", "VMULPS Z19, Z1, Z3", "VSUBPS Z3, Z2, Z2",
	"VMULPS Z20, Z2, Z3", "VADDPS Z21, Z3, Z3", "VMULPS Z2, Z3, Z3", "VADDPS Z22, Z3, Z3",
	"VMULPS Z2, Z3, Z3", "VADDPS Z23, Z3, Z3", "VMULPS Z2, Z3, Z3", "VADDPS Z24, Z3, Z3",
	"VMULPS Z2, Z3, Z3", "VADDPS Z25, Z3, Z3",
	"VMULPS Z2, Z3, Z3", "VMULPS Z2, Z3, Z3", "VADDPS Z2, Z3, Z3", "VADDPS Z26, Z3, Z3",
	"VCVTTPS2DQ Z1, Z1", "VPSRAD $1, Z1, Z4", "VPSUBD Z4, Z1, Z5",
	"VPADDD Z29, Z4, Z4", "VPSLLD $23, Z4, Z4", "VPADDD Z29, Z5, Z5", "VPSLLD $23, Z5, Z5",
	"VMULPS Z4, Z3, Z3", "VMULPS Z5, Z3, Z3",
	"VCMPPS $0x1e, Z27, Z0, K2", "VMOVAPS Z30, K2, Z3",
	"VCMPPS $0x11, Z28, Z0, K2", "VMOVAPS Z9, K2, Z3",
	"VCMPPS $3, Z0, Z0, K2", "VMOVAPS Z0, K2, Z3",
	"VMOVAPS Z3, Z0",
}

// sigmoid puts 1/(1 + e to the -Z0) into Z0.
var sigmoid = join([]string{"VPXORD Z31, Z0, Z0"}, exp, []string{"VADDPS Z26, Z0, Z0", "VDIVPS Z0, Z26, Z0"})

// product puts Z10·Z0 into Z0, but 0 where Z0 is 0.
var product = []string{"VCMPPS $0, Z9, Z0, K2", "VMULPS Z0, Z10, Z0", "VMOVAPS Z9, K2, Z0"}

// tanh is the polynomial below 0.625, else 1 - 2/(e to the 2|x| + 1) with x's sign.
var tanh = join(
	[]string{loadX, "VMOVAPS Z0, Z10", "VPANDD Z15, Z0, Z11", "VADDPS Z11, Z11, Z0"},
	exp,
	[]string{
		"VADDPS Z26, Z0, Z0", "VADDPS Z26, Z26, Z1", "VDIVPS Z0, Z1, Z0", "VSUBPS Z0, Z26, Z0",
		"VPANDD Z31, Z10, Z1", "VPORD Z1, Z0, Z0",
		"VCMPPS $0x11, Z14, Z11, K2", "VMULPS Z10, Z10, Z1", "VMULPS Z6, Z1, Z2", "VADDPS Z7, Z2, Z2",
		"VMULPS Z1, Z2, Z2", "VADDPS Z8, Z2, Z2", "VMULPS Z1, Z2, Z2", "VADDPS Z12, Z2, Z2",
		"VMULPS Z1, Z2, Z2", "VADDPS Z13, Z2, Z2", "VMULPS Z1, Z2, Z2", "VMULPS Z10, Z2, Z2", "VADDPS Z10, Z2, Z2",
		"VMOVAPS Z2, K2, Z0", storeX,
	})

var tanhConsts = []constant{
	float(6, -5.70498872745e-3), float(7, 2.06390887954e-2), float(8, -5.37397155531e-2), float(12, 1.33314422036e-1),
	float(13, -3.33332819422e-1), float(14, 0.625), {15, 1<<31 - 1},
}

// erfConsts: the polynomials in Z16 to Z27, then 4, 1, |·|, ½ and √½.
var erfConsts = []constant{
	float(16, -2.72614225801306e-10), float(17, 2.77068142495902e-08), float(18, -2.10102402082508e-06),
	float(19, -5.69250639462346e-05), float(20, -7.34990630326855e-04), float(21, -2.95459980854025e-03),
	float(22, -1.60960333262415e-02), float(23, -1.45660718464996e-05), float(24, -2.13374055278905e-04),
	float(25, -1.68282697438203e-03), float(26, -7.37332916720468e-03), float(27, -1.42647390514189e-02),
	float(28, 4), float(29, 1), {30, 1<<31 - 1}, float(31, 0.5), float(15, math.Sqrt2/2),
}

// erf puts the error function of Z0 into Z0.
var erf = []string{
	"VMULPS Z0, Z0, Z1", "VMULPS Z16, Z1, Z2", "VADDPS Z17, Z2, Z2", "VMULPS Z1, Z2, Z2", "VADDPS Z18, Z2, Z2",
	"VMULPS Z1, Z2, Z2", "VADDPS Z19, Z2, Z2", "VMULPS Z1, Z2, Z2", "VADDPS Z20, Z2, Z2",
	"VMULPS Z1, Z2, Z2", "VADDPS Z21, Z2, Z2", "VMULPS Z1, Z2, Z2", "VADDPS Z22, Z2, Z2",
	"VMULPS Z23, Z1, Z3", "VADDPS Z24, Z3, Z3", "VMULPS Z1, Z3, Z3", "VADDPS Z25, Z3, Z3",
	"VMULPS Z1, Z3, Z3", "VADDPS Z26, Z3, Z3", "VMULPS Z1, Z3, Z3", "VADDPS Z27, Z3, Z3",
	"VPANDD Z30, Z0, Z4", "VCMPPS $0x1d, Z28, Z4, K2", "VPANDND Z0, Z30, Z5", "VPORD Z29, Z5, Z5",
	"VMULPS Z0, Z2, Z2", "VDIVPS Z3, Z2, Z0", "VMOVAPS Z5, K2, Z0",
}

// extreme returns max or min: NaN if either is, and the right zero of two.
func extreme(op, zeros string) []string {
	return []string{loadX, loadY, op + " Z1, Z0, Z2", "VCMPPS $0, Z1, Z0, K2", zeros + " Z1, Z0, K2, Z2",
		"VCMPPS $3, Z1, Z0, K2", "VADDPS Z1, Z0, K2, Z2", "VMOVUPS Z2, K1, (AX)"}
}

func binary(op string) []string { return []string{loadX, loadY, op + " Z1, Z0, Z0", storeX} }

func join(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

var lanesIn, lanesOut = []string{"VMOVUPS (BX), Z8"}, []string{"VMOVUPS Z8, (BX)"}

var rowFns = []rowFn{
	{name: "rowLoadF32", doc: "x = y", body: []string{"VMOVUPS.Z (BX), K1, Z0", storeX}, yStep: 64},
	{name: "rowLoadBF16", doc: "x = y of bfloat16", body: []string{"VPMOVZXWD.Z (BX), K1, Z0", "VPSLLD $16, Z0, Z0", storeX}, yStep: 32},
	{name: "rowLoadI8", doc: "x = f·y of int8", body: []string{"VPMOVSXBD.Z (BX), K1, Z0", "VCVTDQ2PS Z0, Z0", "VMULPS Z14, Z0, Z0", storeX}, yStep: 16},
	{name: "rowLoadI32", doc: "x = y of int32", body: []string{"VMOVUPS.Z (BX), K1, Z0", "VCVTDQ2PS Z0, Z0", storeX}, yStep: 64},
	{name: "rowStoreF32", doc: "y = x", body: []string{loadX, "VMOVUPS Z0, K1, (BX)"}, yStep: 64},
	{name: "rowStoreBF16", doc: "y of bfloat16 = x", consts: []constant{{16, 1}, {17, 0x7fff}, {18, 0x40}}, yStep: 32,
		body: []string{loadX, "VPSRLD $16, Z0, Z2", "VPANDD Z16, Z2, Z1", "VPADDD Z17, Z1, Z1", "VPADDD Z0, Z1, Z1", "VPSRLD $16, Z1, Z1",
			"VPORD Z18, Z2, Z2", "VCMPPS $3, Z0, Z0, K2", "VMOVAPS Z2, K2, Z1", "VPMOVDW Z1, K1, (BX)"}},
	{name: "rowStoreI8", doc: "y of int8 = x/f", consts: []constant{float(16, 127), float(17, -128)}, yStep: 16,
		body: []string{loadX, "VDIVPS Z14, Z0, Z0", "VCMPPS $7, Z0, Z0, K2", "VMINPS Z16, Z0, Z0", "VMAXPS Z17, Z0, Z0",
			"VMOVAPS.Z Z0, K2, Z0", "VCVTPS2DQ Z0, Z0", "VPMOVSDB Z0, K1, (BX)"}},
	{name: "rowAdd", doc: "x = x + y", body: binary("VADDPS"), yStep: 64},
	{name: "rowSub", doc: "x = x - y", body: binary("VSUBPS"), yStep: 64},
	{name: "rowMul", doc: "x = x·y", body: binary("VMULPS"), yStep: 64},
	{name: "rowMax", doc: "x = max(x, y)", body: extreme("VMAXPS", "VPANDD"), yStep: 64},
	{name: "rowMin", doc: "x = min(x, y)", body: extreme("VMINPS", "VPORD"), yStep: 64},
	{name: "rowMulAdd", doc: "x = x·y + z", body: []string{loadX, loadY, loadZ, "VMULPS Z1, Z0, Z0", "VADDPS Z2, Z0, Z0", storeX}, yStep: 64, zStep: 64},
	{name: "rowMulAcc", doc: "x = x + y·z", body: []string{loadX, loadY, loadZ, "VMULPS Z2, Z1, Z1", "VADDPS Z1, Z0, Z0", storeX}, yStep: 64, zStep: 64},
	{name: "rowScale", doc: "x = f·x", body: []string{loadX, "VMULPS Z14, Z0, Z0", storeX}},
	{name: "rowNorm", doc: "x = (x - f)·h·y + z", yStep: 64, zStep: 64,
		body: []string{loadX, loadY, loadZ, "VSUBPS Z14, Z0, Z0", "VMULPS Z15, Z0, Z0", "VMULPS Z1, Z0, Z0", "VADDPS Z2, Z0, Z0", storeX}},
	{name: "rowMaxLanes", doc: "y = max of y and the elements of x in each of 16 lanes", begin: lanesIn, end: lanesOut,
		body: []string{loadX, "VMAXPS Z0, Z8, Z2", "VCMPPS $0, Z0, Z8, K2", "VPANDD Z0, Z8, K2, Z2", "VCMPPS $3, Z0, Z8, K2", "VADDPS Z0, Z8, K2, Z2",
			"VMOVAPS Z2, K1, Z8"}},
	{name: "rowSumLanes", doc: "y = y + the elements of x in each of 16 lanes", begin: lanesIn, end: lanesOut,
		body: []string{loadX, "VADDPS Z0, Z8, K1, Z8"}},
	{name: "rowSquareLanes", doc: "y = y + (x - f)² in each of 16 lanes", begin: lanesIn, end: lanesOut,
		body: []string{loadX, "VSUBPS Z14, Z0, Z0", "VMULPS Z0, Z0, Z0", "VADDPS Z0, Z8, K1, Z8"}},
	{name: "rowReLU", doc: "x = max(x, 0)", begin: []string{zero9}, body: []string{loadX, "VMAXPS Z0, Z9, Z0", "VADDPS Z9, Z0, Z0", storeX}},
	{name: "rowReLU6", doc: "x = min(max(x, 0), 6)", begin: []string{zero9}, consts: []constant{float(16, 6)},
		body: []string{loadX, "VMAXPS Z0, Z9, Z0", "VADDPS Z9, Z0, Z0", "VMINPS Z0, Z16, Z0", storeX}},
	{name: "rowExp", doc: "x = e to the x - f", begin: []string{zero9}, consts: expConsts,
		body: join([]string{loadX, "VSUBPS Z14, Z0, Z0"}, exp, []string{storeX})},
	{name: "rowSigmoid", doc: "x = 1/(1 + e to the -x)", begin: []string{zero9}, consts: expConsts,
		body: join([]string{loadX}, sigmoid, []string{storeX})},
	{name: "rowSiLU", doc: "x = x·sigmoid(x)", begin: []string{zero9}, consts: expConsts,
		body: join([]string{loadX, "VMOVAPS Z0, Z10"}, sigmoid, product, []string{storeX})},
	{name: "rowGELUTanh", doc: "x = ½x(1 + tanh u)", begin: []string{zero9},
		consts: append([]constant{float(11, 0.044715), float(12, 1.5957691216057308)}, expConsts...),
		body: join([]string{loadX, "VMOVAPS Z0, Z10", "VMULPS Z0, Z0, Z1", "VMULPS Z11, Z1, Z1", "VMULPS Z0, Z1, Z1", "VADDPS Z1, Z0, Z0", "VMULPS Z12, Z0, Z0"},
			sigmoid, product, []string{storeX})},
	{name: "rowTanh", doc: "x = tanh x", begin: []string{zero9}, consts: append(tanhConsts, expConsts...), body: tanh},
	{name: "rowGELUErf", doc: "x = ½x(1 + erf(x/√2))", begin: []string{zero9}, consts: erfConsts,
		body: join([]string{loadX, "VMOVAPS Z0, Z10", "VMULPS Z15, Z0, Z0"}, erf,
			[]string{"VMULPS Z31, Z0, Z0", "VADDPS Z31, Z0, Z0"}, product, []string{storeX})},
}

// write emits the function: whole vectors, then once more with the mask of what
// is left.
func (r *rowFn) write(w *bytes.Buffer) {
	p := func(format string, args ...any) { fmt.Fprintf(w, "\t"+format+"\n", args...) }
	lines := func(all []string) {
		for _, line := range all {
			p("%s", line)
		}
	}
	fmt.Fprintf(w, "\n// func %s(x *float32, y, z unsafe.Pointer, n int, f, h float32)\n// %s.\n", r.name, r.doc)
	fmt.Fprintf(w, "TEXT ·%s(SB), NOSPLIT, $0-40\n", r.name)
	lines([]string{"MOVQ x+0(FP), AX", "MOVQ y+8(FP), BX", "MOVQ z+16(FP), DX", "MOVQ n+24(FP), CX",
		"VBROADCASTSS f+32(FP), Z14", "VBROADCASTSS h+36(FP), Z15"})
	for _, c := range r.consts {
		p("MOVL $%#x, R8", c.bits)
		p("VPBROADCASTD R8, Z%d", c.reg)
	}
	lines(r.begin)
	p("KXNORW K1, K1, K1")
	fmt.Fprintf(w, "\nloop:\n")
	lines([]string{"CMPQ CX, $16", "JLT tail"})
	fmt.Fprintf(w, "\nbody:\n")
	lines(r.body)
	p("ADDQ $64, AX")
	if r.yStep > 0 {
		p("ADDQ $%d, BX", r.yStep)
	}
	if r.zStep > 0 {
		p("ADDQ $%d, DX", r.zStep)
	}
	lines([]string{"SUBQ $16, CX", "JMP loop"})
	fmt.Fprintf(w, "\ntail:\n")
	lines([]string{"TESTQ CX, CX", "JZ done", "MOVL $1, R8", "SHLL CX, R8", "DECL R8", "KMOVW R8, K1", "MOVQ $16, CX", "JMP body"})
	fmt.Fprintf(w, "\ndone:\n")
	lines(r.end)
	lines([]string{"VZEROUPPER", "RET"})
}
