package npudrv_test

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/hw/pcie"
)

// recovery returns debugfs's recovery.
func recovery(t *testing.T, d *fwtest.Device) string {
	b, err := fs.ReadFile(d.Class.Debug, "accel/0000:01:00.0/recovery")
	require.NoError(t, err)
	return string(b)
}

// copies holds that a program's copy through device memory ends well.
func copies(t *testing.T, p *fwtest.Program, q uint32) {
	t.Helper()
	const n = 100_000
	src, dev, dst := p.NewBuffer(n, abi.BOHost), p.NewBuffer(n, abi.BODevice), p.NewBuffer(n, abi.BOHost)
	src.Write(0, pattern(n, 5))
	back := fwtest.Copy(dst.Addr, dev.Addr, n)
	back.Flags = abi.FlagBarrier
	require.NoError(t, p.Finish(q, p.Start(q, &fwtest.Job{Packets: []abi.Packet{fwtest.Copy(dev.Addr, src.Addr, n), back},
		Buffers: []*fwtest.Buffer{src, dev, dst}})))
	require.Equal(t, pattern(n, 5), dst.Read(0, n))
}

func nop() *fwtest.Job { return &fwtest.Job{Packets: []abi.Packet{{Op: abi.OpNop}}} }

// Every step of the ladder is tried: a compute reset that fails leads to a
// function-level reset. What was on the hardware has failed; a context with
// buffers in device memory is killed, one without goes on; the device works.
func TestLadderEndsWithTheFunction(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		var env []string
		d.Class.OnUevent(func(e fw.Uevent) { env = append(env, e.Env...) })
		guilty, owner, by := d.Open(), d.Open(), d.Open()
		gq := guilty.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		oq, bq := owner.NewQueue(abi.EngineCopy, fw.PriorityNormal), by.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		owner.NewBuffer(4096, abi.BODevice)
		begun := by.Start(bq, hang(by, 50e6))
		for _, domain := range []int{abi.ResetQueue, abi.ResetCompute} {
			_, err := d.NPU.Inject(fault.Spec{Kind: "reset-fail", Target: fault.On(domain)})
			require.NoError(t, err)
		}
		hung := guilty.Start(gq, hang(guilty, 2e6))
		assert.ErrorIs(t, guilty.Finish(gq, hung), unix.EIO)
		assert.ErrorIs(t, by.Finish(bq, begun), unix.EIO)
		assert.EqualValues(t, 1, guilty.Status(gq).Guilty)
		assert.ErrorIs(t, guilty.Submit(gq, nop()), unix.ECANCELED)
		assert.ErrorIs(t, owner.Submit(oq, nop()), unix.ECANCELED, "its memory is lost")
		assert.Zero(t, by.Status(bq).Guilty)
		assert.NoError(t, by.Submit(bq, nop()), "the bystander's queue lives on")
		copies(t, by, by.NewQueue(abi.EngineCopy, fw.PriorityNormal))
		late := owner.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		assert.ErrorIs(t, owner.Submit(late, nop()), unix.ECANCELED, "by whatever queue")
		fresh := d.Open()
		copies(t, fresh, fresh.NewQueue(abi.EngineCompute, fw.PriorityNormal))
		assert.Contains(t, recovery(t, d), "queue 0\ncompute 0\nfunction 1\nslot 0\nwedged 0\n")
		assert.Equal(t, "WEDGED=none", env[len(env)-1])
		assert.EqualValues(t, 1, by.Status(bq).ResetCount)
	})
}

// A function-level reset that hangs is the end of the ladder.
func TestLadderEndsWedged(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		var env []string
		d.Class.OnUevent(func(e fw.Uevent) { env = append(env, e.Env...) })
		for _, domain := range []int{abi.ResetQueue, abi.ResetCompute, abi.ResetCompute + 1} {
			_, err := d.NPU.Inject(fault.Spec{Kind: "reset-hang", Target: fault.On(domain)})
			require.NoError(t, err)
		}
		p := d.Open()
		q := p.NewQueue(abi.EngineCompute, fw.PriorityNormal)
		assert.Error(t, p.Finish(q, p.Start(q, hang(p, 2e6))))
		assert.ErrorIs(t, p.Submit(p.NewQueue(abi.EngineCompute, fw.PriorityNormal), nop()), unix.EIO)
		assert.Contains(t, recovery(t, d), "function 0\nslot 0\nwedged 1\n")
		assert.Equal(t, "WEDGED=rebind,bus-reset", env[len(env)-1])
		d.NPU.Faults().Clear()
		require.NoError(t, d.Bus.SetPower(hw.D3cold))
		require.NoError(t, d.Bus.SetPower(hw.D0))
	})
}

// A fatal error freezes the channel: a slot reset, and the device works again.
func TestFatalErrorIsRecovered(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p, other := d.Open(), d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		oq := other.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		copies(t, other, oq)
		waits := p.Start(q, hang(p, 50e6))
		d.Bus.Sleep(1e6)
		d.NPU.Function().Inject(pcie.DataLinkProtocol)
		assert.ErrorIs(t, p.Finish(q, waits), unix.EIO)
		assert.ErrorIs(t, other.Submit(oq, nop()), unix.ECANCELED, "its memory is lost")
		assert.NoError(t, p.Submit(q, nop()))
		copies(t, p, p.NewQueue(abi.EngineCopy, fw.PriorityNormal))
		fresh := d.Open()
		copies(t, fresh, fresh.NewQueue(abi.EngineCompute, fw.PriorityNormal))
		assert.Contains(t, recovery(t, d), "slot 1\nwedged 0\ncorrected 0\nnonfatal 0\nfatal 1\n")
		assert.EqualValues(t, 1, p.Status(q).ResetCount)
	})
}

// Errors that are not fatal, or corrected, disturb nobody.
func TestErrorsThatDisturbNobody(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		for _, e := range []pcie.Error{pcie.ReceiverError, pcie.CompleterAbort} {
			d.NPU.Function().Inject(e)
			copies(t, p, q)
		}
		d.Bus.Sleep(1e6)
		assert.Contains(t, recovery(t, d), "slot 0\nwedged 0\ncorrected 1\nnonfatal 1\nfatal 0\n")
		assert.Zero(t, p.Status(q).ResetCount)
	})
}

// A permanent failure ends every job, and the device is given up.
func TestPermanentFailureDisconnects(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		waits := p.Start(q, hang(p, 50e6))
		d.Bus.Sleep(1e6)
		d.Host.Bus().Disconnect()
		assert.ErrorIs(t, p.Finish(q, waits), unix.EIO)
		assert.ErrorIs(t, p.Submit(q, nop()), unix.EIO)
		d.Host.Bus().Disconnect()
		assert.Contains(t, recovery(t, d), "wedged 1\n")
	})
}

// A reset that the administrator asks for is survived like a slot reset.
func TestAdministratorResets(t *testing.T) {
	d := fwtest.NewDevice(t)
	d.Run(func() {
		p := d.Open()
		q := p.NewQueue(abi.EngineCopy, fw.PriorityNormal)
		require.NoError(t, d.Host.Bus().ResetDevice())
		copies(t, p, q)
		assert.EqualValues(t, 1, p.Status(q).ResetCount)
	})
}
