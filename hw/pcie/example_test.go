package pcie_test

import (
	"fmt"

	"github.com/presi-sim/presi/hw/pcie"
)

// What a Gen3 x8 link carries in requests of 64 bytes.
func ExampleMeasure() {
	m, err := pcie.Measure(pcie.Row{Generation: 3, Lanes: 8, MPS: 256, MRRS: 512, RCB: 64, Size: 64})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("writes %.1f Gbit/s, reads %.1f, both at once %.1f each\n", m.WriteGbps, m.ReadGbps, m.BothGbps)
	_, err = pcie.Measure(pcie.Row{Generation: 3, Lanes: 3, MPS: 256, MRRS: 512, RCB: 64, Size: 64})
	fmt.Println(err)
	// Output:
	// writes 42.1 Gbit/s, reads 44.1, both at once 33.1 each
	// pcie.lanes = 3: want 1, 2, 4, 8 or 16 lanes
}
