package rt_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// layer is an operation of a network.
type layer struct {
	name string
	make func(*rt.Library) ([]abi.Kernel, error)
}

func conv(n, h, c, k, r, stride int) layer {
	v := resnet(n)
	p := (h + stride - 1) / stride
	v.Image = rt.Image{N: n, H: h, W: h, C: c, K: k, P: p, Q: p, R: r, S: r, Stride: [2]int{stride, stride}, Pad: [2]int{(r - 1) / 2, (r - 1) / 2}}
	return layer{fmt.Sprintf("conv %dx%dx%dx%d k%d r%d /%d", n, h, h, c, k, r, stride),
		func(l *rt.Library) ([]abi.Kernel, error) { return l.Conv(v) }}
}

func gemm(m, n, k int) layer {
	return layer{fmt.Sprintf("gemm %dx%dx%d", m, n, k),
		func(l *rt.Library) ([]abi.Kernel, error) { return l.Gemm(dense(m, n, k, abi.BF16)) }}
}

var layers = []layer{
	conv(1, 224, 3, 64, 7, 2), conv(1, 56, 64, 64, 3, 1), conv(1, 56, 64, 256, 1, 1), conv(1, 28, 128, 128, 3, 1),
	conv(1, 14, 256, 256, 3, 1), conv(1, 7, 512, 512, 3, 1), conv(1, 7, 512, 2048, 1, 1), conv(1, 56, 256, 512, 1, 2),
	conv(4, 28, 128, 128, 3, 1), gemm(1, 1000, 2048), gemm(128, 768, 768), gemm(128, 3072, 768), gemm(128, 768, 3072), gemm(1, 3072, 768), gemm(512, 512, 512),
}

// On cores with the memory that the mapper assumes, the estimate is near the
// time, and the time is not below what the array's and the memory's rates allow.
func TestEstimate(t *testing.T) {
	for name, info := range map[string]abi.DeviceInfo{"tiny": tiny, "edge": edge, "datacenter": datacenter} {
		for _, v := range layers {
			m := newCores(t, info, 0)
			l := rt.NewLibrary(&info, rt.Options{LoadCycles: 150})
			ks, err := v.make(l)
			require.NoError(t, err)
			cycles, loads, stores := m.run(t, ks)
			ratio := float64(cycles) / float64(rt.Estimates(l))
			t.Logf("%-10s %-24s %8d cycles, %.2f of the estimate; %9d bytes read; %s", name, v.name, cycles, ratio, loads, describe(&ks[0]))
			assert.InDelta(t, 0.85, ratio, 0.4, "%s %s", name, v.name)
			width := int64(info.NumCores * info.ArrayCols)
			assert.GreaterOrEqual(t, cycles, m.seen.MACs/(width*int64(info.ArrayRows)), "array %s %s", name, v.name)
			assert.GreaterOrEqual(t, sim.Time(cycles)*sim.Nanosecond, sim.Time(loads+stores)*m.perByte, "memory %s %s", name, v.name)
		}
	}
}

// What fits is read once: the traffic of a layer whose operands fit the
// scratchpad is their size.
func TestReadOnce(t *testing.T) {
	l := rt.NewLibrary(&edge, rt.Options{})
	ks, err := l.Gemm(dense(3136, 256, 64, abi.BF16))
	require.NoError(t, err)
	m := newCores(t, edge, 0)
	_, loads, stores := m.run(t, ks)
	assert.EqualValues(t, 2*(3136*64+64*256), loads)
	assert.EqualValues(t, 2*3136*256, stores)
}
