package kern

import "math"

// loadRow widens len(dst) elements of type t to float32: int8 becomes scale × q,
// int32 and float64 are rounded to nearest.
func loadRow(dst []float32, src []byte, t DType, scale float32) {
	active.rows.load[t](dst, src, scale)
}

// storeRow narrows src to type t: bfloat16 and int8 (src/scale) round to nearest,
// ties to even; int8 saturates.
func storeRow(dst []byte, src []float32, t DType, scale float32) {
	active.rows.store[t](dst, src, scale)
}

func loadF32(dst []float32, src []byte, _ float32) {
	src = src[:4*len(dst)]
	for i := range dst {
		dst[i] = math.Float32frombits(le.Uint32(src[4*i:]))
	}
}

func loadBF16(dst []float32, src []byte, _ float32) {
	src = src[:2*len(dst)]
	for i := range dst {
		dst[i] = F32FromBF16(le.Uint16(src[2*i:]))
	}
}

func loadI8(dst []float32, src []byte, scale float32) {
	for i, q := range src[:len(dst)] {
		dst[i] = scale * float32(int8(q))
	}
}

func loadI32(dst []float32, src []byte, _ float32) {
	src = src[:4*len(dst)]
	for i := range dst {
		dst[i] = float32(int32(le.Uint32(src[4*i:])))
	}
}

func loadF64(dst []float32, src []byte, _ float32) {
	src = src[:8*len(dst)]
	for i := range dst {
		dst[i] = float32(math.Float64frombits(le.Uint64(src[8*i:])))
	}
}

func storeF32(dst []byte, src []float32, _ float32) {
	dst = dst[:4*len(src)]
	for i, v := range src {
		le.PutUint32(dst[4*i:], math.Float32bits(v))
	}
}

func storeBF16(dst []byte, src []float32, _ float32) {
	dst = dst[:2*len(src)]
	for i, v := range src {
		le.PutUint16(dst[2*i:], BF16FromF32(v))
	}
}

func storeI8(dst []byte, src []float32, scale float32) {
	dst = dst[:len(src)]
	for i, v := range src {
		dst[i] = byte(roundI8(v / scale))
	}
}

// load reads cols elements of row r from column c on into dst.
func (v *View) load(dst []float32, r, c int) {
	loadRow(dst, v.row(r, c, len(dst)), v.Type, orOne(v.Scale))
}

// store writes src into row r from column c on.
func (v *View) store(src []float32, r, c int) {
	storeRow(v.row(r, c, len(src)), src, v.Type, orOne(v.Scale))
}

// orOne resolves the zero value of a scale.
func orOne(scale float32) float32 {
	if scale == 0 {
		return 1
	}
	return scale
}
