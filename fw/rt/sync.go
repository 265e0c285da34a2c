package rt

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw/abi"
)

// Forever is an absolute time that does not come.
const Forever = 1<<63 - 1

// Syncobj is a container of fences: binary, or a timeline of rising points.
type Syncobj struct {
	Handle uint32

	dev *Device
}

// Point is a point of a timeline; value 0 is the fence of a binary syncobj.
type Point struct {
	Syncobj *Syncobj
	Value   uint64
}

// NewSyncobj creates a syncobj, signalled or empty.
func (d *Device) NewSyncobj(signaled bool) (*Syncobj, error) {
	a := abi.SyncobjCreate{}
	if signaled {
		a.Flags = abi.SyncobjCreateSignaled
	}
	if err := call(d.node, "SYNCOBJ_CREATE", abi.NrSyncobjCreate, &a); err != nil {
		return nil, err
	}
	return &Syncobj{Handle: a.Handle, dev: d}, nil
}

// Close destroys the syncobj.
func (s *Syncobj) Close() error {
	a := abi.SyncobjCreate{Handle: s.Handle}
	return call(s.dev.node, "SYNCOBJ_DESTROY", abi.NrSyncobjDestroy, &a)
}

// Signal signals a point, from the CPU; 0 is the binary fence.
func (s *Syncobj) Signal(value uint64) error {
	handles := words([]uint32{s.Handle})
	if value == 0 {
		a := abi.SyncobjArray{Count: 1}
		return call(s.dev.node, "SYNCOBJ_SIGNAL", abi.NrSyncobjSignal, &a, Ref{0, handles})
	}
	a := abi.SyncobjTimelineArray{Count: 1}
	return call(s.dev.node, "SYNCOBJ_TIMELINE_SIGNAL", abi.NrSyncobjTimeSignal, &a, Ref{0, handles}, Ref{8, dwords(value)})
}

// Reset takes the fence out of a binary syncobj.
func (s *Syncobj) Reset() error {
	a := abi.SyncobjArray{Count: 1}
	return call(s.dev.node, "SYNCOBJ_RESET", abi.NrSyncobjReset, &a, Ref{0, words([]uint32{s.Handle})})
}

// Reached returns the timeline's highest signalled point.
func (s *Syncobj) Reached() (uint64, error) {
	a, out := abi.SyncobjTimelineArray{Count: 1}, dwords(0)
	err := call(s.dev.node, "SYNCOBJ_QUERY", abi.NrSyncobjQuery, &a, Ref{0, words([]uint32{s.Handle})}, Ref{8, out})
	return binary.LittleEndian.Uint64(out), err
}

// Wait waits until all points are signalled; ETIME when the absolute time until
// (ns) passes first. Points not yet submitted are waited for too. A job's
// failure signals its points like success: Queue.Wait tells them apart.
func (d *Device) Wait(until int64, points ...Point) error {
	if len(points) == 0 {
		return nil
	}
	_, err := d.wait(until, abi.SyncobjWaitAll, points)
	return err
}

// WaitAny waits until one of the points is signalled and returns its index.
func (d *Device) WaitAny(until int64, points ...Point) (int, error) { return d.wait(until, 0, points) }

func (d *Device) wait(until int64, flags uint32, points []Point) (int, error) {
	handles, values := make([]uint32, len(points)), make([]uint64, len(points))
	for i, p := range points {
		handles[i], values[i] = p.Syncobj.Handle, p.Value
	}
	a := abi.SyncobjTimelineWait{TimeoutNS: until, Count: uint32(len(points)), Flags: flags | abi.SyncobjWaitForSubmit}
	err := call(d.node, "SYNCOBJ_TIMELINE_WAIT", abi.NrSyncobjTimeWait, &a, Ref{0, words(handles)}, Ref{8, dwords(values...)})
	return int(a.FirstSignaled), err
}

// dwords lays u64 values out as an array in memory.
func dwords(v ...uint64) []byte {
	p := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(p[8*i:], x)
	}
	return p
}

// syncs lays points out as an array of abi.Sync.
func syncs(points []Point) []byte {
	p := make([]byte, abi.SizeOf[abi.Sync]()*len(points))
	for i, x := range points {
		s := abi.Sync{Syncobj: x.Syncobj.Handle, Point: x.Value}
		abi.Store(p[abi.SizeOf[abi.Sync]()*i:], &s)
	}
	return p
}
