package fw_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
)

// slot is a function of which only the configuration space is there.
type slot struct {
	hw.Bus
	address   string
	id, class uint32
}

func (s slot) Address() string { return s.address }
func (s slot) ConfigRead(off, size int) uint32 {
	return map[int]uint32{0: s.id, 8: s.class<<8 | 0x42}[off]
}

// card returns a function with a device number of one vendor.
func card(address string, device uint32) slot {
	return slot{address: address, id: device<<16 | 0x1234, class: 0x120000}
}

// prober is a driver that says what it is asked, in order.
type prober struct {
	s     *system
	name  string
	trail *[]string
	fail  error
	takes int64 // ns of its probe and remove
}

type hold struct {
	p       *prober
	address string
}

func (h hold) Remove() {
	h.p.s.k.Sleep(h.p.takes)
	*h.p.trail = append(*h.p.trail, h.p.name+" leaves "+h.address)
}

func (p *prober) entry(ids ...fw.ID) fw.DriverEntry {
	return fw.DriverEntry{Name: p.name, IDs: ids, Probe: func(_ *fw.Class, b hw.Bus) (fw.Bound, error) {
		p.s.k.Sleep(p.takes)
		if p.fail != nil {
			*p.trail = append(*p.trail, p.name+" refuses "+b.Address())
			return nil, p.fail
		}
		*p.trail = append(*p.trail, p.name+" takes "+b.Address())
		return hold{p, b.Address()}, nil
	}}
}

var one, two = fw.ID{Vendor: 0x1234, Device: 1}, fw.ID{Vendor: 0x1234, Device: 2}

// registered simulates a system with a registry and the makings of two drivers.
func registered(t *testing.T, fn func(s *system, r *fw.Registry, a, b *prober)) {
	simulate(t, func(s *system) {
		var trail []string
		fn(s, fw.NewRegistry(s.class), &prober{s: s, name: "a", trail: &trail}, &prober{s: s, name: "b", trail: &trail})
	})
}

func (s *system) add(r *fw.Registry, b hw.Bus) *fw.Function {
	f, err := r.AddDevice(b)
	require.NoError(s, err)
	return f
}

func TestIDMatches(t *testing.T) {
	for _, c := range []struct {
		name string
		id   fw.ID
		want bool
	}{
		{"both", fw.ID{Vendor: 0x1234, Device: 1}, true},
		{"another device", fw.ID{Vendor: 0x1234, Device: 2}, false},
		{"another vendor", fw.ID{Vendor: 0x1235, Device: 1}, false},
		{"any device", fw.ID{Vendor: 0x1234, Device: fw.AnyID}, true},
		{"any vendor", fw.ID{Vendor: fw.AnyID, Device: 1}, true},
		{"base class", fw.ID{Vendor: fw.AnyID, Device: fw.AnyID, Class: 0x120000, ClassMask: 0xff0000}, true},
		{"another class", fw.ID{Vendor: fw.AnyID, Device: fw.AnyID, Class: 0x030000, ClassMask: 0xff0000}, false},
		{"another interface", fw.ID{Vendor: 0x1234, Device: 1, Class: 0x120001, ClassMask: 0xffffff}, false},
		{"class without a mask", fw.ID{Vendor: 0x1234, Device: 1, Class: 0x030000}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			registered(t, func(s *system, r *fw.Registry, a, _ *prober) {
				require.NoError(t, r.RegisterDriver(a.entry(c.id)))
				f := s.add(r, card("0000:01:00.0", 1))
				assert.Equal(t, c.want, f.Bound() != nil)
				assert.NoError(t, f.Err(), "no driver that matches is no failure")
			})
		})
	}
}

// Drivers and functions find each other whichever come first.
func TestOrderOfRegistrationDoesNotMatter(t *testing.T) {
	steps := []string{"driver a", "driver b", "card 1", "card 2", "card 9"}
	permute(steps, func(order []string) {
		registered(t, func(s *system, r *fw.Registry, a, b *prober) {
			do := map[string]func(){
				"driver a": func() { require.NoError(t, r.RegisterDriver(a.entry(one))) },
				"driver b": func() { require.NoError(t, r.RegisterDriver(b.entry(two))) },
				"card 1":   func() { s.add(r, card("0000:01:00.0", 1)) },
				"card 2":   func() { s.add(r, card("0000:02:00.0", 2)) },
				"card 9":   func() { s.add(r, card("0000:09:00.0", 9)) },
			}
			for _, step := range order {
				do[step]()
			}
			for address, driver := range map[string]string{"0000:01:00.0": "a", "0000:02:00.0": "b", "0000:09:00.0": ""} {
				assert.Equal(t, driver, r.Function(address).Driver(), "%s after %v", address, order)
			}
			assert.ElementsMatch(t, []string{"a takes 0000:01:00.0", "b takes 0000:02:00.0"}, *a.trail)
		})
	})
}

