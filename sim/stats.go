package sim

import (
	"fmt"
	"io"
	"strings"
)

// Counter declares one statistic of a block as data. Names end in their unit
// (`_bytes`, `_ps`, `_cycles`) or are plain counts.
type Counter struct {
	Name  string
	Help  string
	Value *int64
}

// Registry holds the counters of all blocks in order of registration.
type Registry struct{ blocks []Block }

// Block is the counters of one block instance.
type Block struct {
	Name     string
	Counters []Counter
}

// Sample is one counter's value.
type Sample struct {
	Block, Name string
	Value       int64
}

// Add declares the counters of a block instance such as "dma0".
func (r *Registry) Add(block string, counters ...Counter) {
	r.blocks = append(r.blocks, Block{block, counters})
}

// Blocks returns the declarations, in order.
func (r *Registry) Blocks() []Block { return r.blocks }

// Snapshot returns every value, in order of declaration.
func (r *Registry) Snapshot() []Sample {
	var out []Sample
	for _, b := range r.blocks {
		for _, c := range b.Counters {
			out = append(out, Sample{b.Name, c.Name, *c.Value})
		}
	}
	return out
}

// WriteMarkdown writes the blocks' counters and their meanings as one table.
func WriteMarkdown(w io.Writer, blocks []Block) error {
	rows := [][4]string{{"block", "counter", "value", "meaning"}, {"---", "---", "---:", "---"}}
	for _, b := range blocks {
		for _, c := range b.Counters {
			rows = append(rows, [4]string{b.Name, "`" + c.Name + "`", fmt.Sprint(*c.Value), c.Help})
		}
	}
	for _, r := range rows {
		for i := range r {
			r[i] = strings.ReplaceAll(r[i], "|", `\|`)
		}
		if _, err := fmt.Fprintf(w, "| %s |\n", strings.Join(r[:], " | ")); err != nil {
			return err
		}
	}
	return nil
}
