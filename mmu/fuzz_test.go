package mmu

import (
	"bufio"
	"compress/gzip"
	"context"
	"io"
	"os"
	"strings"
	"testing"
)

// FuzzReplay feeds altered scenarios: whatever they program, the IOMMU answers
// as hardware does.
func FuzzReplay(f *testing.F) {
	for _, name := range []string{"../validate/refs/iommu/05_command_queue.jsonl.gz", "../validate/refs/iommu/08_registers.jsonl.gz"} {
		file, err := os.Open(name)
		if err != nil {
			f.Fatal(err)
		}
		z, err := gzip.NewReader(file)
		if err != nil {
			f.Fatal(err)
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 16<<20)
		for i := 0; i < 12 && lines.Scan(); i++ {
			f.Add(lines.Text())
		}
		file.Close()
	}
	f.Fuzz(func(_ *testing.T, text string) {
		Replay(context.Background(), strings.NewReader(text), io.Discard, ReplayOptions{})
	})
}
