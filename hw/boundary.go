package hw

// Host is what a device needs of the world outside: the device's end of its
// link. In simulation it is the PCIe link to a simulated host; over vfio-user
// it is the socket to a virtual machine.
type Host interface {
	// Submit serves a DMA request in Space BusAddr. Writes are posted: they
	// become visible in order.
	Target
	// Interrupt sends the MSI-X message of a vector, behind all writes
	// submitted before. Address and data are what the vector's table entry
	// holds; a host that owns the table itself goes by the vector.
	Interrupt(vector int, addr uint64, data uint32)
}

// Function is a device as its host sees it: configuration space and BARs.
// Nothing here takes link time: a link in front of it charges that.
type Function interface {
	// ConfigRead returns size (1, 2, 4) bytes of configuration space at off,
	// all ones outside it.
	ConfigRead(off, size int) uint32
	// ConfigWrite writes size bytes; read-only bits keep their value.
	ConfigWrite(off, size int, v uint32)
	// MMIO serves a request whose Addr is an offset in a BAR. A read that
	// nobody answers yields all ones and status OK, as a root complex gives.
	MMIO(bar int, r *Request)
}

// Meter is an optional part of a Host: it counts the payload of the device's DMA.
// The device's telemetry shows none without it.
type Meter interface {
	// Traffic returns the payload, in bytes, of DMA that ended well.
	Traffic() (received, sent int64)
}

// Peek and Poke are the zero-time back door of a memory, for verification and
// for loading; no timing model uses it.
type Backdoor interface {
	Peek(addr uint64, p []byte)
	Poke(addr uint64, p []byte)
}
