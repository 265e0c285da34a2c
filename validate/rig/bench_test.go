package rig

import (
	"context"
	"testing"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/hw/abi"
)

// BenchmarkGemm is a product of 2048³ on the datacenter machine, machine and
// driver included.
func BenchmarkGemm(b *testing.B) {
	cfg, err := configs.Machine("datacenter")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := (Gemm{2048, 2048, 2048, abi.BF16}).Measure(context.Background(), cfg); err != nil {
			b.Fatal(err)
		}
	}
}
