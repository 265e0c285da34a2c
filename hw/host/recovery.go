package host

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/pcie"
)

// Advanced error reporting (PCI Express 5.0, sections 6.2 and 7.8.4).
const (
	capAER        = 0x0001 // extended
	extended      = 0x100  // where extended capabilities begin
	aerUncorrect  = 0x04
	aerCorrected  = 0x10
	devCtlReports = 0x7 // correctable, non-fatal, fatal
)

// RecoveryStats counts what the host's error recovery has done.
type RecoveryStats struct {
	Corrected, NonFatal, Fatal int64 // messages handled
	SlotResets                 int64
	Recovered, Disconnected    int64
}

// recovery serves the error messages of the function, as a root port's driver
// does (Linux, drivers/pci/pcie/err.c).
type recovery struct {
	handlers *hw.ErrorHandlers
	worst    pcie.Severity // that waits to be served
	running  bool
	stats    RecoveryStats
}

// ErrorRecovery returns the counters of error recovery.
func (b *Bus) ErrorRecovery() RecoveryStats { return b.aer.stats }

// SetErrorHandlers implements hw.Bus. The PCI core turns reporting on when it
// enumerates, long before a driver's probe: it takes no time here.
func (b *Bus) SetErrorHandlers(h *hw.ErrorHandlers) {
	b.aer.handlers = h
	fn := b.link.Function()
	if fn == nil {
		return
	}
	at := findCapability(fn.ConfigRead, capExpress)
	if at == 0 {
		return
	}
	control := fn.ConfigRead(at+devCtl, 2) &^ (devCtlReports | devCtlFLR)
	if h != nil {
		control |= devCtlReports
	}
	fn.ConfigWrite(at+devCtl, 2, control)
}

// arrived takes an error message. One thread serves them; of those that come
// meanwhile the worst is served next.
func (x *recovery) arrived(b *Bus) func(pcie.Severity) {
	return func(s pcie.Severity) {
		x.worst = max(x.worst, s)
		if x.running {
			return
		}
		x.running = true
		b.Spawn("aer", true, func() {
			for x.worst != pcie.Silent {
				s := x.worst
				x.worst = pcie.Silent
				b.serveError(s)
			}
			x.running = false
		})
	}
}

// serveError reads and clears what the function logged, and has the driver
// recover.
func (b *Bus) serveError(s pcie.Severity) {
	x := &b.aer
	if b.power.state != hw.D0 {
		return
	}
	if at := b.extended(capAER); at != 0 {
		for _, status := range []int{at + aerUncorrect, at + aerCorrected} {
			b.ConfigWrite(status, 4, b.ConfigRead(status, 4))
		}
	}
	h := x.handlers
	if h == nil {
		return
	}
	switch s {
	case pcie.Correctable:
		x.stats.Corrected++
		if h.Corrected != nil {
			h.Corrected()
		}
	case pcie.NonFatal:
		x.stats.NonFatal++
		b.recover(h, hw.ChannelNormal)
	case pcie.Fatal:
		x.stats.Fatal++
		b.recover(h, hw.ChannelFrozen)
	}
}

// recover runs the steps of a recovery (pcie_do_recovery).
func (b *Bus) recover(h *hw.ErrorHandlers, channel hw.ChannelState) {
	x := &b.aer
	verdict := hw.Recovered
	if h.ErrorDetected != nil {
		verdict = h.ErrorDetected(channel)
	}
	if verdict == hw.CanRecover && channel == hw.ChannelNormal {
		verdict = ask(h.MMIOEnabled)
	}
	if verdict == hw.NeedReset || channel == hw.ChannelFrozen && verdict != hw.Disconnect {
		if verdict = hw.Disconnect; b.slotReset() {
			verdict = ask(h.SlotReset)
		}
	}
	if verdict != hw.Recovered {
		b.disconnect(h)
		return
	}
	x.stats.Recovered++
	if h.Resume != nil {
		h.Resume()
	}
}

func ask(step func() hw.Recovery) hw.Recovery {
	if step == nil {
		return hw.Recovered
	}
	return step()
}

// disconnect is the end of a recovery that failed.
func (b *Bus) disconnect(h *hw.ErrorHandlers) {
	b.aer.stats.Disconnected++
	if h.ErrorDetected != nil {
		h.ErrorDetected(hw.ChannelDead)
	}
}

// Disconnect reports an error that is permanent to the driver, as a hot-plug
// controller does that finds the link gone. It runs in a process.
func (b *Bus) Disconnect() {
	if h := b.aer.handlers; h != nil {
		b.disconnect(h)
	}
}

// slotReset resets the link and what is behind it (a secondary bus reset), and
// restores configuration space. It reports whether the function answers again.
func (b *Bus) slotReset() bool {
	if b.link.IsDown() {
		return false
	}
	b.aer.stats.SlotResets++
	saved := b.saveConfig()
	b.link.Down()
	b.restart(false)
	b.Sleep(resetDelay)
	b.link.Up()
	if b.ConfigRead(0, 4) == ^uint32(0) {
		return false
	}
	b.restoreConfig(saved)
	return true
}

// ResetDevice is a function-level reset that an administrator asks for (sysfs's
// reset): the driver is told before and after.
func (b *Bus) ResetDevice() error {
	h := b.aer.handlers
	if h != nil && h.ResetPrepare != nil {
		h.ResetPrepare()
	}
	err := b.ResetFunction()
	if h != nil && h.ResetDone != nil {
		h.ResetDone()
	}
	return err
}

// extended returns the offset of an extended capability, 0 if there is none.
func (b *Bus) extended(id uint32) int {
	at := extended
	for hops := 0; at >= extended && hops < 960; hops++ {
		head := b.ConfigRead(at, 4)
		if head == 0 || head == ^uint32(0) {
			return 0
		}
		if head&0xffff == id {
			return at
		}
		at = int(head >> 20)
	}
	return 0
}
