package rt_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
)

// A larger scratchpad makes no layer slower on cores with the memory that the mapper
// assumes: tiles do not grow beyond what pays, and first loads and last stores stay
// short.
func TestLargerScratchpadNoSlower(t *testing.T) {
	for name, info := range map[string]abi.DeviceInfo{"edge": edge, "datacenter": datacenter} {
		for _, v := range known() {
			least := int64(0)
			for size := uint64(512 << 10); size <= 16<<20; size *= 2 {
				info.ScratchpadSize = size
				ks, err := v.make(rt.NewLibrary(&info, rt.Options{LoadCycles: 150}))
				require.NoError(t, err)
				cycles, _, _ := newCores(t, info, 0).run(t, ks)
				if least == 0 || cycles < least {
					least = cycles
				}
				assert.LessOrEqual(t, float64(cycles), 1.04*float64(least), "%s: %s with %d KiB: %s", name, v.name, size>>10, describe(&ks[0]))
			}
		}
	}
}
