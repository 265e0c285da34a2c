package rig

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

func gemm(t *testing.T, cfg *configs.Config, m, n, k int) GemmTime {
	r, err := Gemm{m, n, k, abi.BF16}.Measure(context.Background(), cfg)
	require.NoError(t, err)
	return r
}

// A product takes no less than its multiply-accumulates at the peak rate and its
// matrices at the memory's, and the machine's numbers move it.
func TestGemm(t *testing.T) {
	cfg, err := configs.Machine("datacenter")
	require.NoError(t, err)
	big := gemm(t, cfg, 2048, 2048, 2048)
	t.Logf("%+v", big)
	assert.Equal(t, big, gemm(t, cfg, 2048, 2048, 2048), "the same every time")
	peak := 2048 * 2048 * 2048 / (4 * 128 * 128 * 1.05e9) * 1e6
	assert.Greater(t, big.TimeUs, peak)
	assert.Less(t, big.TimeUs, 1.5*peak)
	assert.InEpsilon(t, 100*peak/big.TimeUs, big.UtilPct, 0.001)

	f32, err := Gemm{1024, 1024, 1024, abi.F32}.Measure(context.Background(), cfg)
	require.NoError(t, err)
	assert.Greater(t, f32.UtilPct, 80.0, "of the peak of f32")

	thin := gemm(t, cfg, 1, 8192, 8192)
	t.Logf("%+v", thin)
	bytes := 8192 * 8192 * 2 / 819.2e9 * 1e6
	assert.Greater(t, thin.TimeUs, bytes)
	slow := *cfg
	slow.DRAM.Channels, slow.DRAM.Size = 4, 8*sim.GiB
	assert.Greater(t, gemm(t, &slow, 1, 8192, 8192).TimeUs, 2.5*thin.TimeUs, "a quarter of the memory")
	slow = *cfg
	slow.Array.Rows, slow.Array.Cols = 64, 64
	assert.Greater(t, gemm(t, &slow, 2048, 2048, 2048).TimeUs, 3*big.TimeUs, "a quarter of the array")
}

func TestGemmThatDoesNotFit(t *testing.T) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	_, err = Gemm{1 << 16, 1 << 16, 1 << 16, abi.BF16}.Measure(context.Background(), cfg)
	require.ErrorContains(t, err, "the matrices of a product of 65536×65536×65536 need 24 GiB, tiny has 64 MiB of device memory (dram.size)")
	tpu, err := configs.Machine("tpu-v4")
	require.NoError(t, err)
	_, err = Gemm{1_000_000, 1_000_000, 1_000_000, abi.BF16}.Measure(context.Background(), tpu)
	require.EqualError(t, err, "the matrices of a product of 1000000×1000000×1000000 need 5.457 TiB, tpu-v4 has 32 GiB of device memory (dram.size): "+
		"want less work at once, such as a smaller batch, or a larger dram.size")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Gemm{256, 256, 256, abi.BF16}.Measure(ctx, cfg)
	require.Error(t, err)
}
