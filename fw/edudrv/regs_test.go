package edudrv

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/presi-sim/presi/hw/edu"
)

// The driver's offsets and bits are those of the card's table.
func TestRegistersAreTheCards(t *testing.T) {
	offsets, bits := map[string]uint64{}, map[string]uint64{}
	for _, r := range edu.Registers.Registers {
		offsets[r.Name] = r.Offset
		for _, f := range r.Fields {
			bits[r.Name+"."+f.Name] = f.Mask()
		}
	}
	assert.Equal(t, map[string]uint64{
		"IDENTIFICATION": regIdentification, "LIVENESS": regLiveness, "FACTORIAL": regFactorial, "STATUS": regStatus,
		"INTERRUPT_STATUS": regCauses, "INTERRUPT_RAISE": 0x60, "INTERRUPT_ACKNOWLEDGE": regAcknowledge,
		"DMA_SOURCE": regSource, "DMA_DESTINATION": regDestination, "DMA_COUNT": regCount, "DMA_COMMAND": regCommand,
	}, offsets)
	assert.Equal(t, map[string]uint64{
		"STATUS.COMPUTING": statusComputing, "STATUS.INTERRUPT": statusInterrupt,
		"DMA_COMMAND.RUN": dmaRun, "DMA_COMMAND.TO_HOST": dmaToHost, "DMA_COMMAND.INTERRUPT": dmaInterrupt,
	}, bits)
	assert.Equal(t, []int{edu.VendorID, edu.DeviceID, edu.Buffer, edu.BufferBytes, edu.MaskBits, edu.CauseFactorial, edu.CauseDMA},
		[]int{vendorID, deviceID, cardBuffer, cardBytes, dmaBits, causeFactorial, causeDMA})
}
