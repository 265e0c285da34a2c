package npudrv

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/alloc"
)

// Context addresses: the lower half of Sv48, with a hole at 0.
const (
	vaStart = 1 << 32
	vaEnd   = 1 << 47

	pageSize   = 1 << 12
	bigPage    = 1 << 16 // NAPOT
	hugePage   = 1 << 21
	entryCount = 512
	topLevel   = 3
)

// space is a context's address space: page tables in device memory with a
// shadow here, so that nothing is ever read back over the bus.
type space struct {
	d    *Device
	asid uint32
	va   *alloc.Ranges
	lock hw.Mutex // over the tables
	root *table
	// orphans are tables that a large page has replaced: the device may have
	// cached pointers to them.
	orphans []*table
}

// table is one page of entries.
type table struct {
	at       uint64 // device address
	entries  [entryCount]uint64
	children [entryCount]*table
}

func (d *Device) newSpace() (*space, error) {
	s := &space{d: d, va: alloc.New(vaStart, vaEnd), lock: d.bus.NewMutex()}
	for asid, used := range d.asids {
		if !used {
			s.asid = uint32(asid)
			break
		}
	}
	if s.asid == 0 {
		return nil, fmt.Errorf("all %d contexts are in use: %w", d.maxASID, unix.ENOSPC)
	}
	d.asids[s.asid] = true
	d.steady()
	root, err := d.newTable()
	if err != nil {
		d.asids[s.asid] = false
		return nil, err
	}
	s.root = root
	d.spaces[s.asid] = s
	s.setContext(s.context())
	return s, nil
}

// context is the space's entry of the context table.
func (s *space) context() *abi.Context {
	return &abi.Context{Valid: true, Mode: abi.ModeSv48, Root: s.root.at | abi.DeviceBit}
}

func (s *space) setContext(c *abi.Context) {
	var p [abi.ContextSize]byte
	c.Encode(p[:])
	s.d.bus.WriteBAR(abi.BARMemory, s.d.contexts+uint64(s.asid)*abi.ContextSize, p[:])
}

// detach takes the context from the device: nothing reaches memory by it any
// more. A device that is gone needs no telling.
func (s *space) detach() {
	s.d.spaces[s.asid] = nil
	if s.d.Enter() {
		s.d.steady()
		s.setContext(&abi.Context{})
		s.d.invalidate(s.asid, 0, 0)
		s.d.Exit()
	}
}

// free gives tables and ASID of a detached context back.
func (s *space) free() {
	s.d.freeTables(s.root)
	s.d.asids[s.asid] = false
}

// bytes is the table as the device reads it.
func (t *table) bytes() []byte {
	p := make([]byte, pageSize)
	for i, e := range t.entries {
		binary.LittleEndian.PutUint64(p[8*i:], e)
	}
	return p
}

func (d *Device) newTable() (*table, error) {
	at, ok := d.tables.Take(pageSize, pageSize)
	if !ok {
		return nil, fmt.Errorf("device memory for page tables: %w", unix.ENOSPC)
	}
	t := &table{at: at}
	d.pages[at/pageSize] = t // from here on it is restored when memory is lost
	d.bus.WriteBAR(abi.BARMemory, at, make([]byte, pageSize))
	return t, nil
}

func (d *Device) freeTables(t *table) {
	for _, c := range t.children {
		if c != nil {
			d.freeTables(c)
		}
	}
	d.pages[t.at/pageSize] = nil
	d.tables.Give(t.at, pageSize)
}

// mapping permissions of a buffer.
const (
	mapRead  = abi.PTEValid | abi.PTERead | abi.PTEUser | abi.PTEAccess | abi.PTEDirty
	mapWrite = abi.PTEWrite
	mapExec  = abi.PTEExecute
)

// mapNew maps n bytes at context addresses that are free, aligned so that large
// pages fit.
func (s *space) mapNew(phys, n, bits uint64) (va uint64, err error) {
	align := uint64(bigPage)
	if n >= hugePage {
		align = hugePage
	}
	va, ok := s.va.Take(n, align)
	if !ok {
		return 0, fmt.Errorf("context addresses for %d bytes: %w", n, unix.ENOSPC)
	}
	if err := s.mapAt(va, phys, n, bits); err != nil {
		s.va.Give(va, n)
		return 0, err
	}
	return va, nil
}

// steady waits while nobody may touch the device: for the end of an error of the bus,
// of a reset that somebody else makes, or of a function-level one.
func (d *Device) steady() {
	for d.frozen || d.dark {
		d.thawed.Wait("the end of a reset")
	}
}

// mapAt maps n bytes at addresses that are the caller's, whole or not at all.
func (s *space) mapAt(va, phys, n, bits uint64) error {
	s.d.steady()
	if err := s.mapRange(va, phys, n, bits); err != nil {
		s.unmapRange(va, n)
		return err
	}
	if orphans := s.orphans; orphans != nil {
		s.orphans = nil
		s.d.invalidate(s.asid, va, n)
		for _, t := range orphans {
			s.d.freeTables(t)
		}
	}
	return nil
}