// permute calls fn with every order of s.
func permute(s []string, fn func([]string), done ...string) {
	if len(s) == 0 {
		fn(done)
	}
	for i := range s {
		rest := append(append([]string(nil), s[:i]...), s[i+1:]...)
		permute(rest, fn, append(append([]string(nil), done...), s[i])...)
	}
}

func TestFailingProbe(t *testing.T) {
	registered(t, func(s *system, r *fw.Registry, a, b *prober) {
		a.fail = unix.EIO
		require.NoError(t, r.RegisterDriver(a.entry(one)))
		f := s.add(r, card("0000:01:00.0", 1))
		assert.Nil(t, f.Bound())
		assert.Empty(t, f.Driver())
		assert.ErrorIs(t, f.Err(), unix.EIO)
		assert.ErrorContains(t, f.Err(), "driver a")

		require.NoError(t, r.RegisterDriver(b.entry(one)), "the function waits")
		assert.Equal(t, "b", f.Driver())
		assert.NoError(t, f.Err())

		// Of several that match the next is asked when one fails.
		g := s.add(r, card("0000:02:00.0", 1))
		assert.Equal(t, "b", g.Driver())
		assert.NoError(t, g.Err())
		assert.Equal(t, []string{"a refuses 0000:01:00.0", "b takes 0000:01:00.0", "a refuses 0000:02:00.0", "b takes 0000:02:00.0"}, *a.trail)
	})
}

func TestRefusals(t *testing.T) {
	registered(t, func(s *system, r *fw.Registry, a, _ *prober) {
		require.NoError(t, r.RegisterDriver(a.entry(one)))
		assert.ErrorIs(t, r.RegisterDriver(a.entry(two)), unix.EBUSY)
		assert.ErrorIs(t, r.RegisterDriver(fw.DriverEntry{Name: "c"}), unix.EINVAL)
		assert.ErrorIs(t, r.UnregisterDriver("c"), unix.ENOENT)
		assert.ErrorIs(t, r.RemoveDevice("0000:07:00.0"), unix.ENODEV)

		_, err := r.AddDevice(slot{address: "0000:03:00.0", id: 0xffffffff})
		assert.ErrorIs(t, err, unix.ENODEV, "nobody answers")
		f := s.add(r, card("0000:01:00.0", 1))
		_, err = r.AddDevice(card("0000:01:00.0", 2))
		assert.ErrorIs(t, err, unix.EEXIST)
		assert.Equal(t, []*fw.Function{f}, r.Functions())

		require.NoError(t, r.RegisterDriver(fw.DriverEntry{Name: "empty", IDs: []fw.ID{two},
			Probe: func(*fw.Class, hw.Bus) (fw.Bound, error) { return nil, nil }}))
		assert.ErrorIs(t, s.add(r, card("0000:02:00.0", 2)).Err(), unix.EINVAL)
	})
}

func TestRemoveAndUnregister(t *testing.T) {
	registered(t, func(s *system, r *fw.Registry, a, b *prober) {
		require.NoError(t, r.RegisterDriver(a.entry(one)))
		s.add(r, card("0000:01:00.0", 1))
		f := s.add(r, card("0000:02:00.0", 1))
		require.NoError(t, r.RemoveDevice("0000:01:00.0"))
		assert.Nil(t, r.Function("0000:01:00.0"))
		require.NoError(t, r.UnregisterDriver("a"))
		assert.Empty(t, f.Driver())
		require.NoError(t, r.RegisterDriver(b.entry(one)))
		assert.Equal(t, "b", f.Driver())
		assert.Equal(t, []string{"a takes 0000:01:00.0", "a takes 0000:02:00.0", "a leaves 0000:01:00.0", "a leaves 0000:02:00.0",
			"b takes 0000:02:00.0"}, *a.trail)
	})
}

