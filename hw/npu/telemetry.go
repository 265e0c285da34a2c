package npu

import (
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
	"github.com/presi-sim/presi/sim"
)

// telemetry is the TELEMETRY block: counters of other blocks, latched together.
type telemetry struct {
	d        *Device
	regs     *reg.File
	counters []counter
}

// counter is one register and the statistics it sums, each "block.name"; ps
// says that they are picoseconds, shown in nanoseconds.
type counter struct {
	register string
	values   []*int64
	ps       bool
}

// sums says which statistics make which register; a block's name is matched
// without its instance number.
var sums = []struct {
	register string
	stats    []string
	ps       bool
}{
	{"CORE_BUSY_NS", []string{"core.busy_ps"}, true},
	{"DMA_BUSY_NS", []string{"dma.busy_ps"}, true},
	{"LINK_RX_BYTES", []string{"pcie.dma_read_bytes"}, false},
	{"LINK_TX_BYTES", []string{"pcie.dma_write_bytes"}, false},
	{"MEM_READ_BYTES", []string{"dram.read_bytes"}, false},
	{"MEM_WRITE_BYTES", []string{"dram.write_bytes"}, false},
	{"JOBS_COMPLETED", []string{"queue.completed"}, false},
	{"JOBS_FAILED", []string{"queue.failed"}, false},
	{"TLB_HITS", []string{"mmu.l1_hits", "mmu.l2_hits"}, false},
	{"TLB_MISSES", []string{"mmu.l2_misses"}, false},
	{"FAULTS", []string{"mmu.faults"}, false},
	{"ECC_CORRECTED", []string{"ecc.corrected"}, false},
	{"ECC_UNCORRECTED", []string{"ecc.uncorrectable"}, false},
}

func newTelemetry(d *Device) *telemetry {
	t := &telemetry{d: d, regs: reg.NewFile(abi.Telemetry)}
	for _, s := range sums {
		t.regs.Ref(s.register)
		t.counters = append(t.counters, counter{s.register, find(&d.e.Stats, s.stats), s.ps})
	}
	t.regs.OnWrite("SNAPSHOT", func(int, uint64, uint64) { t.snapshot() })
	return t
}

// find returns the counters that the names mean, in all instances.
func find(stats *sim.Registry, names []string) (out []*int64) {
	for _, b := range stats.Blocks() {
		block := b.Name
		for len(block) > 0 && block[len(block)-1] >= '0' && block[len(block)-1] <= '9' {
			block = block[:len(block)-1]
		}
		for _, c := range b.Counters {
			for _, n := range names {
				if block+"."+c.Name == n {
					out = append(out, c.Value)
				}
			}
		}
	}
	return out
}

func (t *telemetry) snapshot() {
	t.set("TIMESTAMP_NS", uint64(t.d.e.Now().Nanoseconds()))
	for _, c := range t.counters {
		var sum int64
		for _, v := range c.values {
			sum += *v
		}
		if c.ps {
			sum /= int64(sim.Nanosecond)
		}
		t.set(c.register, uint64(sum))
	}
	temperature, power := t.d.sensors()
	t.set("POWER_MW", uint64(power))
	t.set("TEMPERATURE_MC", uint64(temperature))
}

func (t *telemetry) set(name string, v uint64) { t.regs.Set(t.regs.Ref(name), 0, v) }
