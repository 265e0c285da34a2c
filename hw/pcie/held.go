package pcie

// heldReads is the read segments that wait for earlier writes to be visible: a
// heap by what they wait for, then by arrival.
type heldReads struct {
	heap []heldRead
	seq  uint64
}

type heldRead struct {
	barrier int64 // posted segments that must be visible before
	seq     uint64
	segment uint32
}

func (a *heldRead) before(b *heldRead) bool {
	return a.barrier < b.barrier || a.barrier == b.barrier && a.seq < b.seq
}

func (h *heldReads) push(barrier int64, segment uint32) {
	h.seq++
	r := heldRead{barrier, h.seq, segment}
	h.heap = append(h.heap, r)
	i := len(h.heap) - 1
	for i > 0 && r.before(&h.heap[(i-1)/2]) {
		h.heap[i] = h.heap[(i-1)/2]
		i = (i - 1) / 2
	}
	h.heap[i] = r
}

// pop takes the first read whose writes are visible.
func (h *heldReads) pop(visible int64) (segment uint32, ok bool) {
	if len(h.heap) == 0 || h.heap[0].barrier > visible {
		return 0, false
	}
	segment = h.heap[0].segment
	n := len(h.heap) - 1
	last := h.heap[n]
	h.heap = h.heap[:n]
	if n == 0 {
		return segment, true
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h.heap[child+1].before(&h.heap[child]) {
			child++
		}
		if !h.heap[child].before(&last) {
			break
		}
		h.heap[i] = h.heap[child]
		i = child
	}
	h.heap[i] = last
	return segment, true
}
