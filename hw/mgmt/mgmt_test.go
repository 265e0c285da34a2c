package mgmt

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

type fixture struct {
	*testing.T
	e      *sim.Engine
	c      *Controller
	events uint64
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{T: t, e: sim.New(1)}
	f.c = New(f.e, Config{BootTime: 50 * sim.Microsecond, MailboxTime: 2 * sim.Microsecond, Heartbeat: sim.Millisecond},
		Parts{Event: func(c uint64) { f.events |= c }, CoreHz: 1e9,
			Sensors: func() (uint32, uint32) { return 41000, 7500 }})
	return f
}

func (f *fixture) read(off uint64) uint32 {
	var p [4]byte
	f.c.File().Read(off, p[:])
	return binary.LittleEndian.Uint32(p[:])
}

func (f *fixture) write(off uint64, v uint32) {
	var p [4]byte
	binary.LittleEndian.PutUint32(p[:], v)
	f.c.File().Write(off, p[:])
}

func (f *fixture) boot() {
	f.write(0x000, 1)
	require.NoError(f, f.e.Run())
}

// mail sends a command and returns the mailbox's state after the answer.
func (f *fixture) mail(command uint32, args ...uint32) uint32 {
	for i, a := range args {
		f.write(0x020+4*uint64(i), a)
	}
	f.write(0x010, command)
	require.NoError(f, f.e.Run())
	return f.read(0x014)
}

func TestBootTakesItsTime(t *testing.T) {
	f := newFixture(t)
	require.EqualValues(t, abi.BootOff, f.read(0x004))
	f.write(0x000, 1)
	require.NoError(t, f.e.RunUntil(50*sim.Microsecond-1))
	require.EqualValues(t, abi.BootRunning, f.read(0x004), "a picosecond before")
	require.NoError(t, f.e.RunUntil(50*sim.Microsecond))
	require.EqualValues(t, abi.BootReady, f.read(0x004))
	require.True(t, f.c.Ready())
}

func TestMailbox(t *testing.T) {
	f := newFixture(t)
	f.write(0x010, abi.MailVersion)
	require.EqualValues(t, abi.MailRefused, f.read(0x014), "before boot")
	f.boot()
	require.EqualValues(t, abi.MailDone, f.mail(abi.MailVersion))
	require.EqualValues(t, FirmwareVersion, f.read(0x030))
	require.EqualValues(t, abi.MailDone, f.mail(abi.MailSensors))
	require.EqualValues(t, []uint32{41000, 7500, 1e6}, []uint32{f.read(0x030), f.read(0x034), f.read(0x038)})
	require.EqualValues(t, abi.MailUnknown, f.mail(99))
	require.EqualValues(t, abi.MailRefused, f.mail(abi.MailPower, 3), "no such power state")
	require.EqualValues(t, abi.MailDone, f.mail(abi.MailPower, 1))
	require.EqualValues(t, abi.CauseMailbox, f.events)
}

func TestBusyMailboxKeepsItsCommand(t *testing.T) {
	f := newFixture(t)
	f.boot()
	f.write(0x010, abi.MailVersion)
	f.write(0x010, 99)
	require.NoError(t, f.e.Run())
	require.EqualValues(t, abi.MailDone, f.read(0x014))
	require.EqualValues(t, 1, f.c.Stats().Refused)
}

func TestResetVoidsAnAnswerOnItsWay(t *testing.T) {
	f := newFixture(t)
	f.boot()
	f.write(0x010, abi.MailVersion)
	f.c.Reset()
	require.NoError(t, f.e.Run())
	require.EqualValues(t, abi.MailIdle, f.read(0x014))
	require.EqualValues(t, abi.BootOff, f.read(0x004))
	require.Zero(t, f.events)
}

func TestHeartbeat(t *testing.T) {
	f := newFixture(t)
	require.Zero(t, f.read(0x008))
	f.boot()
	first := f.read(0x008)
	require.NoError(t, f.e.RunUntil(f.e.Now()+3*sim.Millisecond))
	require.Equal(t, first+3, f.read(0x008))
}

func TestValidate(t *testing.T) {
	bad := Config{BootTime: -1, MailboxTime: -1}
	require.Len(t, bad.Validate(), 3)
}
