package mmu

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAddressFieldsEndAtThePhysicalSize writes all ones: PPN fields and message
// addresses keep what capabilities.PAS allows.
func TestAddressFieldsEndAtThePhysicalSize(t *testing.T) {
	for _, pas := range []uint64{46, 56} {
		caps := DefaultCapabilities&^(0x3f<<capPAS)&^uint64(CapIGS) | pas<<capPAS
		c := newIOMMUCore(DefaultIOMMUConfig(), caps)
		ppn := (uint64(1)<<(pas-12) - 1) << 10
		for _, reg := range []uint64{RegCQB, RegFQB, RegPQB} {
			c.MMIOWrite(reg, 8, ^uint64(0))
			require.Equal(t, ppn|qbLog2, c.MMIORead(reg, 8))
		}
		c.MMIOWrite(RegDDTP, 8, ^uint64(0)&^0x3ff|DDT2Level)
		require.Equal(t, ppn|DDT2Level, c.MMIORead(RegDDTP, 8))
		c.MMIOWrite(RegMSITable, 8, ^uint64(0))
		require.Equal(t, uint64(1)<<pas-4, c.MMIORead(RegMSITable, 8))
	}
}

// TestVectorsOfWhatIsThere writes vectors of causes that cannot arise.
func TestVectorsOfWhatIsThere(t *testing.T) {
	for caps, want := range map[uint64]uint64{
		DefaultCapabilities:                   0xf0ff,
		DefaultCapabilities &^ uint64(CapATS): 0xff,
	} {
		c := newIOMMUCore(DefaultIOMMUConfig(), caps)
		c.MMIOWrite(RegICVec, 8, ^uint64(0))
		require.Equal(t, want, c.MMIORead(RegICVec, 8))
	}
}

// TestNewBaseZeroesTheIndex moves queues whose indices software has advanced.
func TestNewBaseZeroesTheIndex(t *testing.T) {
	c := newIOMMUCore(DefaultIOMMUConfig(), DefaultCapabilities)
	for base, index := range map[uint64]uint64{RegCQB: RegCQT, RegFQB: RegFQH, RegPQB: RegPQH} {
		c.MMIOWrite(base, 8, 0x1000>>12<<10|5)
		c.MMIOWrite(index, 4, 3)
		require.EqualValues(t, 3, c.MMIORead(index, 4))
		c.MMIOWrite(base, 8, 0x2000>>12<<10|5)
		require.Zero(t, c.MMIORead(index, 4))
	}
}
