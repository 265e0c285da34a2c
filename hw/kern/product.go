package kern

// Blocking of the packed product: a panel of B (blockK words × nr) stays in the
// first cache, a block of A (blockM × blockK) in the second, a block of B in the
// second or third. When A has few rows a block of B is used but once or twice and
// is better narrow, so that it is still in the second cache then.
const (
	blockM  = 192
	blockN  = 1024
	blockK  = 384 // words of k
	fewRows = 48
	narrowN = 256
)

// rowMap finds the elements of a matrix whose rows are gathered from memory: row
// m is pixel (m/width, m%width); its elements are segs runs of segBytes bytes,
// run (r, s) = (i/taps, i%taps). A plain matrix has one run a row and width 1.
type rowMap struct {
	data             []byte
	width            int
	rowStep, pixStep int // bytes from pixel to pixel, down and across
	segs, taps       int
	segBytes         int
	rStep, sStep     int // bytes from run to run, down and across
}

// plainRows is the rowMap of a row-major matrix.
func plainRows(data []byte, ld, rowBytes int) rowMap {
	return rowMap{data: data, width: 1, rowStep: ld, segs: 1, taps: 1, segBytes: rowBytes}
}

// bytes returns n bytes of row m from byte at on, gathered into buf when they
// come from several runs.
func (r *rowMap) bytes(m, at, n int, buf []byte) []byte {
	base := m/r.width*r.rowStep + m%r.width*r.pixStep
	if r.segs == 1 {
		return r.data[base+at : base+at+n]
	}
	seg, in := at/r.segBytes, at%r.segBytes
	for done := 0; done < n; seg++ {
		o := base + seg/r.taps*r.rStep + seg%r.taps*r.sStep
		run := min(r.segBytes-in, n-done)
		if run == n {
			return r.data[o+in : o+in+n]
		}
		copy(buf[done:done+run], r.data[o+in:])
		done, in = done+run, 0
	}
	return buf[:n]
}

// product is C (+)= A·B with the operands' layout resolved; Gemm and Conv run it.
type product struct {
	f      *format
	a, bt  rowMap // bt: B as N rows of K, when transB
	transB bool
	b      []byte // B as K rows of N otherwise
	ldb    int
	c      []byte
	ldc    int
	k      int
	elem   int  // bytes of an input element
	fresh  bool // C starts from zero
}

// block computes the outputs of t.
func (p *product) block(t tile, s *Scratch) {
	if t.empty() {
		return
	}
	if p.fresh {
		for m := t.m0; m < t.m1; m++ {
			clear(p.c[m*p.ldc+4*t.n0 : m*p.ldc+4*t.n1])
		}
	}
	stepN, stepK := blockN, blockK*p.f.group
	if t.m1-t.m0 <= fewRows {
		stepN = narrowN
	}
	for n := t.n0; n < t.n1; n += stepN {
		for k := 0; k < p.k; k += stepK {
			kk, n1 := min(stepK, p.k-k), min(n+stepN, t.n1)
			b := p.packB(s, k, kk, n, n1)
			for m := t.m0; m < t.m1; m += blockM {
				m1 := min(m+blockM, t.m1)
				a := p.packA(s, k, kk, m, m1)
				p.macro(s, a, b, kk, tile{m, m1, n, n1})
			}
		}
	}
}

// packB packs columns [n0, n1) of kk rows from k on of B into panels.
func (p *product) packB(s *Scratch, k, kk, n0, n1 int) []uint32 {
	f := p.f
	size, words := f.panelB(kk), f.groups(kk)*f.nr
	b := grown(&s.b, panels(n1-n0, f.nr)*size)
	if !p.transB {
		p.packColumns(s, b, size, k, kk, n0, n1)
	}
	for n := n0; n < n1; n += f.nr {
		panel := b[(n-n0)/f.nr*size:][:size]
		if p.transB {
			rows := rowBlock{&p.bt, n, min(f.nr, n1-n), k * p.elem, kk * p.elem}
			rows.pack(panel[:words], f.nr, f.group*p.elem, f.packRunB, f.pack8B, s)
		}
		if f.offset {
			f.sums(panel, f.nr)
		}
	}
	return b
}

