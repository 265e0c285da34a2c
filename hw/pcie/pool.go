package pcie

// pool keeps records at stable addresses under small numbers, which travel in
// events. It grows to the most that were ever in use.
type pool[T any] struct {
	items []*T
	free  []uint32
}

// take returns the number of a record and the record, as it was given back.
func (p *pool[T]) take() (uint32, *T) {
	if n := len(p.free); n > 0 {
		i := p.free[n-1]
		p.free = p.free[:n-1]
		return i, p.items[i]
	}
	p.items = append(p.items, new(T))
	i := uint32(len(p.items) - 1)
	return i, p.items[i]
}

func (p *pool[T]) at(i uint32) *T { return p.items[i] }
func (p *pool[T]) give(i uint32)  { p.free = append(p.free, i) }
func (p *pool[T]) used() int      { return len(p.items) - len(p.free) }
