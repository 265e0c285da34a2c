package sim

// fifo is a queue in a slice that is reused: pushing and popping allocate
// nothing in the steady state. The zero value is empty.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

// front returns the oldest item, which must exist.
func (f *fifo[T]) front() *T { return &f.items[f.head] }

// push appends v. When the slice is full and at least half of it has been
// popped, the rest moves to the front, so that a step costs O(1) on average.
func (f *fifo[T]) push(v T) {
	if len(f.items) == cap(f.items) && f.head > 0 && f.head >= len(f.items)/2 {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, v)
}

// pop removes and returns the oldest item, which must exist.
func (f *fifo[T]) pop() T {
	var zero T
	v := f.items[f.head]
	f.items[f.head] = zero
	f.head++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return v
}
