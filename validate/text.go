package validate

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteJSON writes the tables on one line.
func WriteJSON(w io.Writer, tables []Table) error {
	return json.NewEncoder(w).Encode(struct {
		Tables []Table `json:"tables"`
		Pass   bool    `json:"pass"`
	}{tables, Passed(tables)})
}

// cells are a table's row in a report.
func (t *Table) cells() []string {
	worst := percent(t.WorstPct)
	if t.WorstPoint != "" {
		worst += " at " + t.WorstPoint
	}
	target := t.Target
	switch {
	case target == "":
		target = "none set"
	case !t.Pass:
		target += ": MISSED"
	}
	if t.R2 != 0 {
		target = fmt.Sprintf("%s (R² %.4f)", target, t.R2)
	}
	return []string{t.Name, fmt.Sprint(t.Points), percent(t.MeanPct), percent(t.P90Pct), worst, target}
}

var headings = []string{"model", "points", "mean", "p90", "worst", "target"}

func percent(v float64) string {
	switch {
	case v == 0:
		return "0 %"
	case v < 0.0005:
		return "<0.001 %"
	}
	return fmt.Sprintf("%.3f %%", v)
}

// WriteText writes the tables for a terminal.
func WriteText(w io.Writer, tables []Table) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(headings, "\t"))
	for i := range tables {
		fmt.Fprintln(tw, strings.Join(tables[i].cells(), "\t"))
	}
	return tw.Flush()
}

// WriteMarkdown writes the page docs/validation.md.
func WriteMarkdown(w io.Writer, tables []Table) error {
	var b strings.Builder
	b.WriteString(intro)
	row := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	row(append([]string{"model", "held against"}, headings[1:]...))
	row([]string{"---", "---", "---:", "---:", "---:", "---", "---"})
	for i := range tables {
		cells := tables[i].cells()
		row(append([]string{cells[0], tables[i].Source}, cells[1:]...))
	}
	b.WriteString(outro)
	_, err := io.WriteString(w, b.String())
	return err
}

const intro = `# How far off the models are

Generated from ` + "`presi validate`" + `; do not edit. ` + "`presi validate`" + ` prints it again, offline, in less than a minute.

Each timing model is held against results that nobody of this project made: simulators, an analytic model, RTL, an
executable specification and measurements. The data is in ` + "`validate/refs`" + `, whose README names sources and licences.
An error is |model − reference| / reference. Every point drives the blocks that ` + "`presi run`" + ` uses: memory controllers,
the DMA engine on the PCIe link, the IOMMU, the array's cost. "None set" marks figures that are printed and not gated.

`

const outro = `
- **DRAM.** Traffic is replayed on device coordinates, so that both sides see the same banks and rows. At saturation
  independent simulators agree on bandwidth and not on latency, so that latency counts up to 50 % load.
- **PCIe.** The published model has no tags, credits or round trip; the rows with few tags hold those against
  Little's law. Real cards are measured with their drivers and hosts, which are not modelled.
- **IOMMU.** A scenario passes when every result, fault record, ordered memory read of a cold walk and A/D update is as
  the C model of the specification recorded it. The folder here is a sample; ` + "`presi validate --refs DIR`" + ` and
  ` + "`presi iommu --replay FILE`" + ` run whole files. ` + "`presi iommu --curve`" + ` prints DMA read bandwidth against the
  window of the buffer, which no reference here gates.
- **Arrays.** Overlap ` + "`scalesim`" + ` is a regression test: it has to equal SCALE-Sim to the cycle. The default,
  ` + "`double_buffered`" + `, is what Gemmini's RTL is held against, with the tilings that came with it.

What each model leaves out is in the DEVIATIONS.md beside it.
`
