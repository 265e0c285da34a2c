package batch

import (
	"math"

	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/validate/rig"
)

// unvalidated is the first generation whose link is held against no reference.
const unvalidated = 6

// PCIeResult is what a row of the batch PCIe gives.
type PCIeResult struct {
	rig.LinkRates
	Unvalidated bool `json:"unvalidated,omitempty"`
}

// PCIe saturates links by the DMA engine.
var PCIe = Kind{
	Name: "pcie",
	Header: Header{
		Columns: []Column{
			{Name: "gen", Doc: "generation, as gen4; gen6 is not validated"},
			{Name: "lanes", Doc: "width, as x8"},
			{Name: "mps", Doc: "maximum payload of a TLP, bytes"},
			{Name: "mrrs", Doc: "maximum read request, bytes"},
			{Name: "rcb", Doc: "read completion boundary, bytes"},
			{Name: "rcb_chunks", Doc: "1: completions come in pieces of rcb; 0: of mps"},
			{Name: "size_B", Doc: "bytes of a DMA request"},
			{Name: "tags", Optional: true, Doc: "reads outstanding; unlimited if not given"},
			{Name: "rtt_ns", Optional: true, Doc: "round trip of one read request alone"},
		},
		Ignored: []string{"addr_bits", "raw_Gbps", "tlp_Gbps", "wr_Gbps", "wr_Mtps", "rd_Gbps", "rd_Mtps",
			"rdwr_each_Gbps", "rdwr_Mtps", "wr_wire_B", "rd_tx_wire_B", "rd_rx_wire_B"},
		AnyOther: true,
	},
	Repeat: true,
	Measure: func(r *Row) any {
		l := PCIeLink(r)
		columns := map[string]string{"pcie.completion_credits": "mrrs"}
		r.Fault(l.Validate(), columns)
		if r.Err() != nil {
			return nil
		}
		m, err := l.Measure()
		r.Fault(err, columns)
		return PCIeResult{m, l.Generation >= unvalidated}
	},
}

// PCIeLink returns a row's point. Credits are unlimited.
func PCIeLink(r *Row) rig.Link {
	bytes := func(column string) sim.Bytes { return sim.Bytes(r.Int(column, 1, math.MaxInt32)) }
	l := rig.Link{Config: pcie.DefaultConfig()}
	l.Generation = int(r.prefixed("gen", "gen", 1, 6))
	l.Lanes = int(r.prefixed("lanes", "x", 1, 16))
	l.MPS, l.MRRS, l.RCB, l.Size = bytes("mps"), bytes("mrrs"), bytes("rcb"), bytes("size_B")
	l.RCBChunks = r.Int("rcb_chunks", 0, 1) == 1
	if l.Tags = pcie.Unlimited; r.Has("tags") && r.Text("tags") != pcie.Unlimited.String() {
		l.Tags = pcie.Limit(r.Int("tags", 1, 768))
	}
	if r.Has("rtt_ns") {
		const most = 1e5 // what is in flight fits the engine
		if v := r.Float("rtt_ns"); v > most {
			r.Bad("rtt_ns", "at most %.0f", most)
		} else {
			l.RoundTrip = sim.Time(math.Round(v * float64(sim.Nanosecond)))
		}
	}
	return l
}
