package rt_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

// elementwise is an operation on rows × cols elements whose rows lie some elements
// apart.
func elementwise(op uint8, rows, cols, row int) *rt.Vector {
	return &rt.Vector{Op: op, Act: abi.ActGELU, Rows: rows, Cols: cols, X: rt.Matrix(addrA, abi.F32, row),
		Y: rt.Matrix(addrB, abi.F32, row), Out: rt.Matrix(addrC, abi.F32, row)}
}

// Rows without gaps mean nothing to an elementwise operation: every shape of as many
// elements has the same descriptor, one row of them all.
func TestShapeOfElementwiseDoesNotMatter(t *testing.T) {
	for name, info := range map[string]*abi.DeviceInfo{"tiny": &tiny, "edge": &edge, "datacenter": &datacenter} {
		for _, op := range []uint8{abi.VecMap, abi.VecAdd, abi.VecSub, abi.VecMul} {
			var first []abi.Kernel
			for _, cols := range []int{1, 3, 64, 4096, 8192, 1 << 16, 3 << 18} {
				rows := 3 << 18 / cols
				ks, err := rt.NewLibrary(info, rt.Options{}).Vector(elementwise(op, rows, cols, cols))
				require.NoError(t, err)
				sound(t, info, &ks[0])
				if first == nil {
					first = ks
				}
				assert.Equal(t, first, ks, "%s: operation %d on %d×%d", name, op, rows, cols)
			}
			require.Equal(t, []uint32{1, 3 << 18}, first[0].Dims[:2])
		}
	}
}

// What has gaps, parameters of a column or more elements than an extent may have
// stays in rows.
func TestNotFlat(t *testing.T) {
	gaps, shift, many := elementwise(abi.VecAdd, 64, 48, 48), elementwise(abi.VecBatchNorm, 64, 48, 48), elementwise(abi.VecMap, 1<<16, 1<<15, 1<<15)
	gaps.Y.Row += 64
	shift.Act, shift.Beta = abi.ActNone, addrBias
	for _, v := range []*rt.Vector{gaps, shift, many} {
		ks, err := rt.NewLibrary(&edge, rt.Options{}).Vector(v)
		require.NoError(t, err)
		require.Equal(t, []uint32{uint32(v.Rows), uint32(v.Cols)}, ks[0].Dims[:2])
	}
}

// A flat operation leaves the bits that rows with gaps leave, also where neither
// tiles nor cores divide the elements, and nothing beyond them.
func TestFlatValues(t *testing.T) {
	for _, op := range []uint8{abi.VecMap, abi.VecAdd, abi.VecMul} {
		for _, size := range [][2]int{{1, 1}, {7, 131}, {131, 7}, {251, 521}, {40009, 3}, {1, 65537}} {
			rows, cols := size[0], size[1]
			n, wide := 4*rows*cols, newBench(t, tiny)
			gap := elementwise(op, rows, cols, cols+1)
			wide.fill(addrA, 1<<19)
			wide.fill(addrB, 1<<19)
			wide.run(wide.l.Vector(gap))
			flat := newBench(t, tiny)
			for r := range rows { // the same elements without the gaps
				for _, at := range []int{addrA, addrB} {
					copy(flat.m.mem[at+4*r*cols:], wide.m.mem[at+4*r*(cols+1):][:4*cols])
				}
			}
			flat.run(flat.l.Vector(elementwise(op, rows, cols, cols)))
			for r := range rows {
				require.Equal(t, wide.m.mem[addrC+4*r*(cols+1):][:4*cols], flat.m.mem[addrC+4*r*cols:][:4*cols], "operation %d, row %d of %v", op, r, size)
			}
			require.Equal(t, make([]byte, 64), flat.m.mem[addrC+n:][:64], "beyond the result of %v", size)
		}
	}
}
