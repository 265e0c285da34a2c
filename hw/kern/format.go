package kern

import "encoding/binary"

var le = binary.LittleEndian

// format is how one back end multiplies matrices of one input type. Operands are
// packed into panels of 32-bit words, each holding group consecutive k of one
// row of A or one column of B: A as words[g·mr+i], B as words[g·nr+j]. The
// accumulator is float32 or int32, so its elements too have four bytes.
type format struct {
	mr, nr int
	group  int  // elements of k in a word
	offset bool // A holds a+128 (unsigned); a B panel then ends with nr words of -128·Σb

	packRunA, packRunB packRun // for rows of A, and of B transposed
	// packCols packs k rows, ld bytes apart, of up to nr neighbouring columns
	// into a panel of nr columns; missing columns are zeros.
	packCols func(dst []uint32, nr int, src []byte, ld, k, cols int)
	// kernel adds the product of two packed panels to the mr×nr tile c.
	kernel func(groups int, a, b []uint32, c []byte, ldc int)
}

// packRun packs elements of consecutive k from src into dst[0], dst[step], …; the
// last word is filled up with zeros.
type packRun func(dst []uint32, step int, src []byte)

// groups returns the words that k elements take.
func (f *format) groups(k int) int { return (k + f.group - 1) / f.group }

// panelB returns the words of one packed panel of B.
func (f *format) panelB(k int) int {
	n := f.groups(k) * f.nr
	if f.offset {
		n += f.nr
	}
	return n
}

func packRunF32(dst []uint32, step int, src []byte) {
	o := 0
	for ; len(src) >= 4; src = src[4:] {
		dst[o] = le.Uint32(src)
		o += step
	}
}

func packRunBF16(dst []uint32, step int, src []byte) {
	o := 0
	for ; len(src) >= 2; src = src[2:] {
		dst[o] = uint32(le.Uint16(src)) << 16
		o += step
	}
}

// packRunI16 packs int8 as pairs of int16.
func packRunI16(dst []uint32, step int, src []byte) {
	o := 0
	for ; len(src) >= 2; src = src[2:] {
		dst[o] = pairI16(src[0], src[1])
		o += step
	}
	if len(src) > 0 {
		dst[o] = pairI16(src[0], 0)
	}
}

// packRunI8 packs int8 by fours.
func packRunI8(dst []uint32, step int, src []byte) {
	o := 0
	for ; len(src) >= 4; src = src[4:] {
		dst[o] = le.Uint32(src)
		o += step
	}
	if len(src) > 0 {
		var last [4]byte
		copy(last[:], src)
		dst[o] = le.Uint32(last[:])
	}
}

// packRunU8 packs int8 by fours with 128 added to each, as unsigned bytes.
func packRunU8(dst []uint32, step int, src []byte) {
	const offset = 0x80808080
	o := 0
	for ; len(src) >= 4; src = src[4:] {
		dst[o] = le.Uint32(src) ^ offset
		o += step
	}
	if len(src) > 0 {
		var last [4]byte
		copy(last[:], src)
		dst[o] = le.Uint32(last[:]) ^ offset
	}
}

func pairI16(lo, hi byte) uint32 {
	return uint32(uint16(int8(lo))) | uint32(uint16(int8(hi)))<<16
}

func packColsF32(dst []uint32, nr int, src []byte, ld, k, cols int) {
	for p := range k {
		row, out := src[p*ld:p*ld+4*cols], dst[p*nr:(p+1)*nr]
		for j := range cols {
			out[j] = le.Uint32(row[4*j:])
		}
		clear(out[cols:])
	}
}

func packColsBF16(dst []uint32, nr int, src []byte, ld, k, cols int) {
	for p := range k {
		row, out := src[p*ld:p*ld+2*cols], dst[p*nr:(p+1)*nr]
		for j := range cols {
			out[j] = uint32(le.Uint16(row[2*j:])) << 16
		}
		clear(out[cols:])
	}
}

func packColsI16(dst []uint32, nr int, src []byte, ld, k, cols int) {
	var zeros [maxNR]byte
	for p := 0; p < k; p += 2 {
		r0, r1 := src[p*ld:p*ld+cols], zeros[:cols]
		if p+1 < k {
			r1 = src[(p+1)*ld : (p+1)*ld+cols]
		}
		out := dst[p/2*nr : (p/2+1)*nr]
		for j := range r0 {
			out[j] = pairI16(r0[j], r1[j])
		}
		clear(out[cols:])
	}
}

func packColsI8(dst []uint32, nr int, src []byte, ld, k, cols int) {
	var zeros [maxNR]byte
	var rows [4][]byte
	for p := 0; p < k; p += 4 {
		for i := range rows {
			rows[i] = zeros[:cols]
			if p+i < k {
				rows[i] = src[(p+i)*ld : (p+i)*ld+cols]
			}
		}
		out := dst[p/4*nr : (p/4+1)*nr]
		for j := range cols {
			out[j] = uint32(rows[0][j]) | uint32(rows[1][j])<<8 | uint32(rows[2][j])<<16 | uint32(rows[3][j])<<24
		}
		clear(out[cols:])
	}
}

// offsetSums writes -128·Σ over k of each column of a packed int8 panel into
// sums: what takes the 128 added to each element of A away again, modulo 2³².
func offsetSums(sums, panel []uint32) {
	clear(sums)
	for ; len(panel) > 0; panel = panel[len(sums):] {
		for j := range sums {
			w := panel[j]
			sums[j] += uint32(int32(int8(w)) + int32(int8(w>>8)) + int32(int8(w>>16)) + int32(int8(w>>24)))
		}
	}
	for j := range sums {
		sums[j] *= 0xffffff80
	}
}
