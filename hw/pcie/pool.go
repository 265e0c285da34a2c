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

// fifo is a first-in-first-out list of record numbers in a ring that grows by
// doubling.
type fifo struct {
	ring       []uint32
	head, size int
}

func (f *fifo) push(v uint32) {
	if f.size == len(f.ring) {
		grown := make([]uint32, max(16, 2*len(f.ring)))
		for i := range f.size {
			grown[i] = f.ring[(f.head+i)%len(f.ring)]
		}
		f.ring, f.head = grown, 0
	}
	f.ring[(f.head+f.size)&(len(f.ring)-1)] = v
	f.size++
}

func (f *fifo) front() uint32 { return f.ring[f.head] }

func (f *fifo) pop() uint32 {
	v := f.ring[f.head]
	f.head = (f.head + 1) & (len(f.ring) - 1)
	f.size--
	return v
}

// at returns the i-th from the front.
func (f *fifo) at(i int) uint32 { return f.ring[(f.head+i)&(len(f.ring)-1)] }
