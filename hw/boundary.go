package hw

import "github.com/presi-sim/presi/sim"

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
	// ConventionalReset is a reset from outside: cold when power comes back, which
	// leaves nothing, else hot. done fires when the function answers again.
	ConventionalReset(cold bool, done sim.Call)
}

// What follows is optional. Who meets a Host or a Target asks it for these by
// type, and each says what happens when it is not there. Implementers assert
// that they have them.

// Meter is a Host that counts the payload of the device's DMA. The device's
// telemetry shows none without it.
type Meter interface {
	// Traffic returns the payload, in bytes, of DMA that ended well.
	Traffic() (received, sent int64)
}

// Awaiter is a Host that knows whether the device's reads are outstanding.
// Without it Transactions Pending shows during resets alone.
type Awaiter interface {
	ReadsPending() bool
}

// Unpluggable is a Host whose link can be lost: what is under way ends with
// errors, and nobody reaches anybody until it is back. Without it a fault that
// takes the link away does nothing.
type Unpluggable interface {
	Down()
	Up()
}

// Chaotic is a Host, or what stands behind one, that can delay as far as the rules
// of ordering let it. Chaos mode leaves others alone.
type Chaotic interface {
	// Chaos turns the delays on, with streams of a seed.
	Chaos(seed uint64)
}

// Ahead is a Target that can take a request before it arrives, which saves the
// event that would hold it back. Without it requests are submitted as they arrive.
type Ahead interface {
	Target
	// SubmitIn is Submit of a request that arrives d from now. It returns false, and
	// leaves the request alone, if the target must see it when it arrives.
	SubmitIn(r *Request, d sim.Time) bool
}

// InOrder is a Target that can itself make writes visible in the order of
// Submit, so that many may be under way. A link hands any other a write when the
// one before it is done.
type InOrder interface {
	Target
	WritesInOrder() bool
}
