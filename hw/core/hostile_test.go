package core

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw/abi"
)

// extremes are what a hostile field holds.
var extremes = []uint32{0, 1, 2, 3, 7, 8, 63, 64, 65, 255, 256, 1 << 12, 1<<16 - 1, 1 << 16, 1 << 18, 1<<31 - 1, 1 << 31, 1<<32 - 64, 1<<32 - 1}

// Descriptors that are right but for a few fields get further than random bytes.
func TestHostileDescriptors(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var k *abi.Kernel
		switch op := rapid.IntRange(-2, abi.NumVecOps-1).Draw(rt, "kind"); op {
		case -2:
			k = drawGemm(rt).k
		case -1:
			k = drawConv(rt).k
		default:
			k = drawVector(rt, uint8(op)).k
		}
		place(rt, k)
		var desc [abi.KernelSize]byte
		k.Encode(desc[:])
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			at := 4 * rapid.IntRange(1, 62).Draw(rt, "word")
			le.PutUint32(desc[at:], rapid.SampledFrom(extremes).Draw(rt, "value"))
		}
		m := newMachine(rt, testConfig(), 1, 1<<16)
		defer m.close()
		fuzzLaunch(rt, m, desc[:])
	})
}

// Micro-operations likewise.
func TestHostilePrograms(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newMachine(rt, testConfig(), 1, 1<<16)
		defer m.close()
		k := programAt(m, 16384, squares(5, 8192))
		for range rapid.IntRange(1, 4).Draw(rt, "changes") {
			at := 16384 + 4*rapid.IntRange(0, 24*abi.MicroOpSize/4-1).Draw(rt, "word")
			le.PutUint32(m.mem.bytes[at:], rapid.SampledFrom(extremes).Draw(rt, "value"))
		}
		var desc [abi.KernelSize]byte
		k.Encode(desc[:])
		fuzzLaunch(rt, m, desc[:])
	})
}

