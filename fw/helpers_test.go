package fw_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/sim"
)

// system is an engine with a kernel and a class, and no device at all.
type system struct {
	*testing.T
	e     *sim.Engine
	k     hw.Kernel
	class *fw.Class
}

// simulate runs fn as a process.
func simulate(t *testing.T, fn func(s *system)) {
	e := sim.New(1)
	s := &system{T: t, e: e, k: host.NewKernel(e, host.Config{})}
	s.class = fw.NewClass(s.k)
	e.Go("test", func(*sim.Proc) { fn(s) })
	require.NoError(t, e.Run())
	e.Shutdown()
}

// toy is a driver without hardware.
type toy struct {
	fw.Driver
	trail []string // what was called
	fail  error    // of the next Open
}

type toyObject struct{ t *toy }

func (o toyObject) Release(*fw.Object) { o.t.note("release") }
func (o toyObject) Mapping(x *fw.Object) (fw.Mapping, error) {
	return memory(make([]byte, x.Size)), nil
}

// memory is a mapping of plain bytes.
type memory []byte

func (m memory) ReadAt(p []byte, off int64) (int, error)  { return copy(p, m[off:]), nil }
func (m memory) WriteAt(p []byte, off int64) (int, error) { return copy(m[off:], p), nil }
func (m memory) Bytes() []byte                            { return m }

func (t *toy) note(what string) { t.trail = append(t.trail, what) }

const toyNr = abi.CommandBase + 5

func newToy() *toy {
	t := &toy{}
	t.Driver = fw.Driver{Name: "toy", Desc: "a driver without hardware", Date: "20260101", Major: 3, Minor: 2, Patch: 1,
		Features:  fw.FeatureAccel | fw.FeatureGEM | fw.FeatureSyncobj,
		Open:      func(*fw.File) error { t.note("open"); return t.fail },
		PostClose: func(*fw.File) { t.note("postclose") },
		CloseObject: func(*fw.File, *fw.Object) {
			t.note("close object")
		},
		Ioctls: map[uint32]fw.Ioctl{
			toyNr: {Name: "TOY", Size: 16, Fn: func(f *fw.File, arg []byte) error { // echoes, plus one a byte
				for i := range arg {
					arg[i]++
				}
				return nil
			}},
		}}
	return t
}

// plug makes and registers a device of a driver.
func (s *system) plug(d *fw.Driver) *fw.Device {
	dev, err := s.class.NewDevice(d, "0000:02:00.0")
	require.NoError(s, err)
	require.NoError(s, dev.Register())
	return dev
}

// file opens a device, with the memory of a program.
func (s *system) file(d *fw.Device) (*fw.File, *fw.Arena) {
	a := &fw.Arena{}
	f, err := s.class.Open(d.Minor, a)
	require.NoError(s, err)
	return f, a
}

func call[T any](f *fw.File, a *fw.Arena, nr uint32, v *T) error {
	buf := make([]byte, abi.SizeOf[T]())
	abi.Store(buf, v)
	at := a.Map(buf)
	defer a.Unmap(at)
	err := f.Ioctl(abi.RequestOf[T](nr), at)
	*v = abi.Load[T](buf)
	return err
}
