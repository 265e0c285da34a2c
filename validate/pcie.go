package validate

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/presi-sim/presi/hw/pcie"
	"github.com/presi-sim/presi/sim"
	"github.com/presi-sim/presi/validate/batch"
	"github.com/presi-sim/presi/validate/rig"
)

const sigcomm = "pcie-model of Neugebauer et al., SIGCOMM 2018"

// pcieTables saturates the link by the DMA engine at each point of the
// published model, which has neither tags nor credits.
func pcieTables(ctx context.Context, o *Options) ([]Table, error) {
	write := collector{name: "PCIe DMA writes", source: sigcomm, limits: worst(1)}
	read := collector{name: "PCIe DMA reads", source: sigcomm, limits: worst(1)}
	both := collector{name: "PCIe DMA writes and reads at once", source: sigcomm, limits: worst(1)}
	err := measure(ctx, o, "pcie/pcie_model.csv", &batch.PCIe, func(r *batch.Row, m batch.PCIeResult) {
		name := fmt.Sprintf("%s %s mps %s mrrs %s", r.Text("gen"), r.Text("lanes"), r.Text("mps"), r.Text("mrrs"))
		if r.Text("rcb_chunks") == "1" {
			name += " by rcb " + r.Text("rcb")
		}
		name += ", " + r.Text("size_B") + " B"
		write.add(name, m.WriteGbps, r.Float("wr_Gbps"))
		read.add(name, m.ReadGbps, r.Float("rd_Gbps"))
		both.add(name, m.BothGbps, r.Float("rdwr_each_Gbps"))
	})
	return tablesOf(&write, &read, &both), err
}

// tagTables holds reads that tags bound against Little's law.
func tagTables(ctx context.Context, o *Options) ([]Table, error) {
	c := collector{name: "PCIe DMA reads bound by tags", source: "tags × request / round trip", limits: worst(2)}
	var points []rig.Link
	for _, of := range []struct {
		tags  []pcie.Limit
		sizes []sim.Bytes
		trips []sim.Time
	}{
		{[]pcie.Limit{1, 8, 32, 64}, []sim.Bytes{64, 256, 512}, []sim.Time{600 * sim.Nanosecond, 1500 * sim.Nanosecond}},
		{[]pcie.Limit{256, 768}, []sim.Bytes{128, 4096, 65536}, []sim.Time{5 * sim.Microsecond, 20 * sim.Microsecond}},
	} {
		for _, gen := range []int{3, 4, 5} {
			for _, tags := range of.tags {
				for _, size := range of.sizes {
					for _, trip := range of.trips {
						l := rig.Link{Config: pcie.DefaultConfig(), Size: size, RoundTrip: trip}
						l.Generation, l.Lanes, l.Tags = gen, 16, tags
						if little(&l) < float64(l.TLPRate())*8e-9/2 { // the link itself does not bind
							points = append(points, l)
						}
					}
				}
			}
		}
	}
	type result struct {
		rig.LinkRates
		error
	}
	err := batch.Ordered(ctx, len(points), o.Workers, func(i int) result {
		m, err := points[i].Measure()
		return result{m, err}
	}, func(i int, m result) error {
		l := &points[i]
		c.add(fmt.Sprintf("gen%d x%d, %v tags, %d B, %v", l.Generation, l.Lanes, l.Tags, l.Size, l.RoundTrip), m.ReadGbps, little(l))
		return m.error
	})
	return tablesOf(&c), err
}

// little is tags × request / round trip in Gbit/s.
func little(l *rig.Link) float64 {
	return float64(l.Tags) * float64(min(l.Size, l.MRRS)) * 8 / l.RoundTrip.Seconds() / 1e9
}

// copies of large buffers to real cards: "H2D … Gen4 x16 …".
var hostToDevice = regexp.MustCompile(`^H2D .*Gen(\d) x(\d+)`)

// cardTables holds large copies against what real cards show, MPS 256 and MRRS
// 512 as in most hosts. Drivers and hosts of these figures are not modelled.
func cardTables(ctx context.Context, o *Options) ([]Table, error) {
	c := collector{name: "PCIe copies to real cards", source: "published measurements (nvbandwidth and others)", limits: none}
	h := batch.Header{Columns: []batch.Column{{Name: "quantity"}, {Name: "value"}, {Name: "unit"}, {Name: "provenance"}}}
	rows, err := o.rows("pcie/published.csv", h)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		m := hostToDevice.FindStringSubmatch(r.Text("quantity"))
		if m == nil || r.Text("unit") != "GB/s" || !strings.HasPrefix(r.Text("provenance"), "read") {
			continue
		}
		l := rig.Link{Config: pcie.DefaultConfig(), Size: 64 * sim.KiB}
		l.Generation, _ = strconv.Atoi(m[1])
		l.Lanes, _ = strconv.Atoi(m[2])
		rates, err := l.Measure()
		if err != nil {
			return nil, err
		}
		c.add(r.Text("quantity"), rates.ReadGbps/8, r.Float("value"))
		if err := r.Err(); err != nil {
			return nil, err
		}
	}
	return tablesOf(&c), ctx.Err()
}
