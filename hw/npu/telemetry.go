package npu

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// telemetry is the TELEMETRY block: counters of other blocks, latched together.
type telemetry struct {
	d       *Device
	regs    *reg.File
	latches []latch
}

// latch is one register and where its value comes from.
type latch struct {
	ref   reg.Ref
	value func(d *Device) int64
}

// counters says where each register's value comes from.
var counters = []struct {
	register string
	value    func(d *Device) int64
}{
	{"TIMESTAMP_NS", func(d *Device) int64 { return d.e.Now().Nanoseconds() }},
	{"CORE_BUSY_NS", func(d *Device) int64 { return sim.Time(d.cores.Total().Busy).Nanoseconds() }},
	{"DMA_BUSY_NS", func(d *Device) int64 { return sim.Time(d.dma.Stats().Busy).Nanoseconds() }},
	{"LINK_RX_BYTES", func(d *Device) int64 { received, _ := d.traffic(); return received }},
	{"LINK_TX_BYTES", func(d *Device) int64 { _, sent := d.traffic(); return sent }},
	{"MEM_READ_BYTES", func(d *Device) int64 { return d.dram.Stats.ReadBytes }},
	{"MEM_WRITE_BYTES", func(d *Device) int64 { return d.dram.Stats.WriteBytes }},
	{"JOBS_COMPLETED", func(d *Device) int64 { return d.queues.Stats().Completed }},
	{"JOBS_FAILED", func(d *Device) int64 { return d.queues.Stats().Failed }},
	{"TLB_HITS", func(d *Device) int64 { s := d.mmu.Stats(); return s.L1Hits + s.L2Hits }},
	{"TLB_MISSES", func(d *Device) int64 { return d.mmu.Stats().L2Misses }},
	{"FAULTS", func(d *Device) int64 { return d.mmu.Stats().Faults }},
	{"ECC_CORRECTED", func(d *Device) int64 { return d.ecc.corrected }},
	{"ECC_UNCORRECTED", func(d *Device) int64 { return d.ecc.uncorrectable }},
}

func newTelemetry(d *Device) *telemetry {
	t := &telemetry{d: d, regs: reg.NewFile(abi.Telemetry)}
	for _, c := range counters {
		t.latches = append(t.latches, latch{t.regs.Ref(c.register), c.value})
	}
	power, temperature := t.regs.Ref("POWER_MW"), t.regs.Ref("TEMPERATURE_MC")
	t.regs.OnWrite("SNAPSHOT", func(int, uint64, uint64) {
		for _, l := range t.latches {
			t.regs.Set(l.ref, 0, uint64(l.value(d)))
		}
		mC, mW := d.sensors()
		t.regs.Set(power, 0, uint64(mW))
		t.regs.Set(temperature, 0, uint64(mC))
	})
	return t
}

// traffic returns the payload that the device has received and sent over its
// link; nothing behind a host that does not count it.
func (d *Device) traffic() (received, sent int64) {
	if link, ok := d.host.(hw.Meter); ok {
		return link.Traffic()
	}
	return 0, 0
}
