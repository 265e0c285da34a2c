//go:build !noasm

package kern

import "golang.org/x/sys/cpu"

//go:generate go run ./internal/gen

//go:noescape
func kernelF32AVX512(groups int, a, b *uint32, c *byte, ldc int)

//go:noescape
func kernelF32AVX2(groups int, a, b *uint32, c *byte, ldc int)

//go:noescape
func kernelI8VNNI(groups int, a, b *uint32, c *byte, ldc int)

//go:noescape
func kernelI16AVX2(groups int, a, b *uint32, c *byte, ldc int)

//go:noescape
func pack8F32(dst *uint32, step int, rows *[8]*byte, blocks int)

//go:noescape
func pack8BF16(dst *uint32, step int, rows *[8]*byte, blocks int)

//go:noescape
func pack8U8(dst *uint32, step int, rows *[8]*byte, blocks int)

//go:noescape
func cols32F32(dst *uint32, panel int, src *byte, panels int)

//go:noescape
func cols32BF16(dst *uint32, panel int, src *byte, panels int)

//go:noescape
func cols32I8(dst *uint32, panel int, rows *[4]*byte, panels int)

//go:noescape
func sums32VNNI(groups int, panel *uint32)

var avx2 = backend{
	name: "avx2",
	rows: &rowsPortable,
	formats: [I8 + 1]*format{
		F32:  {mr: 6, nr: 16, group: 1, packRunA: packRunF32, packRunB: packRunF32, packCols: packColsF32, kernel: runF32AVX2},
		BF16: {mr: 6, nr: 16, group: 1, packRunA: packRunBF16, packRunB: packRunBF16, packCols: packColsBF16, kernel: runF32AVX2},
		I8:   {mr: 6, nr: 16, group: 2, packRunA: packRunI16, packRunB: packRunI16, packCols: packColsI16, kernel: runI16AVX2},
	},
}

var avx512 = backend{
	name: "avx512",
	rows: &rowsAVX512,
	formats: [I8 + 1]*format{
		F32: {mr: 8, nr: 32, group: 1, packRunA: packRunF32, packRunB: packRunF32, kernel: runF32AVX512,
			pack8A: runPack8F32, pack8B: runPack8F32, packCols: runCols32F32},
		BF16: {mr: 8, nr: 32, group: 1, packRunA: packRunBF16, packRunB: packRunBF16, kernel: runF32AVX512,
			pack8A: runPack8BF16, pack8B: runPack8BF16, packCols: runCols32BF16},
		I8: {mr: 8, nr: 32, group: 4, offset: true, packRunA: packRunU8, packRunB: packRunI8, kernel: runI8VNNI,
			pack8A: runPack8U8, pack8B: runPack8F32, packCols: runCols32I8, sums: runSums32VNNI},
	},
}

// backends lists what this host can run, best first.
var backends = detect()

// active is the back end in use.
var active = backends[0]

// detect asks the processor. AVX-512 without VNNI takes the AVX2 int8 kernel.
func detect() []*backend {
	all := []*backend{&portable}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append([]*backend{&avx2}, all...)
	}
	if len(all) > 1 && cpu.X86.HasAVX512F {
		if !cpu.X86.HasAVX512VNNI {
			avx512.formats[I8] = avx2.formats[I8]
		}
		all = append([]*backend{&avx512}, all...)
	}
	return all
}

// The wrappers hold the extents before assembly runs unchecked.

func runF32AVX512(groups int, a, b []uint32, c []byte, ldc int) {
	_, _, _ = a[8*groups-1], b[32*groups-1], c[7*ldc+127]
	kernelF32AVX512(groups, &a[0], &b[0], &c[0], ldc)
}

func runF32AVX2(groups int, a, b []uint32, c []byte, ldc int) {
	_, _, _ = a[6*groups-1], b[16*groups-1], c[5*ldc+63]
	kernelF32AVX2(groups, &a[0], &b[0], &c[0], ldc)
}

func runI8VNNI(groups int, a, b []uint32, c []byte, ldc int) {
	_, _, _ = a[8*groups-1], b[32*groups+31], c[7*ldc+127]
	kernelI8VNNI(groups, &a[0], &b[0], &c[0], ldc)
}

func runI16AVX2(groups int, a, b []uint32, c []byte, ldc int) {
	_, _, _ = a[6*groups-1], b[16*groups-1], c[5*ldc+63]
	kernelI16AVX2(groups, &a[0], &b[0], &c[0], ldc)
}

func runPack8F32(dst []uint32, step int, rows *[8][]byte, blocks int) {
	p := pointers8(dst, step, rows, blocks, 32)
	pack8F32(&dst[0], step, &p, blocks)
}

func runPack8BF16(dst []uint32, step int, rows *[8][]byte, blocks int) {
	p := pointers8(dst, step, rows, blocks, 16)
	pack8BF16(&dst[0], step, &p, blocks)
}

func runPack8U8(dst []uint32, step int, rows *[8][]byte, blocks int) {
	p := pointers8(dst, step, rows, blocks, 32)
	pack8U8(&dst[0], step, &p, blocks)
}

// pointers8 returns where eight rows of blocks of the given bytes begin.
func pointers8(dst []uint32, step int, rows *[8][]byte, blocks, bytes int) (p [8]*byte) {
	_ = dst[(8*blocks-1)*step+7]
	for i := range p {
		_ = rows[i][blocks*bytes-1]
		p[i] = &rows[i][0]
	}
	return p
}

func runCols32F32(dst []uint32, nr, panel int, rows *[4][]byte, cols int) {
	whole := cols / 32
	if whole > 0 {
		_, _ = dst[(whole-1)*panel+31], rows[0][128*whole-1]
		cols32F32(&dst[0], panel, &rows[0][0], whole)
	}
	if cols > 32*whole {
		packColsF32(dst[whole*panel:], nr, panel, &[4][]byte{rows[0][128*whole:]}, cols-32*whole)
	}
}

func runCols32BF16(dst []uint32, nr, panel int, rows *[4][]byte, cols int) {
	whole := cols / 32
	if whole > 0 {
		_, _ = dst[(whole-1)*panel+31], rows[0][64*whole-1]
		cols32BF16(&dst[0], panel, &rows[0][0], whole)
	}
	if cols > 32*whole {
		packColsBF16(dst[whole*panel:], nr, panel, &[4][]byte{rows[0][64*whole:]}, cols-32*whole)
	}
}

func runCols32I8(dst []uint32, nr, panel int, rows *[4][]byte, cols int) {
	whole := cols / 32
	if whole > 0 {
		_ = dst[(whole-1)*panel+31]
		var p [4]*byte
		for i := range p {
			_ = rows[i][32*whole-1]
			p[i] = &rows[i][0]
		}
		cols32I8(&dst[0], panel, &p, whole)
	}
	if cols > 32*whole {
		rest := [4][]byte{rows[0][32*whole:], rows[1][32*whole:], rows[2][32*whole:], rows[3][32*whole:]}
		packColsI8(dst[whole*panel:], nr, panel, &rest, cols-32*whole)
	}
}

func runSums32VNNI(panel []uint32, nr int) {
	groups := len(panel)/nr - 1
	_ = panel[32*groups+31]
	sums32VNNI(groups, &panel[0])
}
