package npudrv

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/presi-sim/presi/hw/abi"
)

// CheckTables holds context table and page tables in device memory against what
// the driver believes: every page that it has, and no context but those of open
// files. peek reads device memory without time. It is for tests.
func (d *Device) CheckTables(peek func(at uint64, p []byte)) error {
	if d.resets.State != resetOK {
		return nil
	}
	found := make([]byte, pageSize)
	for _, t := range d.pages {
		if t == nil {
			continue
		}
		if peek(t.at, found); !bytes.Equal(found, t.bytes()) {
			return fmt.Errorf("the page table at %#x is not what the driver has written", t.at)
		}
	}
	entry, want := make([]byte, abi.ContextSize), make([]byte, abi.ContextSize)
	for asid, s := range d.spaces {
		clear(want)
		if s != nil {
			s.context().Encode(want)
		}
		if peek(d.contexts+uint64(asid)*abi.ContextSize, entry); !bytes.Equal(entry, want) {
			return fmt.Errorf("entry %d of the context table is % x, the driver has % x", asid, entry, want)
		}
	}
	return nil
}

// Leaks returns an error for everything that is still held with no file open:
// jobs, credits, device memory, page tables, contexts. It is for tests.
func (d *Device) Leaks() error {
	var all []error
	miss := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	for _, f := range d.Files() {
		miss("client %d has the device open", f.ID)
	}
	for _, r := range d.rings {
		if n := len(r.flying); n > 0 {
			miss("ring %d has %d jobs", r.index, n)
		}
		if err := r.sched.Idle(); err != nil {
			miss("ring %d: %w", r.index, err)
		}
	}
	if n := d.info.MemSize - d.tableBytes - d.available(); n > 0 {
		miss("%d bytes of device memory are taken", n)
	}
	if n := d.tableBytes - d.contextBytes() - d.tables.Left(); n > 0 {
		miss("%d bytes of page tables are taken", n)
	}
	for asid, used := range d.asids {
		if used && asid != 0 {
			miss("context %d is in use", asid)
		}
	}
	return errors.Join(all...)
}
