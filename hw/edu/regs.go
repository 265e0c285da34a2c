package edu

import "github.com/presi-sim/presi/hw/reg"

// Numbers of the card.
const (
	VendorID = 0x1234
	DeviceID = 0x11e8

	BARSize      = 1 << 20
	Buffer       = 0x40000 // where DMA finds the card's own memory
	BufferBytes  = 4096
	MaskBits     = 28 // of DMA addresses
	wideRegister = 0x80
)

// Bits of INTERRUPT_STATUS that the card itself sets.
const (
	CauseFactorial = 0x001
	CauseDMA       = 0x100
)

// Bits of STATUS.
const (
	statusComputing = 0x01
	statusInterrupt = 0x80
)

// Bits of DMA_COMMAND.
const (
	commandRun       = 1 << 0
	commandToHost    = 1 << 1
	commandInterrupt = 1 << 2
)

// Registers is the card's map, in BAR0.
var Registers = reg.Table{
	Name: "EDU", Size: 0xa0,
	Text: "Registers below 0x80 take accesses of 4 bytes, those above of 4 or 8. Everything else reads all ones and ignores writes, " +
		"and so do reads of WO registers.",
	Registers: []reg.Register{
		{Offset: 0x00, Name: "IDENTIFICATION", Size: 4, Access: reg.RO, Reset: 0x010000ed, Text: "0xRRrr00ed: major and minor version"},
		{Offset: 0x04, Name: "LIVENESS", Size: 4, Text: "reads as what was written, inverted"},
		{Offset: 0x08, Name: "FACTORIAL", Size: 4, Text: "a write starts the computation of the value's factorial, modulo 2^32, " +
			"unless one is under way; the result stands here when COMPUTING is clear"},
		{Offset: 0x20, Name: "STATUS", Size: 4, Fields: []reg.Field{
			{Name: "COMPUTING", Hi: 0, Lo: 0, Access: reg.RO, Text: "a factorial is under way"},
			{Name: "INTERRUPT", Hi: 7, Lo: 7, Text: "raise interrupt 0x1 at its end"},
		}},
		{Offset: 0x24, Name: "INTERRUPT_STATUS", Size: 4, Access: reg.RO, Text: "what has raised the interrupt: 0x1 a factorial, 0x100 a transfer, " +
			"and whatever was written to INTERRUPT_RAISE"},
		{Offset: 0x60, Name: "INTERRUPT_RAISE", Size: 4, Access: reg.WO, Text: "sets bits of INTERRUPT_STATUS and sends the interrupt"},
		{Offset: 0x64, Name: "INTERRUPT_ACKNOWLEDGE", Size: 4, Access: reg.WO, Text: "clears bits of INTERRUPT_STATUS"},
		{Offset: 0x80, Name: "DMA_SOURCE", Size: 8, Text: "a bus address, or 0x40000 on for the card's buffer of 4096 bytes"},
		{Offset: 0x88, Name: "DMA_DESTINATION", Size: 8, Text: "likewise"},
		{Offset: 0x90, Name: "DMA_COUNT", Size: 8, Text: "bytes"},
		{Offset: 0x98, Name: "DMA_COMMAND", Size: 8, Text: "a write without RUN is ignored; while RUN is set so are writes to all DMA registers", Fields: []reg.Field{
			{Name: "RUN", Hi: 0, Lo: 0, Text: "starts a transfer; clear when it has ended"},
			{Name: "TO_HOST", Hi: 1, Lo: 1, Text: "from the card to the host rather than from the host to the card"},
			{Name: "INTERRUPT", Hi: 2, Lo: 2, Text: "raise interrupt 0x100 at its end"},
		}},
	},
}