// Every extent, stride and slot that does not fit is a bad descriptor.
func TestBadDescriptors(t *testing.T) {
	conv := func() *abi.Kernel {
		k := &abi.Kernel{Kind: abi.KernelConv, InType: abi.I8, OutType: abi.I8, Tile: [6]uint32{4, 4, 4}, Buffers: [4]uint8{1, 1, 1, 1},
			Dims:     [16]uint32{1, 8, 8, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 2, 8, 8},
			Operands: [4]abi.Operand{{RowStride: 64, BatchStride: 512}, {Addr: 1024}, {Addr: 4096, RowStride: 64, BatchStride: 512}}}
		place(t, k)
		return k
	}
	product := func() *abi.Kernel { return gemm(t, 32, 32, 32, 16, 16, 16, abi.I8, abi.I8) }
	vector := func(op uint8) func() *abi.Kernel {
		return func() *abi.Kernel {
			k := &abi.Kernel{Kind: abi.KernelVector, Op: op, Tile: [6]uint32{4}, Buffers: [4]uint8{1, 1, 1, 1},
				Dims:     [16]uint32{8, 8, 8, 8},
				Operands: [4]abi.Operand{{RowStride: 32}, {Addr: 1024, RowStride: 32}, {Addr: 4096, RowStride: 32}}}
			place(t, k)
			return k
		}
	}
	for name, test := range map[string]struct {
		good  func() *abi.Kernel
		spoil func(*abi.Kernel)
	}{
		"no rows":                 {product, func(k *abi.Kernel) { k.Dims[abi.DimM] = 0 }},
		"too many columns":        {product, func(k *abi.Kernel) { k.Dims[abi.DimN] = 1 << 31 }},
		"no outer":                {product, func(k *abi.Kernel) { k.Dims[abi.DimOuter] = 0 }},
		"no tile":                 {product, func(k *abi.Kernel) { k.Tile[abi.TileK] = 0 }},
		"f64":                     {product, func(k *abi.Kernel) { k.InType = abi.F64 }},
		"f32 to int32":            {product, func(k *abi.Kernel) { k.InType, k.OutType = abi.F32, abi.I32 }},
		"slots overlap":           {product, func(k *abi.Kernel) { k.Spad[1] = k.Spad[0] + 64 }},
		"slots beyond the end":    {product, func(k *abi.Kernel) { k.Spad[2] = 256<<10 - 64 }},
		"slot not aligned":        {product, func(k *abi.Kernel) { k.Spad[2] += 4 }},
		"no slots":                {product, func(k *abi.Kernel) { k.Buffers[2] = 0 }},
		"output rows overlap":     {product, func(k *abi.Kernel) { k.Operands[2].RowStride = 31 }},
		"address wraps":           {product, func(k *abi.Kernel) { k.Operands[0].Addr = 1<<64 - 64 }},
		"stride wraps":            {product, func(k *abi.Kernel) { k.Operands[2].RowStride = 1 << 60 }},
		"bias without its flag":   {product, func(k *abi.Kernel) { k.Bias = 64 }},
		"bias wraps":              {product, func(k *abi.Kernel) { k.Flags, k.Bias = abi.KernelBias, 1<<64-4 }},
		"unknown kind":            {product, func(k *abi.Kernel) { k.Kind = 9 }},
		"transposed convolution":  {conv, func(k *abi.Kernel) { k.Flags = abi.KernelTransB }},
		"no stride":               {conv, func(k *abi.Kernel) { k.Dims[abi.DimStrideH] = 0 }},
		"groups do not divide":    {conv, func(k *abi.Kernel) { k.Dims[abi.DimGroups] = 3 }},
		"tile tears groups apart": {conv, func(k *abi.Kernel) { k.Tile[abi.TileN] = 6 }},
		"tile of groups in parts": {conv, func(k *abi.Kernel) { k.Tile[abi.TileN], k.Tile[abi.TileK] = 8, 2 }},
		"residual flag":           {vector(abi.VecAdd), func(k *abi.Kernel) { k.Flags = abi.KernelResidual }},
		"softmax of part rows":    {vector(abi.VecSoftmax), func(k *abi.Kernel) { k.Tile[abi.TileN] = 4 }},
		"softmax beyond its row":  {vector(abi.VecSoftmax), func(k *abi.Kernel) { k.Dims[abi.DimValid] = 9 }},
		"transpose converts":      {vector(abi.VecTranspose), func(k *abi.Kernel) { k.OutType = abi.BF16 }},
		"softmax with activation": {vector(abi.VecSoftmax), func(k *abi.Kernel) { k.Act = abi.ActReLU }},
		"gather from no table":    {vector(abi.VecGather), func(k *abi.Kernel) { k.Dims[abi.DimTableRows] = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, testConfig(), 0, 1<<16)
			k := test.good()
			m.mustRun(t, k)
			test.spoil(k)
			before := m.e.Now()
			l := m.launch(t, k)
			assert.Equal(t, abi.StatusBadDescriptor, l.Result.Code)
			assert.Equal(t, before, m.e.Now(), "nothing was started")
		})
	}
	m := newMachine(t, testConfig(), 0, 1<<16)
	l := m.launchOn(t, product(), 2)
	assert.Equal(t, abi.StatusBadDescriptor, l.Result.Code, "a core that does not exist")
}

// An index outside the table ends the launch with the index's address.
func TestGatherIndexOutside(t *testing.T) {
	k := &abi.Kernel{Kind: abi.KernelVector, Op: abi.VecGather, Tile: [6]uint32{4}, Buffers: [4]uint8{1, 1, 1, 1},
		Dims:     [16]uint32{10, 8, 0, 5},
		Operands: [4]abi.Operand{{RowStride: 32}, {Addr: 1024}, {Addr: 4096, RowStride: 32}}}
	place(t, k)
	for _, index := range []int32{5, -1} {
		m := newMachine(t, testConfig(), 0, 1<<16)
		le.PutUint32(m.mem.bytes[1024+4*9:], uint32(index))
		l := m.launch(t, k)
		assert.Equal(t, abi.StatusBadDescriptor, l.Result.Code)
		assert.EqualValues(t, 1024+4*9, l.Result.Addr)
	}
}
