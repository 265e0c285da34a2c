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

	packRunA, packRunB packRun    // for rows of A, and of B transposed
	pack8A, pack8B     pack8      // the same for eight rows at once; may be nil
	packCols           packCols   // for rows of B
	sums               offsetSums // with offset

	// kernel adds the product of two packed panels to the mr×nr tile c.
	kernel func(groups int, a, b []uint32, c []byte, ldc int)
}

// packRun packs elements of consecutive k from src into dst[0], dst[step], …; the
// last word is filled up with zeros.
type packRun func(dst []uint32, step int, src []byte)

// pack8 packs eight rows of blocks·8 words each: word i of row r into
// dst[i·step+r].
type pack8 func(dst []uint32, step int, rows *[8][]byte, blocks int)

// packCols packs the rows of one group of k, cols columns of them, into one row of
// each of the panels of nr columns, panel words apart; missing columns are zeros.
type packCols func(dst []uint32, nr, panel int, rows *[4][]byte, cols int)

// offsetSums writes -128·Σ over k of each column of a packed int8 panel into
// the nr words behind it: what takes the 128 added to each element of A away
// again, modulo 2³².
type offsetSums func(panel []uint32, nr int)

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

func packColsF32(dst []uint32, nr, panel int, rows *[4][]byte, cols int) {
	for row := rows[0][:4*cols]; len(row) > 0; {
		n := min(len(row), 4*nr)
		packRunF32(dst, 1, row[:n])
		clear(dst[n/4 : nr])
		dst, row = dst[min(panel, len(dst)):], row[n:]
	}
}

func packColsBF16(dst []uint32, nr, panel int, rows *[4][]byte, cols int) {
	for row := rows[0][:2*cols]; len(row) > 0; {
		n := min(len(row), 2*nr)
		packRunBF16(dst, 1, row[:n])
		clear(dst[n/2 : nr])
		dst, row = dst[min(panel, len(dst)):], row[n:]
	}
}

func packColsI16(dst []uint32, nr, panel int, rows *[4][]byte, cols int) {
	for at := 0; at < cols; at += nr {
		n := min(cols-at, nr)
		r0, r1 := rows[0][at:at+n], rows[1][at:at+n]
		for j := range r0 {
			dst[j] = pairI16(r0[j], r1[j])
		}
		clear(dst[n:nr])
		dst = dst[min(panel, len(dst)):]
	}
}

func packColsI8(dst []uint32, nr, panel int, rows *[4][]byte, cols int) {
	for at := 0; at < cols; at += nr {
		n := min(cols-at, nr)
		r0, r1, r2, r3 := rows[0][at:at+n], rows[1][at:at+n], rows[2][at:at+n], rows[3][at:at+n]
		for j := range r0 {
			dst[j] = uint32(r0[j]) | uint32(r1[j])<<8 | uint32(r2[j])<<16 | uint32(r3[j])<<24
		}
		clear(dst[n:nr])
		dst = dst[min(panel, len(dst)):]
	}
}