// mapRange maps n bytes at va to physical addresses from phys on, with the
// largest pages that fit.
func (s *space) mapRange(va, phys, n, bits uint64) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	for n > 0 {
		var err error
		var step uint64
		switch {
		case (va|phys)%hugePage == 0 && n >= hugePage:
			step, err = hugePage, s.set(va, 1, 1, func(int) uint64 { return abi.PTE(phys, bits) })
		case (va|phys)%bigPage == 0 && n >= bigPage:
			const napot = 8 // PPN[3:0] = 1000
			e := abi.PTE(phys, bits|abi.PTENapot) | napot<<10
			step, err = bigPage, s.set(va, 0, bigPage/pageSize, func(int) uint64 { return e })
		default:
			run := min(n, bigPage-va%bigPage)
			step, err = run, s.set(va, 0, int(run/pageSize), func(i int) uint64 {
				return abi.PTE(phys+uint64(i)*pageSize, bits)
			})
		}
		if err != nil {
			return err
		}
		va, phys, n = va+step, phys+step, n-step
	}
	return nil
}

// unmapRange clears what mapRange has mapped and waits until the device has
// forgotten it.
func (s *space) unmapRange(va, n uint64) {
	s.d.steady()
	s.clear(va, n)
	s.d.invalidate(s.asid, va, n)
}

func (s *space) clear(va, n uint64) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for at := va; at < va+n; {
		t, level, index := s.leaf(at)
		step := uint64(1) << (12 + 9*level)
		if t == nil {
			at += step - at%step
			continue
		}
		count := 1
		if level == 0 {
			count = min(int((va+n-at)/pageSize), entryCount-index)
		}
		s.write(t, index, count, func(int) uint64 { return 0 })
		at += step * uint64(count)
	}
}

func index(va uint64, level int) int { return int(va>>(12+9*level)) & (entryCount - 1) }

// leaf finds the entry that maps va; a nil table with the level of the hole
// when nothing does.
func (s *space) leaf(va uint64) (*table, int, int) {
	t := s.root
	for level := topLevel; ; level-- {
		i := index(va, level)
		if t.children[i] == nil {
			if t.entries[i] == 0 {
				return nil, level, i
			}
			return t, level, i
		}
		t = t.children[i]
	}
}

// set writes count entries of one table at a level, making the tables above.
func (s *space) set(va uint64, level, count int, entry func(i int) uint64) error {
	t := s.root
	for l := topLevel; l > level; l-- {
		i := index(va, l)
		if t.children[i] == nil {
			child, err := s.d.newTable()
			if err != nil {
				return err
			}
			t.children[i] = child
			s.write(t, i, 1, func(int) uint64 { return abi.PTE(child.at|abi.DeviceBit, abi.PTEValid) })
		}
		t = t.children[i]
	}
	first := index(va, level)
	for i := first; i < first+count; i++ {
		if child := t.children[i]; child != nil {
			s.orphans = append(s.orphans, child)
			t.children[i] = nil
		}
	}
	s.write(t, first, count, entry)
	return nil
}

// write stores entries in the shadow and, in one go, in device memory.
func (s *space) write(t *table, first, count int, entry func(i int) uint64) {
	p := make([]byte, 8*count)
	for i := range count {
		t.entries[first+i] = entry(i)
		binary.LittleEndian.PutUint64(p[8*i:], t.entries[first+i])
	}
	s.d.bus.WriteBAR(abi.BARMemory, t.at+uint64(first)*8, p)
}

// invalidate drops what the device has cached of a range (bytes 0: of the
// context) and returns when accesses that used it are over. When the device does
// not answer, a reset drops everything; should that fail too, the device may do
// no DMA any more. Either way memory behind the range is free for others.
func (d *Device) invalidate(asid uint32, va, n uint64) {
	if err := d.tryInvalidate(asid, va, n); err != nil {
		d.log("presi %s: %v", d.Address, err)
		if err := d.forceReset(); err != nil {
			d.log("presi %s: %v", d.Address, err)
		}
	}
}

func (d *Device) tryInvalidate(asid uint32, va, n uint64) error {
	d.mmuLock.Lock()
	defer d.mmuLock.Unlock()
	if d.resets.State == resetWedged {
		return nil // its DMA is off
	}
	d.write(regInvASID, asid)
	d.writePair(regInvAddrLo, regInvAddrHi, va)
	d.writePair(regInvSizeLo, regInvSizeHi, n)
	d.invSeqno++
	d.write(regInvCmd, 1)
	return d.poll("TLB invalidation", invalidateTimeout*d.timeScale(), 1000, func() (bool, error) {
		return int32(d.read(regInvDone)-d.invSeqno) >= 0, nil
	})
}

// invalidateTimeout is what silicon gets, in ns.
const invalidateTimeout = 100e6
