package npudrv

import (
	"errors"
	"fmt"
)

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
