package rt

// Simulation is how an ordinary goroutine gets something done in a simulation that
// another one serves.
type Simulation interface {
	// Do runs fn as a process and returns when it has ended, or an error when the
	// simulation is not served any more. fn may then still end later.
	Do(name string, fn func()) error
}

// Served returns a node for ordinary goroutines, any number of them at once: each
// call of n, and each access to a mapping, runs as a process of the simulation. The
// errors of Do come back as they are; memory that was given to a call which ended so
// is the simulation's until its processes are shut down.
//
// Calls do not land at reproducible times. A process must not use the node, since it
// would wait for itself: processes use n.
func Served(n Node, s Simulation) Node { return &served{n, s} }

type served struct {
	node Node
	s    Simulation
}

// do runs fn and returns what it gives.
func do[T any](s Simulation, name string, fn func() (T, error)) (T, error) {
	var v T
	var err error
	if e := s.Do(name, func() { v, err = fn() }); e != nil {
		var none T // fn may still be at v
		return none, e
	}
	return v, err
}

// Ioctl implements Node.
func (n *served) Ioctl(request uint32, arg []byte, refs ...Ref) error {
	_, err := do(n.s, "ioctl", func() (none struct{}, err error) { return none, n.node.Ioctl(request, arg, refs...) })
	return err
}

// Mmap implements Node.
func (n *served) Mmap(offset uint64, length int64) (Mapping, error) {
	m, err := do(n.s, "mmap", func() (Mapping, error) { return n.node.Mmap(offset, length) })
	if err != nil {
		return nil, err
	}
	return &servedMapping{m, n.s}, nil
}

// Close implements Node.
func (n *served) Close() error {
	_, err := do(n.s, "close", func() (none struct{}, err error) { return none, n.node.Close() })
	return err
}

// servedMapping is a mapping whose accesses run in the simulation.
type servedMapping struct {
	m Mapping
	s Simulation
}

// ReadAt implements Mapping.
func (v *servedMapping) ReadAt(p []byte, off int64) (int, error) {
	return do(v.s, "read of a mapping", func() (int, error) { return v.m.ReadAt(p, off) })
}

// WriteAt implements Mapping.
func (v *servedMapping) WriteAt(p []byte, off int64) (int, error) {
	return do(v.s, "write of a mapping", func() (int, error) { return v.m.WriteAt(p, off) })
}

// Bytes implements Mapping: there are none to be had, as the device writes the
// memory while the goroutine runs.
func (v *servedMapping) Bytes() []byte { return nil }

// Unmap ends the mapping.
func (v *servedMapping) Unmap() {
	if m, ok := v.m.(interface{ Unmap() }); ok {
		_ = v.s.Do("munmap", m.Unmap) // not served: nothing can be unmapped
	}
}
