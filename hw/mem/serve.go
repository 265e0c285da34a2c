package mem

import "github.com/presi-sim/presi/hw"

// Serve performs the functional part of a request on a store: it moves the
// bytes by the rules of hw.Request's Data and Zero and sets Status. A range
// outside the store ends as Unsupported with FaultAddr set.
func Serve(r *hw.Request, s *Store) {
	if !s.Contains(r.Addr, r.Bytes) {
		r.Status, r.FaultAddr = hw.Unsupported, r.Addr
		return
	}
	r.Status = hw.OK
	serve(r, s, 0, r.Bytes)
}

// serve moves n bytes of a request, from byte off of it.
func serve(r *hw.Request, s *Store, off, n int64) {
	addr := r.Addr + uint64(off)
	switch {
	case r.Op == hw.Read && r.Data != nil:
		r.Zero = s.Read(addr, r.Data[off:off+n])
	case r.Op == hw.Read:
		r.Zero = false
	case r.Zero:
		s.Zero(addr, n)
	case r.Data != nil:
		s.Poke(addr, r.Data[off:off+n])
	}
}
