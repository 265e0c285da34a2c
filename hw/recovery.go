package hw

// PowerState is a state of a function (PCI Bus Power Management 1.2, section 5).
type PowerState uint8

// Power states. D1 and D2 are optional and not modelled.
const (
	D0     PowerState = iota // works
	D3hot                    // no access is answered, no DMA, no interrupt; state is kept
	D3cold                   // without power: all state is lost
)

// ChannelState is what has become of the way to a function after an error
// (Documentation/PCI/pci-error-recovery.rst).
type ChannelState uint8

// Channel states.
const (
	ChannelNormal ChannelState = iota // accesses work
	ChannelFrozen                     // accesses are blocked until a reset
	ChannelDead                       // for good
)

// Recovery is what a driver asks of the host after an error, or its verdict on
// a step (pci_ers_result).
type Recovery uint8

// Answers of error handlers.
const (
	CanRecover Recovery = iota // without a reset
	NeedReset
	Recovered
	Disconnect // it gives the device up
)

// ErrorHandlers are what a driver does about errors that the host reports and
// resets that the host makes (pci_error_handlers). All run in a process; a nil
// function is one that has nothing to do and agrees.
type ErrorHandlers struct {
	// ErrorDetected comes first. The driver keeps off the hardware until a later
	// step says otherwise, unless the channel is normal.
	ErrorDetected func(ChannelState) Recovery
	// MMIOEnabled follows CanRecover: registers may be read.
	MMIOEnabled func() Recovery
	// SlotReset follows a reset of the link: configuration space is restored, the
	// rest is as after power-on.
	SlotReset func() Recovery
	// Resume ends a recovery that succeeded.
	Resume func()
	// ResetPrepare and ResetDone bracket a function-level reset that is not the
	// driver's own.
	ResetPrepare, ResetDone func()
	// Corrected is told of corrected errors.
	Corrected func()
}
