package fwtest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// mutant is a driver with one thing wrong, made by a layer below it.
type mutant struct {
	hw.Bus
	write     func(m *mutant, off uint64, v uint32) bool // false drops the write
	read      func(m *mutant, off uint64, v uint32) uint32
	writeBAR  func(m *mutant, p []byte) bool
	config    func(off int, v uint32) bool
	vectors   bool // it wants all or nothing
	keepsDMA  bool // it forgets to free
	keepsMaps bool
	address   string
	deaf      bool // it registers no error handlers
	awake     bool // it never suspends
	maskless  bool // it asks for no DMA mask
	late      bool // the doorbell comes before the entry
	shadows   []*shadow
	last      uint32
	n         int
}

// shadow is coherent memory whose writes arrive late.
type shadow struct{ seen, real *hw.DMA }

func (m *mutant) Write32(bar int, off uint64, v uint32) {
	if bar == abi.BARRegisters && m.write != nil && !m.write(m, off, v) {
		return
	}
	m.Bus.Write32(bar, off, v)
	if m.late && doorbell(off, "SQ_TAIL") {
		m.Bus.Sleep(20_000)
		for _, s := range m.shadows {
			copy(s.real.Bytes, s.seen.Bytes)
		}
	}
}

func (m *mutant) Read32(bar int, off uint64) uint32 {
	v := m.Bus.Read32(bar, off)
	if bar == abi.BARRegisters && m.read != nil {
		v = m.read(m, off, v)
	}
	return v
}

func (m *mutant) WriteBAR(bar int, off uint64, p []byte) {
	if m.writeBAR == nil || m.writeBAR(m, p) {
		m.Bus.WriteBAR(bar, off, p)
	}
}

func (m *mutant) ConfigWrite(off, size int, v uint32) {
	if m.config == nil || m.config(off, v) {
		m.Bus.ConfigWrite(off, size, v)
	}
}

func (m *mutant) AllocVectors(low, high int) (int, error) {
	if m.vectors {
		low = high
	}
	return m.Bus.AllocVectors(low, high)
}

func (m *mutant) AllocDMA(n int64) (*hw.DMA, error) {
	d, err := m.Bus.AllocDMA(n)
	if err != nil || !m.late {
		return d, err
	}
	if m.n++; m.n%2 == 0 { // a ring's completions follow its entries
		return d, nil
	}
	s := &shadow{&hw.DMA{Bytes: make([]byte, len(d.Bytes)), Addr: d.Addr}, d}
	m.shadows = append(m.shadows, s)
	return s.seen, nil
}

func (m *mutant) FreeDMA(d *hw.DMA) {
	for _, s := range m.shadows {
		if s.seen == d {
			d = s.real
		}
	}
	if !m.keepsDMA {
		m.Bus.FreeDMA(d)
	}
}

func (m *mutant) UnmapDMA(p *hw.Pages) {
	if !m.keepsMaps {
		m.Bus.UnmapDMA(p)
	}
}

func (m *mutant) Address() string {
	if m.address != "" {
		return m.address
	}
	return m.Bus.Address()
}

func (m *mutant) SetErrorHandlers(h *hw.ErrorHandlers) {
	if !m.deaf {
		m.Bus.SetErrorHandlers(h)
	}
}

func (m *mutant) SetPower(to hw.PowerState) error {
	if m.awake && to != hw.D0 {
		return hw.ErrGone
	}
	return m.Bus.SetPower(to)
}

func (m *mutant) SetDMAMask(bits int) error {
	if m.maskless {
		return nil
	}
	return m.Bus.SetDMAMask(bits)
}

// doorbell reports a doorbell of any queue.
func doorbell(off uint64, name string) bool {
	first := abi.Offset(&abi.Doorbell, name)
	return off >= first && (off-first)%abi.DoorbellStride == 0 && off < first+16*abi.DoorbellStride
}

// queueRegister reports a register of any queue.
func queueRegister(off uint64, name string) bool {
	first := abi.Offset(&abi.Queue, name)
	return off >= first && (off-first)%abi.QueueStride == 0 && off < first+16*abi.QueueStride
}

func ident(name string) uint64 { return abi.Offset(&abi.Ident, name) }

