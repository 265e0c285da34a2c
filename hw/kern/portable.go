package kern

import "math"

// backend is the kernels of one instruction set.
type backend struct {
	name    string
	formats [I8 + 1]*format // by input type; nil where there is no product
	rows    *rowFuncs
}

// portable runs everywhere and is what the others are tested beside.
var portable = backend{
	name: "portable",
	rows: &rowsPortable,
	formats: [I8 + 1]*format{
		F32:  {mr: 4, nr: 4, group: 1, packRunA: packRunF32, packRunB: packRunF32, packCols: packColsF32, kernel: kernelF32Portable},
		BF16: {mr: 4, nr: 4, group: 1, packRunA: packRunBF16, packRunB: packRunBF16, packCols: packColsBF16, kernel: kernelF32Portable},
		I8:   {mr: 4, nr: 4, group: 2, packRunA: packRunI16, packRunB: packRunI16, packCols: packColsI16, kernel: kernelI16Portable},
	},
}

func kernelF32Portable(groups int, a, b []uint32, c []byte, ldc int) {
	var acc [4][4]float32
	for i := range acc {
		for j := range acc[i] {
			acc[i][j] = math.Float32frombits(le.Uint32(c[i*ldc+4*j:]))
		}
	}
	a, b = a[:4*groups], b[:4*groups]
	for len(a) >= 4 && len(b) >= 4 {
		b0, b1 := math.Float32frombits(b[0]), math.Float32frombits(b[1])
		b2, b3 := math.Float32frombits(b[2]), math.Float32frombits(b[3])
		for i := range acc {
			x := math.Float32frombits(a[i])
			acc[i][0] += float32(x * b0)
			acc[i][1] += float32(x * b1)
			acc[i][2] += float32(x * b2)
			acc[i][3] += float32(x * b3)
		}
		a, b = a[4:], b[4:]
	}
	for i := range acc {
		for j := range acc[i] {
			le.PutUint32(c[i*ldc+4*j:], math.Float32bits(acc[i][j]))
		}
	}
}

func kernelI16Portable(groups int, a, b []uint32, c []byte, ldc int) {
	var acc [4][4]uint32
	a, b = a[:4*groups], b[:4*groups]
	for len(a) >= 4 && len(b) >= 4 {
		for i := range acc {
			lo, hi := uint32(int16(a[i])), uint32(int32(a[i])>>16)
			for j := range acc[i] {
				acc[i][j] += lo*uint32(int16(b[j])) + hi*uint32(int32(b[j])>>16)
			}
		}
		a, b = a[4:], b[4:]
	}
	for i := range acc {
		for j := range acc[i] {
			at := c[i*ldc+4*j:]
			le.PutUint32(at, le.Uint32(at)+acc[i][j])
		}
	}
}