// noRow stands for rows of B behind the last when k is no multiple of the group.
var noRow [blockN]byte

// packColumns packs B row by row, so that it is read in the order of memory.
func (p *product) packColumns(s *Scratch, b []uint32, size, k, kk, n0, n1 int) {
	f, cols := p.f, n1-n0
	rows := &s.four
	for i := 0; i < kk; i += f.group {
		for j := range f.group {
			rows[j] = noRow[:]
			if i+j < kk {
				rows[j] = p.b[(k+i+j)*p.ldb+n0*p.elem:][:cols*p.elem]
			}
		}
		f.packCols(b[i/f.group*f.nr:], f.nr, size, rows, cols)
	}
}

// packA packs rows [m0, m1) of kk columns from k on of A into panels.
func (p *product) packA(s *Scratch, k, kk, m0, m1 int) []uint32 {
	f := p.f
	words := f.groups(kk) * f.mr
	a := grown(&s.a, panels(m1-m0, f.mr)*words)
	for m := m0; m < m1; m += f.mr {
		panel := a[(m-m0)/f.mr*words:][:words]
		rows := rowBlock{&p.a, m, min(f.mr, m1-m), k * p.elem, kk * p.elem}
		rows.pack(panel, f.mr, f.group*p.elem, f.packRunA, f.pack8A, s)
	}
	return a
}

// rowBlock is bytes [at, at+n) of rows rows from row on.
type rowBlock struct {
	of        *rowMap
	row, rows int
	at, n     int
}

// pack packs a block into a panel width rows wide, word bytes to a word; missing
// rows are zeros.
func (b *rowBlock) pack(panel []uint32, width, word int, run packRun, eight pack8, s *Scratch) {
	if b.rows < width {
		clear(panel)
	}
	buf := grown(&s.row, 8*b.n)
	blocks, i := b.n/(8*word), 0
	for ; eight != nil && blocks > 0 && i+8 <= b.rows; i += 8 {
		for j := range s.eight {
			s.eight[j] = b.of.bytes(b.row+i+j, b.at, b.n, buf[j*b.n:])
		}
		eight(panel[i:], width, &s.eight, blocks)
		for j := range s.eight {
			if tail := s.eight[j][8*word*blocks:]; len(tail) > 0 {
				run(panel[8*blocks*width+i+j:], width, tail)
			}
		}
	}
	for ; i < b.rows; i++ {
		run(panel[i:], width, b.of.bytes(b.row+i, b.at, b.n, buf))
	}
}

// macro multiplies packed blocks: every micro-tile of t.
func (p *product) macro(s *Scratch, a, b []uint32, kk int, t tile) {
	f := p.f
	groups, size := f.groups(kk), f.panelB(kk)
	for n := t.n0; n < t.n1; n += f.nr {
		panelB := b[(n-t.n0)/f.nr*size:][:size]
		for m := t.m0; m < t.m1; m += f.mr {
			panelA := a[(m-t.m0)/f.mr*groups*f.mr:][:groups*f.mr]
			rows, cols := min(f.mr, t.m1-m), min(f.nr, t.n1-n)
			c := p.c[m*p.ldc+4*n:]
			if rows == f.mr && cols == f.nr {
				f.kernel(groups, panelA, panelB, c, p.ldc)
			} else {
				f.edge(s, groups, panelA, panelB, c, p.ldc, rows, cols)
			}
		}
	}
}

// edge runs the kernel on a copy of a micro-tile that C holds only partly.
func (f *format) edge(s *Scratch, groups int, a, b []uint32, c []byte, ldc, rows, cols int) {
	ld := 4 * f.nr
	whole := grown(&s.tile, f.mr*ld)
	for i := range rows {
		copy(whole[i*ld:], c[i*ldc:i*ldc+4*cols])
	}
	f.kernel(groups, a, b, whole, ld)
	for i := range rows {
		copy(c[i*ldc:i*ldc+4*cols], whole[i*ld:])
	}
}

// panels returns how many panels of width cover n.
func panels(n, width int) int { return (n + width - 1) / width }
