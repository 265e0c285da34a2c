package dma

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
)

// walk goes through a copy's rows in order, in chunks.
type walk struct {
	c          *hw.Copy
	row, plane int64
	off        int64 // within the row
	rowBytes   int64
	counts     [2]int64
	total      int64 // bytes handed out
}

// newWalk starts at the first byte. Rows that lie end to end on both sides are
// one long row, and so are planes.
func newWalk(c *hw.Copy) walk {
	w := walk{c: c, rowBytes: c.RowBytes, counts: c.Counts}
	if w.joins(0) {
		w.rowBytes *= w.counts[0]
		w.counts[0] = 1
		if w.joins(1) {
			w.rowBytes *= w.counts[1]
			w.counts[1] = 1
		}
	}
	return w
}

// joins reports whether the steps of a dimension are the row's own length.
func (w *walk) joins(dim int) bool {
	if w.counts[dim] == 1 {
		return true
	}
	if w.counts[dim] > maxRow/w.rowBytes || w.c.DstStride[dim] != w.rowBytes {
		return false
	}
	if w.c.Fill {
		return w.rowBytes%8 == 0 // the pattern starts anew at each row
	}
	return w.c.SrcStride[dim] == w.rowBytes
}

// maxRow keeps joined rows far from overflow.
const maxRow = 1 << 48

func (w *walk) done() bool { return w.plane == w.counts[1] }

// next returns the next chunk, cut at multiples of chunk of the destination so
// that requests stay aligned. For a fill, src is the offset within the row.
func (w *walk) next(chunk int64) (src, dst uint64, n int64) {
	c := w.c
	dst = c.Dst + uint64(w.plane*c.DstStride[1]+w.row*c.DstStride[0]+w.off)
	src = uint64(w.off)
	if !c.Fill {
		src = c.Src + uint64(w.plane*c.SrcStride[1]+w.row*c.SrcStride[0]+w.off)
	}
	n = min(chunk-int64(dst&uint64(chunk-1)), w.rowBytes-w.off)
	w.total += n
	w.off += n
	if w.off == w.rowBytes {
		w.off = 0
		if w.row++; w.row == w.counts[0] {
			w.row = 0
			w.plane++
		}
	}
	return src, dst, n
}

// fillPattern repeats the 8-byte pattern, little-endian, with the phase that
// offset has in its row.
func fillPattern(p []byte, pattern, offset uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], pattern)
	for i := range p {
		p[i] = b[(offset+uint64(i))&7]
	}
}
