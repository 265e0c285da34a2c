package sim

// queue orders events by (time, insertion).
type queue struct {
	heap []event
	seq  uint64
}

type event struct {
	at  Time
	seq uint64
	c   Call
}

func (q *queue) len() int { return len(q.heap) }

func (q *queue) push(t Time, c Call) {
	q.seq++
	ev := event{t, q.seq, c}
	q.heap = append(q.heap, ev)
	i := len(q.heap) - 1
	for i > 0 {
		p := (i - 1) / 4
		if !ev.before(&q.heap[p]) {
			break
		}
		q.heap[i] = q.heap[p]
		i = p
	}
	q.heap[i] = ev
}

func (a *event) before(b *event) bool {
	return a.at < b.at || a.at == b.at && a.seq < b.seq
}

// pop takes the first event not later than limit.
func (q *queue) pop(limit Time) (Time, Call, bool) {
	if len(q.heap) == 0 || q.heap[0].at > limit {
		return 0, Call{}, false
	}
	top := q.heap[0]
	last := q.heap[len(q.heap)-1]
	q.heap = q.heap[:len(q.heap)-1]
	if n := len(q.heap); n > 0 {
		q.siftDown(last, n)
	}
	return top.at, top.c, true
}

func (q *queue) siftDown(ev event, n int) {
	i := 0
	for {
		first := 4*i + 1
		if first >= n {
			break
		}
		least := first
		for k := first + 1; k < min(first+4, n); k++ {
			if q.heap[k].before(&q.heap[least]) {
				least = k
			}
		}
		if !q.heap[least].before(&ev) {
			break
		}
		q.heap[i] = q.heap[least]
		i = least
	}
	q.heap[i] = ev
}