func zeros(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// mutants are the broken drivers, each with the statement that catches it.
var mutants = []struct {
	name      string
	statement int
	mutant    mutant
}{
	{"memory of a failed probe is not given back", 2, mutant{keepsDMA: true}},
	{"another address in debugfs", 3, mutant{address: "0000:00:00.0"}},
	{"DMA mappings outlive their buffers", 13, mutant{keepsMaps: true}},
	{"an invalidation is left out", 16, mutant{
		write: func(m *mutant, off uint64, _ uint32) bool {
			if off == abi.Offset(&abi.MMU, "INV_CMD") {
				m.last++
				return false
			}
			return true
		},
		read: func(m *mutant, off uint64, v uint32) uint32 {
			if off == abi.Offset(&abi.MMU, "INV_DONE") {
				return m.last
			}
			return v
		}}},
	{"entries of a page table are not cleared", 16, mutant{writeBAR: func(_ *mutant, p []byte) bool { return len(p) > 4096 || !zeros(p) }}},
	{"submission allocates", 17, mutant{write: func(m *mutant, off uint64, _ uint32) bool {
		if !doorbell(off, "SQ_TAIL") {
			return true
		}
		d, err := m.Bus.AllocDMA(64)
		if err == nil {
			m.Bus.FreeDMA(d)
		}
		return err == nil
	}}},
	{"every seventh doorbell is not rung", 18, mutant{write: func(m *mutant, off uint64, _ uint32) bool {
		if doorbell(off, "SQ_TAIL") {
			m.n++
			return m.n%7 != 0
		}
		return true
	}}},
	{"the doorbell is rung before the entry is written", 19, mutant{late: true}},
	{"completions are not acknowledged", 19, mutant{write: func(_ *mutant, off uint64, _ uint32) bool { return !doorbell(off, "CQ_HEAD") }}},
	{"a queue in error is not resumed", 18, mutant{write: func(_ *mutant, off uint64, v uint32) bool {
		return !queueRegister(off, "CTRL") || v&2 == 0
	}}},
	{"progress is not looked at", 20, mutant{read: func(_ *mutant, off uint64, v uint32) uint32 {
		if queueRegister(off, "PROGRESS") {
			return 0
		}
		return v
	}}},
	{"a time-out resets nothing", 20, mutant{
		write: func(m *mutant, off uint64, v uint32) bool {
			if off == ident("RESET_CTRL") {
				m.n++
				return m.n < 2 // that of probe
			}
			return true
		},
		read: func(m *mutant, off uint64, v uint32) uint32 {
			if off == ident("RESET_STATUS") {
				return abi.ResetDone
			}
			return v
		}}},
	{"all interrupt vectors or none", 24, mutant{vectors: true}},
	{"the device stays bus master after remove", 24, mutant{config: func(off int, v uint32) bool { return off != 4 || v != 0 }}},
	{"errors of the bus are not handled", 25, mutant{deaf: true}},
	{"the DMA mask is not asked for", 24, mutant{maskless: true}},
	{"an idle device is not suspended", 26, mutant{awake: true}},
	{"sensors are not latched", 29, mutant{write: func(_ *mutant, off uint64, _ uint32) bool { return off != abi.Offset(&abi.Telemetry, "SNAPSHOT") }}},
	{"time-outs are those of silicon everywhere", 30, mutant{read: func(_ *mutant, off uint64, v uint32) uint32 {
		if off == ident("PLATFORM") {
			return abi.PlatformSilicon
		}
		return v
	}}},
}

// The suite catches drivers that are broken on purpose, by the statement that
// they break.
func TestMutants(t *testing.T) {
	statements := map[int]bool{}
	for _, x := range mutants {
		t.Run(x.name, func(t *testing.T) {
			open := fwtest.InProcess(fwtest.Broken(func(b hw.Bus) hw.Bus {
				m := x.mutant
				m.Bus = b
				return &m
			}))
			var caught []string
			s := fwtest.Statements[x.statement-1]
			require.Equal(t, x.statement, s.Number)
			for _, test := range s.Tests {
				if r := fwtest.Execute(test.Name, func(t fwtest.TB) { test.Execute(t, open) }); r.Failed {
					caught = append(caught, test.Name)
				}
			}
			assert.NotEmpty(t, caught, "statement %d does not catch it", x.statement)
			t.Log(caught)
		})
		statements[x.statement] = true
	}
	assert.GreaterOrEqual(t, len(statements), 10)
}
