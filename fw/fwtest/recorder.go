package fwtest

import (
	"fmt"
	"slices"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
)

// Recorder is a driver's bus that remembers the last accesses to registers, and
// lets a test come between.
type Recorder struct {
	hw.Bus
	// OnRead, when set, may change what a register read returns; OnWrite drops the
	// write when it returns false.
	OnRead  func(off uint64, v uint64) uint64
	OnWrite func(off uint64, v uint32) bool
	// Mapped are the pages that the driver has mapped for the device, in order.
	Mapped []*hw.Pages
	// Vectors, when above 0, bounds the interrupt vectors that can be had.
	Vectors int

	registers *reg.Space
	last      [recorded]access
	n         int
}

const recorded = 48

type access struct {
	at    int64
	write bool
	off   uint64
	v     uint64
}

func (r *Recorder) note(write bool, off, v uint64) {
	r.last[r.n%recorded] = access{r.Now(), write, off, v}
	r.n++
}

// Last returns the accesses it remembers, oldest first.
func (r *Recorder) Last() (out []string) {
	for i := max(0, r.n-recorded); i < r.n; i++ {
		a := r.last[i%recorded]
		op := "read "
		if a.write {
			op = "write"
		}
		name := "?"
		if f, instance, register := r.registers.NameAt(a.off); f != nil {
			name = fmt.Sprintf("%s[%d].%s", f.Table().Name, instance, register)
		}
		out = append(out, fmt.Sprintf("%12d ns  %s %#08x %-24s %#x", a.at, op, a.off, name, a.v))
	}
	return out
}

// Read32 implements hw.Bus.
func (r *Recorder) Read32(bar int, off uint64) uint32 {
	return uint32(r.read(bar, off, uint64(r.Bus.Read32(bar, off))))
}

// Read64 implements hw.Bus.
func (r *Recorder) Read64(bar int, off uint64) uint64 {
	return r.read(bar, off, r.Bus.Read64(bar, off))
}

func (r *Recorder) read(bar int, off, v uint64) uint64 {
	if bar == abi.BARRegisters {
		if r.OnRead != nil {
			v = r.OnRead(off, v)
		}
		r.note(false, off, v)
	}
	return v
}

// Write32 implements hw.Bus.
func (r *Recorder) Write32(bar int, off uint64, v uint32) {
	if bar == abi.BARRegisters {
		r.note(true, off, uint64(v))
		if r.OnWrite != nil && !r.OnWrite(off, v) {
			return
		}
	}
	r.Bus.Write32(bar, off, v)
}

// AllocVectors implements hw.Bus.
func (r *Recorder) AllocVectors(low, high int) (int, error) {
	if r.Vectors > 0 {
		high = min(high, r.Vectors)
	}
	if high < low {
		return 0, fmt.Errorf("%w: %d wanted, %d can be had", hw.ErrNoVector, low, high)
	}
	return r.Bus.AllocVectors(low, high)
}

// MapDMA implements hw.Bus.
func (r *Recorder) MapDMA(p *hw.Pages, dir hw.Direction) (uint64, error) {
	at, err := r.Bus.MapDMA(p, dir)
	if err == nil {
		r.Mapped = append(r.Mapped, p)
	}
	return at, err
}

// UnmapDMA implements hw.Bus.
func (r *Recorder) UnmapDMA(p *hw.Pages) {
	r.Mapped = slices.DeleteFunc(r.Mapped, func(x *hw.Pages) bool { return x == p })
	r.Bus.UnmapDMA(p)
}
