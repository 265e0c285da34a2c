package fwtest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/edudrv"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/edu"
	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/pcie"
)

// domain is a function behind another root, in a domain of its own.
type domain struct{ hw.Bus }

func (domain) Address() string { return "0001:01:00.0" }

// withCard gives the computer an edu card behind a second root with a host of its
// own. check holds that nothing of it is left over.
func withCard(t *testing.T, d *fwtest.Device) (bus hw.Bus, check func()) {
	cfg, err := configs.Machine("tiny")
	require.NoError(t, err)
	link := pcie.New(d.Engine, "second pcie", cfg.PCIe, []int{1})
	h := host.New(d.Engine, cfg.Host, cfg.IOMMU, link)
	link.SetFunction(edu.New(d.Engine, edu.DefaultConfig(), cfg.PCIe, link))
	return domain{h.Bus()}, func() {
		require.NoError(t, h.Leaks())
		require.NoError(t, link.Idle())
	}
}

// Both drivers in one registry: each has its device, whatever comes first.
func TestDriversFindTheirDevices(t *testing.T) {
	for _, c := range []struct {
		name                string
		eduFirst, lateCards bool
	}{{"presi first", false, false}, {"edu first", true, false}, {"drivers last", false, true}, {"edu last", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			d := fwtest.NewDevice(t, fwtest.Unbound())
			card, check := withCard(t, d)
			entries := []fw.DriverEntry{npudrv.Entry(t.Logf), edudrv.Entry(t.Logf)}
			if c.eduFirst {
				entries[0], entries[1] = entries[1], entries[0]
			}
			d.Run(func() {
				r := fw.NewRegistry(d.Class)
				drivers := func() {
					for _, e := range entries {
						require.NoError(t, r.RegisterDriver(e))
					}
				}
				if !c.lateCards {
					drivers()
				}
				for _, bus := range []hw.Bus{d.Bus, card} {
					_, err := r.AddDevice(bus)
					require.NoError(t, err)
				}
				if c.lateCards {
					drivers()
				}
				npu, second := r.Function(d.Bus.Address()), r.Function(card.Address())
				require.NoError(t, npu.Err())
				require.NoError(t, second.Err())
				assert.Equal(t, "presi", npu.Driver())
				assert.Equal(t, "edu", second.Driver())
				assert.EqualValues(t, 0x120000, npu.ID.Class)
				require.IsType(t, &npudrv.Device{}, npu.Bound())
				require.IsType(t, &edudrv.Device{}, second.Bound())
				assert.NotEqual(t, npu.Bound().(*npudrv.Device).Minor, second.Bound().(*edudrv.Device).Minor)

				unbindAndBind(t, d, r, npu)
				require.NoError(t, r.RemoveDevice(card.Address()))
				require.NoError(t, r.UnregisterDriver("presi"))
			})
			require.NoError(t, d.Engine.Run())
			check()
		})
	}
}

// unbindAndBind takes the accelerator's driver away and gives it back, through sysfs.
func unbindAndBind(t *testing.T, d *fwtest.Device, r *fw.Registry, npu *fw.Function) {
	minor := npu.Bound().(*npudrv.Device).Minor
	store := func(driver, file string) error {
		return d.Class.Sys.Store("bus/pci/drivers/"+driver+"/"+file, []byte(npu.Address()))
	}
	require.NoError(t, store("presi", "unbind"))
	_, err := d.Class.Open(minor, &fw.Arena{})
	assert.Error(t, err, "the node is gone")
	assert.Error(t, store("edu", "bind"), "the other driver's ids do not match")
	require.NoError(t, store("presi", "bind"))
	f, err := d.Class.Open(npu.Bound().(*npudrv.Device).Minor, &fw.Arena{})
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

// A device that no driver knows waits.
func TestUnknownDeviceStaysUnbound(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Unbound())
	d.Run(func() {
		r := fw.NewRegistry(d.Class)
		require.NoError(t, r.RegisterDriver(edudrv.Entry(nil)))
		f, err := r.AddDevice(d.Bus)
		require.NoError(t, err)
		assert.Nil(t, f.Bound())
		assert.NoError(t, f.Err())
	})
}
