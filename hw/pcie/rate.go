package pcie

import (
	"math/bits"

	"github.com/presi-sim/presi/sim"
)

// generation is the physical and link layer of one generation.
type generation struct {
	megaTransfers int64 // a second and lane
	num, den      int64 // payload share of the line code, or of a flit
	internalDelay int64 // symbols, in the acknowledgement limits (tables 3-7 to 3-9)
	flit          bool
}

// generations by number. Generation 6 sends flits of 256 bytes with 236 bytes
// of TLPs; link-layer messages travel inside the flit.
var generations = [...]generation{
	1: {2500, 8, 10, 19, false},
	2: {5000, 8, 10, 70, false},
	3: {8000, 128, 130, 115, false},
	4: {16000, 128, 130, 115, false},
	5: {32000, 128, 130, 115, false},
	6: {64000, 236, 256, 0, true},
}

// widths that a link may have, with the AckFactor in tenths at payloads of up
// to 256 bytes and above (tables 3-7 to 3-9).
var widths = []struct {
	lanes        int
	small, large int64
}{
	{1, 14, 10},
	{2, 14, 10},
	{4, 14, 10},
	{8, 25, 10},
	{16, 30, 20},
}

// Link-layer traffic that TLPs share the wire with.
const (
	dllpBytes   = 8  // an Ack or UpdateFC DLLP with its framing
	tlpOverhead = 28 // what the specification's limits add to the payload
	skipLength  = 4  // symbols of a SKP ordered set …
	skipEvery   = 1538
)

// wire is what TLPs cost beside their payload: header, framing, sequence number
// and LCRC. 64-bit addresses, no ECRC.
type wire struct {
	write, read, completion int64 // MWr, MRd, Cpl and CplD
	configRead, configWrite int64 // CfgRd0, CfgWr0 without and with its data
	prefix                  int64 // the PASID TLP prefix
}

var (
	framedWire = wire{write: 24, read: 24, completion: 20, configRead: 20, configWrite: 24, prefix: 4}
	flitWire   = wire{write: 16, read: 16, completion: 12, configRead: 12, configWrite: 16, prefix: 4}
)

func (c *Config) wire() wire {
	if generations[c.Generation].flit {
		return flitWire
	}
	return framedWire
}

// RawRate returns what one direction carries after the line code.
func (c *Config) RawRate() sim.Rate {
	g := generations[c.Generation]
	return sim.Rate(g.megaTransfers * 1_000_000 * int64(c.Lanes) / 8 * g.num / g.den)
}

// TLPRate returns what one direction leaves for TLPs: the raw rate without one
// Ack and one UpdateFC each acknowledgement limit and without SKP ordered sets.
// A flit has its own room for the former, so there only SKP is taken off.
func (c *Config) TLPRate() sim.Rate {
	raw := int64(c.RawRate())
	if generations[c.Generation].flit {
		return sim.Rate(raw / skipEvery * (skipEvery - skipLength))
	}
	limit := c.ackLimit()
	taken := 2*dllpBytes*skipEvery + skipLength*limit // in limit × skipEvery parts
	whole := limit * skipEvery
	return sim.Rate(raw/whole*(whole-taken) + raw%whole*(whole-taken)/whole)
}

// ackLimit returns the acknowledgement latency limit in symbols; the
// recommended interval of flow-control updates is the same (sections 3.6.3.1
// and 2.6.1.2).
func (c *Config) ackLimit() int64 {
	for _, w := range widths {
		if w.lanes == c.Lanes {
			factor := w.small
			if c.MPS > 256 {
				factor = w.large
			}
			return (int64(c.MPS)+tlpOverhead)*factor/(10*int64(c.Lanes)) + generations[c.Generation].internalDelay
		}
	}
	return 1
}

// pieces returns into how many pieces [addr, addr+n) falls when it is cut at
// multiples of size, a power of two. Nothing still is one piece: a zero-length
// access.
func pieces(addr uint64, n, size int64) int64 {
	if n <= 0 {
		return 1
	}
	first := int64(addr & uint64(size-1))
	return (first + n + size - 1) >> bits.TrailingZeros64(uint64(size))
}

// chunk is what completions are cut to.
func (c *Config) chunk() int64 {
	if c.RCBChunks {
		return int64(c.RCB)
	}
	return int64(c.MPS)
}
