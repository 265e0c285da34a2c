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

var avx2 = backend{
	name: "avx2",
	formats: [I8 + 1]*format{
		F32:  {mr: 6, nr: 16, group: 1, packRunA: packRunF32, packRunB: packRunF32, packCols: packColsF32, kernel: runF32AVX2},
		BF16: {mr: 6, nr: 16, group: 1, packRunA: packRunBF16, packRunB: packRunBF16, packCols: packColsBF16, kernel: runF32AVX2},
		I8:   {mr: 6, nr: 16, group: 2, packRunA: packRunI16, packRunB: packRunI16, packCols: packColsI16, kernel: runI16AVX2},
	},
}

var avx512 = backend{
	name: "avx512",
	formats: [I8 + 1]*format{
		F32:  {mr: 8, nr: 32, group: 1, packRunA: packRunF32, packRunB: packRunF32, packCols: packColsF32, kernel: runF32AVX512},
		BF16: {mr: 8, nr: 32, group: 1, packRunA: packRunBF16, packRunB: packRunBF16, packCols: packColsBF16, kernel: runF32AVX512},
		I8:   {mr: 8, nr: 32, group: 4, offset: true, packRunA: packRunU8, packRunB: packRunI8, packCols: packColsI8, kernel: runI8VNNI},
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
