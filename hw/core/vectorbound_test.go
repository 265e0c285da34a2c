package core

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// wholeRowsKernel is an operation on 256 rows of 1024 bf16 elements, 8 rows a
// tile.
func wholeRowsKernel(t *testing.T, op, act uint8) *abi.Kernel {
	const rows, cols = 256, 1024
	k := &abi.Kernel{Kind: abi.KernelVector, Op: op, Act: act, InType: abi.BF16, OutType: abi.BF16, Scale: 1, OutScale: 1, ResScale: 1,
		Dims: [16]uint32{rows, cols}, Tile: [6]uint32{8}, Buffers: [4]uint8{2, 2, 2}}
	for i := range 3 {
		k.Operands[i] = abi.Operand{Addr: uint64(i) * rows * cols * 2, RowStride: cols * 2}
	}
	if op != abi.VecAdd {
		k.Operands[1] = abi.Operand{}
	}
	place(t, k)
	return k
}

// What bounds an operation is what its time follows: memory for elementwise
// ones, special functions for activations made of them, lanes for softmax and
// norms. The time is never below the bytes at memory's rate, nor below the
// instructions at the lanes'.
func TestWhatBoundsVectorOperations(t *testing.T) {
	const elements = 256 * 1024
	cycles := func(op, act uint8, lanes, special int, perByte sim.Time) float64 {
		cfg := testConfig()
		cfg.Core.Outstanding, cfg.Core.PortBytes, cfg.Core.RequestBytes = 64, 128, 2048
		cfg.Scratchpad.Banks, cfg.Scratchpad.BankBytes = 32, 64
		cfg.Vector.Lanes, cfg.Vector.SpecialCycles = lanes, special
		m := newMachine(t, cfg, 0, 4<<20)
		m.mem.perByte = perByte
		took, o := m.mustRun(t, wholeRowsKernel(t, op, act))
		bytes := o.LoadBytes + o.StoreBytes
		passes := vecCosts[op].passes + actCosts[act].passes + int64(special)*(vecCosts[op].specials+actCosts[act].specials)
		require.GreaterOrEqual(t, took, sim.Time(bytes)*perByte, "memory")
		require.GreaterOrEqual(t, took, sim.Time(elements*passes/int64(lanes))*ns, "lanes")
		return float64(took) / float64(ns)
	}
	const slow, fast = 16 * sim.Picosecond, sim.Picosecond // 62.5 GB/s and 1 TB/s
	for _, test := range []struct {
		name                    string
		op, act                 uint8
		memory                  sim.Time
		lanes, special, memory2 float64 // times as fast with twice the lanes, special functions, memory
	}{
		{"add", abi.VecAdd, 0, slow, 1, 1, 2},
		{"tanh", abi.VecMap, abi.ActTanh, fast, 2, 5.0 / 3, 1},
		{"softmax", abi.VecSoftmax, 0, fast, 2, 9.0 / 7, 1},
		{"layer norm", abi.VecLayerNorm, 0, fast, 2, 1, 1},
	} {
		base := cycles(test.op, test.act, 32, 4, test.memory)
		gain := func(c float64) float64 { return base / c }
		assert.InDelta(t, test.lanes, gain(cycles(test.op, test.act, 64, 4, test.memory)), 0.2, "%s: lanes", test.name)
		assert.InDelta(t, test.special, gain(cycles(test.op, test.act, 32, 2, test.memory)), 0.12, "%s: special functions", test.name)
		assert.InDelta(t, test.memory2, gain(cycles(test.op, test.act, 32, 4, test.memory/2)), 0.2, "%s: memory", test.name)
	}
}
