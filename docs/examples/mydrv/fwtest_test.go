package mydrv

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
)

func TestPing(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Driver(Probe))
	d.Run(func() {
		p := d.Open()
		for i := range uint32(40) { // more than twice round the ring
			var a Ping
			fwtest.Must(p, NrPing, &a)
			require.Equal(t, i+1, a.Pings)
		}
	})
	d.AwaitIdle()
	require.Empty(t, d.Log())
}

// A device that does not boot fails the probe, which leaves nothing behind; the
// next one succeeds.
func TestBootHangs(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Driver(Probe), fwtest.Unbound())
	d.Bus.OnRead = func(off, v uint64) uint64 {
		if off == abi.Offset(&abi.Mgmt, "BOOT_STATUS") {
			return 0
		}
		return v
	}
	d.Run(func() {
		require.ErrorContains(t, d.Probe(), "does not boot")
		require.NoError(t, d.Host.Leaks())
		d.Bus.OnRead = nil
		require.NoError(t, d.Probe())
	})
}

// A doorbell that gets lost costs its entry, and no later one.
func TestLostDoorbell(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Driver(Probe))
	lost := 0
	d.Bus.OnWrite = func(off uint64, _ uint32) bool {
		if off == abi.Offset(&abi.Doorbell, "SQ_TAIL") {
			lost++
			return lost > 1
		}
		return true
	}
	d.Run(func() {
		p := d.Open()
		require.ErrorIs(t, fwtest.Ioctl(p, NrPing, &Ping{}), unix.ETIME)
		fwtest.Must(p, NrPing, &Ping{})
	})
	require.Contains(t, d.Log()[0], "does not come back")
}

// The host refuses the device's read of an entry.
func TestBusError(t *testing.T) {
	d := fwtest.NewDevice(t, fwtest.Driver(Probe))
	d.Run(func() {
		p := d.Open()
		armed, err := d.NPU.Inject(fault.Spec{Kind: "dma-error"})
		require.NoError(t, err)
		require.ErrorIs(t, fwtest.Ioctl(p, NrPing, &Ping{}), unix.EIO)
		require.Equal(t, 1, armed.Struck())
		fwtest.Must(p, NrPing, &Ping{})
	})
}

// unordered is a bus whose write barrier does nothing.
type unordered struct{ hw.Bus }

func (unordered) WriteBarrier() {}

// In chaos mode doorbells overtake entries, but for the barrier in roundTrip.
func TestBarrierIsNeeded(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		d := fwtest.NewDevice(t, fwtest.Driver(Probe),
			fwtest.Config(func(c *configs.Config) { c.Chaos.Seed = 1 }),
			fwtest.Broken(func(b hw.Bus) hw.Bus {
				if forgotten {
					return unordered{b}
				}
				return b
			}))
		failed := 0
		d.Run(func() {
			p := d.Open()
			for range 100 {
				if fwtest.Ioctl(p, NrPing, &Ping{}) != nil {
					failed++
				}
			}
		})
		require.Equal(t, forgotten, failed > 0)
	}
}

// hoarding is a bus that frees nothing.
type hoarding struct{ hw.Bus }

func (hoarding) FreeDMA(*hw.DMA) {}

// The end of a test finds what the driver has not freed.
func TestLeakIsFound(t *testing.T) {
	r := fwtest.Execute("a driver that leaks", func(t fwtest.TB) {
		fwtest.NewDevice(t, fwtest.Driver(Probe), fwtest.Broken(func(b hw.Bus) hw.Bus { return hoarding{b} }))
	})
	require.True(t, r.Failed)
	require.Contains(t, strings.Join(r.Log, "\n"), "with the driver removed")
}

// The suite, and every fault under every workload. The reference driver stands here
// in the place of yours.
func TestConforms(t *testing.T) {
	open := fwtest.WithDriver(npudrv.Probe)
	fwtest.Run(t, open)
	fwtest.Matrix(t, open)
}
