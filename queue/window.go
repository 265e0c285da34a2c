package queue

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// window is the part of a command buffer that has been fetched. What is
// executed is this copy.
type window struct {
	u     *Unit
	asid  uint16
	addr  uint64 // of the command buffer
	bytes uint32 // its length
	off   uint32 // of the next packet
	first uint32 // offset of buf[0]
	have  uint32 // bytes of buf that are valid
	buf   []byte
	req   hw.Request
}

func (w *window) init(u *Unit, done sim.Call) {
	w.u = u
	w.buf = make([]byte, u.cfg.Fetch)
	w.req = hw.Request{Op: hw.Read, Source: u.parts.Source, Exec: true, Done: done}
}

func (w *window) open(asid uint16, addr uint64, bytes uint32) {
	w.asid, w.addr, w.bytes, w.off, w.first, w.have = asid, addr, bytes, 0, 0, 0
}

// rest returns the fetched bytes from the next packet on.
func (w *window) rest() []byte { return w.buf[w.off-w.first : w.have] }

// whole reports whether the next packet has been fetched whole.
func (w *window) whole() bool {
	if w.off < w.first || w.off-w.first+16 > w.have {
		return w.off-w.first == w.have && w.off == w.bytes
	}
	p := w.rest()
	size := (int(p[2]) | int(p[3])<<8) * 16
	return size <= len(p) || w.first+w.have == w.bytes || size > 128
}

// fetch reads from offset off on, as much as the window holds, in one request.
func (w *window) fetch(off uint32) {
	size := uint64(len(w.buf))
	at := w.addr + uint64(off)
	n := min(size, uint64(w.bytes-off))
	w.off, w.first, w.have = off, off, 0
	w.req.Space, w.req.ASID = hw.Context, w.asid
	w.req.Addr, w.req.Bytes, w.req.Data, w.req.Zero = at, int64(n), w.buf[:n], false
	w.req.Send(w.u.parts.Port)
}

func (w *window) arrived() {
	if w.req.Status != hw.OK {
		return
	}
	w.have = uint32(w.req.Bytes)
	if w.req.Zero {
		clear(w.buf[:w.have])
	}
}

// descriptorFetched is the arrival of a descriptor.
func (q *queue) descriptorFetched(arg int) {
	d := &q.jobs[arg&jobMask].kernels[arg>>jobBits]
	d.busy = false
	if d.req.Zero {
		clear(d.buf[:])
	}
	if q.phase == phaseKernel {
		q.chargeFetch(&d.req)
		q.phase = phaseIssue
	}
	q.advance()
}
