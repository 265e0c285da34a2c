// Package abi is what crosses the boundary between device and software: the
// register tables, ring entries, packets, kernel descriptors and uAPI structs.
// Layouts are written by hand, little-endian, with explicit padding, and have
// no behaviour; tests pin every size and offset. A reserved field that is not
// zero is an error.
package abi

// PCI identity.
const (
	VendorID  = 0x1234
	DeviceID  = 0xacc1
	ClassCode = 0x120000 // processing accelerator
	HWVersion = 1        // also the PCI revision
	Version   = 1        // of this interface
)

// BAR numbers.
const (
	BARRegisters = 0
	BARMemory    = 2
	BARMSIX      = 4
)

// RegistersSize is the size of BAR0 in bytes.
const RegistersSize = 2 << 20

// VectorEvents is the MSI-X vector of faults, reset and thermal events; queue
// q's completions have vector 1 + q unless the queue names another.
const VectorEvents = 0

// DType numbers element types, as in the uAPI.
type DType uint8

// Element types.
const (
	F32 DType = iota
	F64
	BF16
	I8
	I32
	NumDTypes
)

var dtypes = [NumDTypes]struct {
	name string
	size int
}{{"f32", 4}, {"f64", 8}, {"bf16", 2}, {"int8", 1}, {"int32", 4}}

func (d DType) String() string {
	if d >= NumDTypes {
		return "?"
	}
	return dtypes[d].name
}

// Size returns bytes an element.
func (d DType) Size() int { return dtypes[d].size }
