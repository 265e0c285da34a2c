package mem

import "slices"

// latencies is a set of latencies in ticks: short ones counted, long ones kept.
type latencies struct {
	n, sum int64
	short  [1 << 14]int32
	long   []int64
}

func (l *latencies) add(t int64) {
	l.n++
	l.sum += t
	if t < int64(len(l.short)) {
		l.short[t]++
	} else {
		l.long = append(l.long, t)
	}
}

// at returns a percentile.
func (l *latencies) at(percent int64) int64 {
	k := min(l.n*percent/100, l.n-1)
	for t, n := range l.short {
		if k < int64(n) {
			return int64(t)
		}
		k -= int64(n)
	}
	slices.Sort(l.long)
	return l.long[k]
}

// ticks is a heap of instants, the first on top.
type ticks []int64

func (h *ticks) len() int     { return len(*h) }
func (h *ticks) first() int64 { return (*h)[0] }

func (h *ticks) push(t int64) {
	*h = append(*h, t)
	s := *h
	i := len(s) - 1
	for i > 0 && s[(i-1)/2] > t {
		s[i] = s[(i-1)/2]
		i = (i - 1) / 2
	}
	s[i] = t
}

func (h *ticks) pop() {
	s := *h
	n := len(s) - 1
	t := s[n]
	s = s[:n]
	*h = s
	i := 0
	for {
		k := 2*i + 1
		if k >= n {
			break
		}
		if k+1 < n && s[k+1] < s[k] {
			k++
		}
		if s[k] >= t {
			break
		}
		s[i] = s[k]
		i = k
	}
	if n > 0 {
		s[i] = t
	}
}
