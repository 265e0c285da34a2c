package host

import (
	"fmt"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/alloc"
)

// Bus addresses of DMA mappings. A device gets them above 4 GiB, so that one that
// drops high bits is caught, and within Sv39's lower half; a device whose mask
// does not reach so far gets them below what the host takes for messages.
const (
	lowStart  = 1 << 20 // what firmware of a PC keeps for itself
	lowEnd    = messageAddress
	highStart = 4 << 30
	busBits   = 38
	highEnd   = 1 << busBits
)

// busAddresses hands out bus addresses below the device's mask.
type busAddresses struct {
	low, high *alloc.Ranges
	end       uint64 // beyond the last address that the device drives
}

func newBusAddresses() busAddresses {
	return busAddresses{low: alloc.New(lowStart, lowEnd), high: alloc.New(highStart, highEnd), end: highEnd}
}

// mask bounds what is handed out from now on.
func (x *busAddresses) mask(bits int) error {
	if bits < 0 || bits < busBits && 1<<bits <= lowStart {
		return fmt.Errorf("%w: %d bits, bus addresses here start at %#x", hw.ErrMask, bits, lowStart)
	}
	x.end = 1 << min(bits, busBits)
	return nil
}

// take returns n bytes of bus addresses.
func (x *busAddresses) take(n, align uint64) (uint64, bool) {
	space := x.high
	if x.end <= highStart {
		space = x.low
	}
	at, ok := space.Take(n, align) // the lowest there is: if it is too high, all are
	if ok && at+n > x.end {
		space.Give(at, n)
		return 0, false
	}
	return at, ok
}

func (x *busAddresses) give(at, n uint64) {
	if at < highStart {
		x.low.Give(at, n)
		return
	}
	x.high.Give(at, n)
}

// used returns the bytes that are out.
func (x *busAddresses) used() uint64 {
	return lowEnd - lowStart - x.low.Left() + highEnd - highStart - x.high.Left()
}