func TestBindThroughSysfs(t *testing.T) {
	registered(t, func(s *system, r *fw.Registry, a, b *prober) {
		require.NoError(t, r.RegisterDriver(a.entry(one)))
		require.NoError(t, r.RegisterDriver(b.entry(one, two)))
		f := s.add(r, card("0000:01:00.0", 1))
		read := func(name string) string {
			text, err := fs.ReadFile(s.class.Sys, "bus/pci/devices/0000:01:00.0/"+name)
			require.NoError(t, err)
			return string(text)
		}
		store := func(name, text string) error { return s.class.Sys.Store("bus/pci/"+name, []byte(text)) }

		assert.Equal(t, "0x1234\n", read("vendor"))
		assert.Equal(t, "0x0001\n", read("device"))
		assert.Equal(t, "0x120000\n", read("class"))
		assert.Equal(t, "DRIVER=a\nPCI_CLASS=120000\nPCI_ID=1234:0001\nPCI_SLOT_NAME=0000:01:00.0\n", read("uevent"))

		assert.ErrorIs(t, store("drivers/b/bind", "0000:01:00.0\n"), unix.EBUSY)
		assert.ErrorIs(t, store("drivers/b/unbind", "0000:01:00.0\n"), unix.ENODEV, "it is another driver's")
		require.NoError(t, store("drivers/a/unbind", "0000:01:00.0\n"))
		assert.Equal(t, "PCI_CLASS=120000\nPCI_ID=1234:0001\nPCI_SLOT_NAME=0000:01:00.0\n", read("uevent"))
		assert.ErrorIs(t, store("drivers/a/unbind", "0000:01:00.0"), unix.ENODEV)
		b.fail = unix.EIO
		assert.ErrorIs(t, store("drivers/b/bind", "0000:01:00.0"), unix.EIO)
		b.fail = nil
		require.NoError(t, store("drivers/b/bind", "0000:01:00.0"))
		assert.Equal(t, "b", f.Driver())
		assert.ErrorIs(t, store("drivers/a/bind", "0000:05:00.0"), unix.ENODEV)
		s.add(r, card("0000:02:00.0", 2))
		assert.ErrorIs(t, store("drivers/a/bind", "0000:02:00.0"), unix.ENODEV, "it does not match")

		assert.ErrorIs(t, store("devices/0000:01:00.0/remove", "yes"), unix.EINVAL)
		require.NoError(t, store("devices/0000:01:00.0/remove", "0\n"))
		assert.Equal(t, "b", f.Driver())
		require.NoError(t, store("devices/0000:01:00.0/remove", "1\n"))
		assert.Empty(t, f.Driver())
		assert.True(t, errors.Is(store("devices/0000:01:00.0/remove", "1"), unix.ENOENT))
		require.NoError(t, r.UnregisterDriver("a"))
		assert.ErrorIs(t, store("drivers/a/bind", "0000:01:00.0"), unix.ENOENT)
	})
}

// Functions and drivers that come and go while another process is in a probe.
func TestBindingDoesNotOverlap(t *testing.T) {
	for _, c := range []struct {
		name  string
		while func(r *fw.Registry, b *prober) error
		trail []string
		ends  string // driver of the function
	}{
		{"another driver", func(r *fw.Registry, b *prober) error { return r.RegisterDriver(b.entry(one)) },
			[]string{"a takes 0000:01:00.0"}, "a"},
		{"removal", func(r *fw.Registry, _ *prober) error { return r.RemoveDevice("0000:01:00.0") },
			[]string{"a takes 0000:01:00.0", "a leaves 0000:01:00.0"}, ""},
		{"the driver goes", func(r *fw.Registry, _ *prober) error { return r.UnregisterDriver("a") },
			[]string{"a takes 0000:01:00.0", "a leaves 0000:01:00.0"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			registered(t, func(s *system, r *fw.Registry, a, b *prober) {
				a.takes = 1000
				require.NoError(t, r.RegisterDriver(a.entry(one)))
				var f *fw.Function
				ended := 0
				s.k.Spawn("add", false, func() { f = s.add(r, card("0000:01:00.0", 1)); ended++ })
				s.k.Sleep(500)
				s.k.Spawn("while", false, func() { assert.NoError(t, c.while(r, b)); ended++ })
				s.k.Sleep(10_000)
				require.Equal(t, 2, ended)
				assert.Equal(t, c.trail, *a.trail)
				assert.Equal(t, c.ends, f.Driver())
			})
		})
	}
}

// Whoever waited for a probe to end looks again at what there is: neither a function
// nor a driver that has gone meanwhile is bound.
func TestBindingLooksAgain(t *testing.T) {
	for name, leave := range map[string]func(r *fw.Registry) error{
		"the function has gone": func(r *fw.Registry) error { return r.RemoveDevice("0000:01:00.0") },
		"the driver has gone":   func(r *fw.Registry) error { return r.UnregisterDriver("b") },
	} {
		t.Run(name, func(t *testing.T) {
			registered(t, func(s *system, r *fw.Registry, a, b *prober) {
				a.takes, a.fail = 1000, unix.EIO
				require.NoError(t, r.RegisterDriver(a.entry(one)))
				var f *fw.Function
				ended := 0
				for _, fn := range []func(){
					func() { f = s.add(r, card("0000:01:00.0", 1)) },
					func() { assert.NoError(t, r.RegisterDriver(b.entry(one))) },
					func() { assert.NoError(t, leave(r)) },
				} {
					s.k.Spawn("step", false, func() { fn(); ended++ })
					s.k.Sleep(100)
				}
				s.k.Sleep(10_000)
				require.Equal(t, 3, ended)
				assert.Equal(t, []string{"a refuses 0000:01:00.0"}, *a.trail)
				assert.Empty(t, f.Driver())
				assert.ErrorIs(t, f.Err(), unix.EIO)
			})
		})
	}
}
