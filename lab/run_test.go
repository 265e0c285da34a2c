package lab

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/workload"
)

func options(t testing.TB, machine, name string, batch int) Options {
	cfg, err := configs.Machine(machine)
	require.NoError(t, err)
	g, err := workload.Load(name, workload.Options{Batch: batch})
	require.NoError(t, err)
	return Options{Machine: cfg, Graph: g, Log: t.Logf}
}

func TestSmallProduct(t *testing.T) {
	o := options(t, "tiny", "gemm:64x64x64", 0)
	o.Verify = true
	r, err := Run(context.Background(), o)
	require.NoError(t, err)
	require.NoError(t, r.WriteText(os.Stderr))
	require.True(t, *r.Verified)
}

func TestTry(t *testing.T) {
	if os.Getenv("TRY") == "" {
		t.Skip("by hand")
	}
	o := options(t, os.Getenv("TRYM"), os.Getenv("TRY"), 0)
	o.TimingOnly = os.Getenv("TO") != ""
	o.Verify = !o.TimingOnly
	r, err := Run(context.Background(), o)
	if r != nil {
		require.NoError(t, r.WriteText(os.Stderr))
	}
	require.NoError(t, err)
}
