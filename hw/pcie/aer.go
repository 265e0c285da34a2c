package pcie

import "math/bits"

// Error is a bit of the uncorrectable or correctable error status register.
type Error struct {
	Bit         int
	Correctable bool
	Header      [4]uint32 // of the TLP, with errors that have one
}

// Errors of section 7.8.4 that models inject.
var (
	DataLinkProtocol    = Error{Bit: 4}
	PoisonedTLP         = Error{Bit: 12}
	CompletionTimeout   = Error{Bit: 14}
	CompleterAbort      = Error{Bit: 15}
	UnexpectedCompleter = Error{Bit: 16}
	MalformedTLP        = Error{Bit: 18}
	UnsupportedRequest  = Error{Bit: 20}
	InternalError       = Error{Bit: 22}
	ReceiverError       = Error{Bit: 0, Correctable: true}
	BadTLP              = Error{Bit: 6, Correctable: true}
	BadDLLP             = Error{Bit: 7, Correctable: true}
	ReplayTimeout       = Error{Bit: 12, Correctable: true}
)

// Severity is the error message that goes to the root port.
type Severity uint8

// Severities, as messages (section 2.2.8.3).
const (
	Silent Severity = iota // masked, or reporting is off
	Correctable
	NonFatal
	Fatal
)

// Inject records an error as the function that detected it does (section
// 6.2.5) and returns the message that it causes.
func (f *Function) Inject(err Error) Severity {
	s := f.log(err)
	if s != Silent && f.onError != nil {
		f.onError(err, s)
	}
	return s
}

func (f *Function) log(err Error) Severity {
	bit := uint32(1) << err.Bit
	if err.Correctable {
		return f.detect(bit&correctable, regCEStatus, regCEMask, Correctable)
	}
	bit &= uncorrectable
	severity := NonFatal
	if f.cfg.get(regUESev, 4)&bit != 0 {
		severity = Fatal
	}
	if bit == 1<<20 {
		f.cfg.set(regDevSta, 2, devStaUnsupported, devStaUnsupported)
	}
	if f.cfg.get(regUEStatus, 4) == 0 && f.cfg.get(regUEMask, 4)&bit == 0 && bit != 0 {
		f.logFirst(bit, err.Header)
	}
	return f.detect(bit, regUEStatus, regUEMask, severity)
}

// logFirst keeps which error came first, and its TLP's header.
func (f *Function) logFirst(bit uint32, header [4]uint32) {
	f.cfg.set(regAERCtl, 4, 0x1f, uint32(bits.TrailingZeros32(bit)))
	for i, w := range header {
		f.cfg.set(regHeaderLog+4*i, 4, all, w)
	}
}

// detect sets the status bits of an error and decides on the message: its mask,
// then its enable in DevCtl or, for uncorrectable ones, SERR in COMMAND.
func (f *Function) detect(bit uint32, status, mask int, s Severity) Severity {
	if bit == 0 {
		return Silent
	}
	class := uint32(1) << (s - 1) // the same order in DevSta and DevCtl
	f.cfg.set(status, 4, bit, bit)
	f.cfg.set(regDevSta, 2, class, class)
	enabled := f.cfg.get(regDevCtl, 2)&class != 0 || s != Correctable && f.command(commandSERR)
	if f.cfg.get(mask, 4)&bit != 0 || !enabled {
		return Silent
	}
	if s != Correctable && f.command(commandSERR) {
		f.cfg.set(regStatus, 2, statusSignalled, statusSignalled)
	}
	return s
}
