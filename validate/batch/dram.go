package batch

import "github.com/presi-sim/presi/hw/mem"

// MaxTransactions of a row.
const MaxTransactions = 100_000_000

// DRAMResult is what a row of the batch DRAM gives.
type DRAMResult = mem.Measurement

// DRAM replays traffic on memory controllers.
var DRAM = Kind{
	Name: "mem",
	Header: Header{
		Columns: []Column{
			{Name: "device", Doc: "preset of a memory device"},
			{Name: "map", Doc: "address map, fields from the most to the least significant"},
			{Name: "pattern", Doc: "seq, rand, triad, stride<S> or conflict<K>, with _rd, _wr or _rw21 behind"},
			{Name: "mode", Doc: "sat, mlp<K> (at most K reads outstanding, writes as they find room) or rate<P>"},
			{Name: "n", Doc: "transactions"},
		},
		Ignored: []string{"sim", "tx_B", "tCK_ns", "cycles", "bw_GBps", "peak_GBps", "pct_peak", "rdlat_mean_ns",
			"rdlat_p50_ns", "rdlat_p99_ns", "acts", "rowhit_rate"},
	},
	Measure: func(r *Row) any {
		cfg := mem.Config{Device: r.Text("device"), Map: r.Text("map")}
		pattern, mode := r.Text("pattern"), r.Text("mode")
		if cfg.Map == "" { // for the model that is a default
			r.Bad("map", "an address map, such as robabgracoch")
		}
		for _, fault := range cfg.Validate() {
			r.Fault(fault, nil)
		}
		p, err := mem.ParsePattern(pattern)
		if err == nil {
			err = p.On(cfg.Device)
		}
		r.Wrong("pattern", err)
		_, err = mem.ParseMode(mode)
		r.Wrong("mode", err)
		n := r.Int("n", 1, MaxTransactions)
		if r.Err() != nil {
			return nil
		}
		m, err := mem.Replay(r.stopped, cfg, pattern, mode, n)
		r.Fault(err, nil)
		return m
	},
}
