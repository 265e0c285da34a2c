package mmu

import "github.com/presi-sim/presi/hw"

// recordRing is a queue in memory that hardware fills: the fault queue, the
// page-request queue, the device's fault ring. Records wait inside until they
// are written, one after the other; a record that finds the ring full or off
// is dropped. It is a machine: one Resume run writes what waits.
type recordRing struct {
	base  uint64
	log2  uint // entries
	bytes int  // of an entry
	on    bool

	head, tail uint32
	overflow   bool // a record met a full ring
	memFault   bool // a record could not be written

	waiting [][FaultBytes]byte
	writing bool
	// stored is called after each record written and each error.
	stored func()
}

// ringBacklog bounds the records that wait to be written.
const ringBacklog = 64

func (q *recordRing) mask() uint32 { return 1<<q.log2 - 1 }

func (q *recordRing) full() bool { return (q.tail+1)&q.mask() == q.head&q.mask() }

// put queues a record; false if it was dropped.
func (q *recordRing) put(rec [FaultBytes]byte) bool {
	switch {
	case !q.on || q.overflow || q.memFault:
		return false
	case len(q.waiting) == ringBacklog:
		q.overflow = true
		q.stored()
		return false
	}
	q.waiting = append(q.waiting, rec)
	return true
}

// enable empties the ring for a new use.
func (q *recordRing) enable() {
	q.on, q.tail, q.overflow, q.memFault = true, 0, false, false
}

// Resume implements machine.
func (q *recordRing) Resume(op *MemOp) bool {
	if q.writing {
		q.writing = false
		q.wrote(op)
	}
	for len(q.waiting) > 0 {
		rec := q.waiting[0]
		q.waiting = q.waiting[:copy(q.waiting, q.waiting[1:])]
		switch {
		case !q.on || q.overflow || q.memFault:
		case q.full():
			q.overflow = true
			q.stored()
		default:
			op.write(q.base+uint64(q.tail&q.mask())*uint64(q.bytes), q.bytes)
			copy(op.Buf[:], rec[:q.bytes])
			q.writing = true
			return true
		}
	}
	return false
}

func (q *recordRing) wrote(op *MemOp) {
	switch {
	case !q.on:
		return
	case op.Status != hw.OK:
		q.memFault = true
	default:
		q.tail = (q.tail + 1) & q.mask()
	}
	q.stored()
}
