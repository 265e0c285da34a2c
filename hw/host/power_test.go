package host_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
)

const allOnes = ^uint32(0)

// D3hot answers nothing and keeps what the device holds; D3cold loses it, and
// the host puts configuration space back.
func TestPowerStates(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, c *card) {
		b := h.Bus()
		c.forgets = true
		b.Write32(0, 8, 0x1234)
		require.NoError(t, b.SetPower(hw.D3hot))
		require.NoError(t, b.SetPower(hw.D3hot), "again is nothing")
		assert.Equal(t, allOnes, b.Read32(0, 8))
		b.Write32(0, 8, 0x5678)
		assert.Equal(t, hw.Unsupported, c.dma(e, hw.Read, 0x1000, make([]byte, 8)))
		assert.NotEqual(t, allOnes, b.ConfigRead(0, 4), "configuration space answers")
		require.NoError(t, b.SetPower(hw.D0))
		assert.EqualValues(t, 0x1234, b.Read32(0, 8), "state is kept, the write was lost")

		for _, from := range []hw.PowerState{hw.D0, hw.D3hot} {
			require.NoError(t, b.SetPower(from))
			require.NoError(t, b.SetPower(hw.D3cold))
			assert.Equal(t, allOnes, b.ConfigRead(0, 4), "nobody answers without power")
			require.NoError(t, b.SetPower(hw.D0))
			assert.EqualValues(t, 6, b.ConfigRead(4, 2), "the command register is restored")
			assert.Zero(t, b.Read32(0, 8), "the bytes are lost")
			b.Write32(0, 8, 0x1234)
		}
		assert.Error(t, b.SetPower(9))
	})
}

// driver records what the host asks of a driver's error handlers.
type driver struct {
	steps  []string
	answer map[string]hw.Recovery
}

func (d *driver) handlers() *hw.ErrorHandlers {
	step := func(name string) hw.Recovery {
		d.steps = append(d.steps, name)
		if r, ok := d.answer[name]; ok {
			return r
		}
		return hw.Recovered
	}
	return &hw.ErrorHandlers{
		ErrorDetected: func(s hw.ChannelState) hw.Recovery {
			return step([]string{"detected normal", "detected frozen", "dead"}[s])
		},
		MMIOEnabled:  func() hw.Recovery { return step("mmio") },
		SlotReset:    func() hw.Recovery { return step("slot") },
		Resume:       func() { step("resume") },
		ResetPrepare: func() { step("prepare") },
		ResetDone:    func() { step("done") },
		Corrected:    func() { step("corrected") },
	}
}

// Error messages lead to the steps that the kernel's error recovery takes.
func TestErrorRecovery(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    pcie.Error
		answer map[string]hw.Recovery
		steps  []string
		loses  bool
		stats  host.RecoveryStats
	}{
		{"corrected", pcie.ReceiverError, nil, []string{"corrected"}, false, host.RecoveryStats{Corrected: 1}},
		{"not fatal", pcie.CompleterAbort, nil, []string{"detected normal", "resume"}, false, host.RecoveryStats{NonFatal: 1, Recovered: 1}},
		{"not fatal, by registers", pcie.CompleterAbort, map[string]hw.Recovery{"detected normal": hw.CanRecover},
			[]string{"detected normal", "mmio", "resume"}, false, host.RecoveryStats{NonFatal: 1, Recovered: 1}},
		{"not fatal, by reset", pcie.CompleterAbort, map[string]hw.Recovery{"detected normal": hw.CanRecover, "mmio": hw.NeedReset},
			[]string{"detected normal", "mmio", "slot", "resume"}, true, host.RecoveryStats{NonFatal: 1, SlotResets: 1, Recovered: 1}},
		{"fatal", pcie.DataLinkProtocol, map[string]hw.Recovery{"detected frozen": hw.NeedReset},
			[]string{"detected frozen", "slot", "resume"}, true, host.RecoveryStats{Fatal: 1, SlotResets: 1, Recovered: 1}},
		{"fatal, not healed", pcie.DataLinkProtocol, map[string]hw.Recovery{"detected frozen": hw.NeedReset, "slot": hw.Disconnect},
			[]string{"detected frozen", "slot", "dead"}, true, host.RecoveryStats{Fatal: 1, SlotResets: 1, Disconnected: 1}},
		{"fatal, given up", pcie.DataLinkProtocol, map[string]hw.Recovery{"detected frozen": hw.Disconnect},
			[]string{"detected frozen", "dead"}, false, host.RecoveryStats{Fatal: 1, Disconnected: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			withHost(t, func(e *sim.Engine, h *host.Host, card *card) {
				b, d := h.Bus(), &driver{answer: c.answer}
				card.forgets = true
				card.Inject(c.err)
				b.Sleep(1e6)
				require.Empty(t, d.steps, "reporting is off")
				b.ConfigWrite(0x104, 4, allOnes)
				b.SetErrorHandlers(d.handlers())
				b.Write32(0, 8, 0x1234)
				card.Inject(c.err)
				b.Sleep(300e6)
				assert.Equal(t, c.steps, d.steps)
				assert.Equal(t, c.stats, b.ErrorRecovery())
				assert.Zero(t, b.ConfigRead(0x104, 4)|b.ConfigRead(0x110, 4), "what was logged is cleared")
				want := uint32(0x1234)
				if c.loses {
					want = 0
				}
				assert.Equal(t, want, b.Read32(0, 8))
				assert.EqualValues(t, 6, b.ConfigRead(4, 2))
				again := len(d.steps)
				card.Inject(pcie.BadTLP)
				b.Sleep(1e6)
				assert.Len(t, d.steps, again+1, "reporting is on again after a reset")
				b.SetErrorHandlers(nil)
				card.Inject(c.err)
				b.Sleep(1e6)
				assert.Len(t, d.steps, again+1, "and off with the handlers")
			})
		})
	}
}

// Behind a link that is down no reset helps.
func TestErrorsOfADeadLink(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, card *card) {
		d, b := &driver{}, h.Bus()
		handlers := d.handlers()
		detected := handlers.ErrorDetected
		handlers.ErrorDetected = func(s hw.ChannelState) hw.Recovery {
			card.link.Down()
			detected(s)
			return hw.NeedReset
		}
		b.SetErrorHandlers(handlers)
		card.Inject(pcie.DataLinkProtocol)
		b.Sleep(1e6)
		assert.Equal(t, []string{"detected frozen", "dead"}, d.steps)
		b.Disconnect()
		assert.Equal(t, "dead", d.steps[2])
		assert.ErrorIs(t, b.SetPower(hw.D3hot), hw.ErrGone)
		card.link.Up()
	})
}

// A reset by the administrator is bracketed.
func TestResetDevice(t *testing.T) {
	withHost(t, func(e *sim.Engine, h *host.Host, card *card) {
		d, b := &driver{}, h.Bus()
		card.forgets = true
		require.NoError(t, b.ResetDevice(), "without a driver")
		b.SetErrorHandlers(d.handlers())
		b.Write32(0, 8, 1)
		require.NoError(t, b.ResetDevice())
		assert.Equal(t, []string{"prepare", "done"}, d.steps)
		assert.Zero(t, b.Read32(0, 8))
	})
}
