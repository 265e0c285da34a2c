package sim

// FIFO is a queue in a slice that is reused: pushing and popping allocate nothing
// in the steady state. The zero value is empty.
type FIFO[T any] struct {
	items []T
	head  int
}

// Len returns how many items there are.
func (f *FIFO[T]) Len() int { return len(f.items) - f.head }

// Front returns the oldest item, which must exist, until the next Push or Pop.
func (f *FIFO[T]) Front() *T { return &f.items[f.head] }

// At returns the i-th item from the front.
func (f *FIFO[T]) At(i int) *T { return &f.items[f.head+i] }

// Push appends v.
func (f *FIFO[T]) Push(v T) { *f.Add() = v }

// Add appends a zero item and returns it, to be filled in where it is, until the
// next Add, Push or Pop. When the slice is full and at least half of it has been
// popped, the rest moves to the front, so that a step costs O(1) on average.
func (f *FIFO[T]) Add() *T {
	n := len(f.items)
	if n == cap(f.items) {
		n = f.grow()
	}
	f.items = f.items[:n+1] // what is beyond an item's end is zero
	return &f.items[n]
}

// grow makes room for an item behind the n there are.
func (f *FIFO[T]) grow() (n int) {
	n = len(f.items)
	if f.head > 0 && f.head >= n/2 {
		n = copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
		return n
	}
	var zero T
	f.items = append(f.items, zero)[:n]
	return n
}

// Pop removes and returns the oldest item, which must exist.
func (f *FIFO[T]) Pop() T {
	v := f.items[f.head]
	f.Drop()
	return v
}

// Drop is Pop that returns nothing.
func (f *FIFO[T]) Drop() {
	var zero T
	f.items[f.head] = zero
	f.head++
	if f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
}
