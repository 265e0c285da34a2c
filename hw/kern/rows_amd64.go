//go:build !noasm

package kern

import "unsafe"

//go:noescape
func rowLoadF32(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowLoadBF16(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowLoadI8(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowLoadI32(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowStoreF32(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowStoreBF16(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowStoreI8(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowAdd(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowSub(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowMul(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowMax(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowMin(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowMulAdd(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowMulAcc(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowScale(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowNorm(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowMaxLanes(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowSumLanes(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowSquareLanes(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowReLU(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowReLU6(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowExp(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowSigmoid(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowSiLU(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowGELUTanh(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowTanh(x *float32, y, z unsafe.Pointer, n int, f, h float32)

//go:noescape
func rowGELUErf(x *float32, y, z unsafe.Pointer, n int, f, h float32)

// rowsAVX512 are the row functions of AVX-512; tests hold each to the bits of its
// portable counterpart.
var rowsAVX512 = rowFuncs{
	load: [I32 + 1]func([]float32, []byte, float32){
		F32:  func(x []float32, y []byte, f float32) { rowLoadF32(at(x), inBytes(y, 4*len(x)), nil, len(x), f, 0) },
		F64:  loadF64,
		BF16: func(x []float32, y []byte, f float32) { rowLoadBF16(at(x), inBytes(y, 2*len(x)), nil, len(x), f, 0) },
		I8:   func(x []float32, y []byte, f float32) { rowLoadI8(at(x), inBytes(y, len(x)), nil, len(x), f, 0) },
		I32:  func(x []float32, y []byte, f float32) { rowLoadI32(at(x), inBytes(y, 4*len(x)), nil, len(x), f, 0) },
	},
	store: [I32 + 1]func([]byte, []float32, float32){
		F32:  func(y []byte, x []float32, f float32) { rowStoreF32(at(x), inBytes(y, 4*len(x)), nil, len(x), f, 0) },
		BF16: func(y []byte, x []float32, f float32) { rowStoreBF16(at(x), inBytes(y, 2*len(x)), nil, len(x), f, 0) },
		I8:   func(y []byte, x []float32, f float32) { rowStoreI8(at(x), inBytes(y, len(x)), nil, len(x), f, 0) },
	},
	binary: [Min + 1]func(x, y []float32){
		Add: func(x, y []float32) { rowAdd(at(x), in(y, x), nil, len(x), 0, 0) },
		Sub: func(x, y []float32) { rowSub(at(x), in(y, x), nil, len(x), 0, 0) },
		Mul: func(x, y []float32) { rowMul(at(x), in(y, x), nil, len(x), 0, 0) },
		Max: func(x, y []float32) { rowMax(at(x), in(y, x), nil, len(x), 0, 0) },
		Min: func(x, y []float32) { rowMin(at(x), in(y, x), nil, len(x), 0, 0) },
	},
	act: [Exp + 1]func(x []float32){
		Identity: func([]float32) {},
		ReLU:     func(x []float32) { rowReLU(at(x), nil, nil, len(x), 0, 0) },
		ReLU6:    func(x []float32) { rowReLU6(at(x), nil, nil, len(x), 0, 0) },
		GELUTanh: func(x []float32) { rowGELUTanh(at(x), nil, nil, len(x), 0, 0) },
		GELUErf:  func(x []float32) { rowGELUErf(at(x), nil, nil, len(x), 0, 0) },
		SiLU:     func(x []float32) { rowSiLU(at(x), nil, nil, len(x), 0, 0) },
		Sigmoid:  func(x []float32) { rowSigmoid(at(x), nil, nil, len(x), 0, 0) },
		Tanh:     func(x []float32) { rowTanh(at(x), nil, nil, len(x), 0, 0) },
		Exp:      func(x []float32) { rowExp(at(x), nil, nil, len(x), 0, 0) },
	},
	mulAdd: func(x, y, z []float32) { rowMulAdd(at(x), in(y, x), in(z, x), len(x), 0, 0) },
	mulAcc: func(x, y, z []float32) { rowMulAcc(at(x), in(y, x), in(z, x), len(x), 0, 0) },
	scale:  func(x []float32, f float32) { rowScale(at(x), nil, nil, len(x), f, 0) },
	exp:    func(x []float32, bias float32) { rowExp(at(x), nil, nil, len(x), bias, 0) },
	norm: func(x, gamma, beta []float32, mean, f float32) {
		rowNorm(at(x), in(gamma, x), in(beta, x), len(x), mean, f)
	},
	top: func(s *[lanes]float32, x []float32) { rowMaxLanes(at(x), unsafe.Pointer(s), nil, len(x), 0, 0) },
	sum: func(s *[lanes]float32, x []float32) { rowSumLanes(at(x), unsafe.Pointer(s), nil, len(x), 0, 0) },
	squares: func(s *[lanes]float32, x []float32, mean float32) {
		rowSquareLanes(at(x), unsafe.Pointer(s), nil, len(x), mean, 0)
	},
}

// at returns where a row begins.
func at(x []float32) *float32 { return unsafe.SliceData(x) }

// in returns where y begins and holds it to x's length.
func in(y, x []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(y[:len(x)])) }

// inBytes returns where b begins and holds it to n bytes.
func inBytes(b []byte, n int) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b[:n])) }
