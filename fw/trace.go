package fw

// Tracepoint is an event of a driver, for those who look on: the counterpart of a
// kernel's trace events.
type Tracepoint struct {
	At     int64 // ns
	Device *Device
	Name   string // submit, complete, map, unmap, evict, mailbox, reset
	Client uint64 // id of the file, 0 for none
	// Args mean what the driver says for the name.
	Args [4]uint64
}

// OnTrace has fn called at every tracepoint of every device; nil turns them off,
// and then they cost a comparison.
func (c *Class) OnTrace(fn func(Tracepoint)) { c.trace = fn }

// Trace is a tracepoint with up to four arguments.
func (d *Device) Trace(name string, client *File, args ...uint64) {
	if d.class.trace == nil {
		return
	}
	if len(args) > len(Tracepoint{}.Args) {
		panic("fw: tracepoint " + name + " has too many arguments")
	}
	t := Tracepoint{At: d.kernel.Now(), Device: d, Name: name}
	copy(t.Args[:], args)
	if client != nil {
		t.Client = client.ID
	}
	d.class.trace(t)
}
