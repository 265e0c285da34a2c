package pcie

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// faulty returns an enabled card with vectors 0 and 1, and its injector.
func faulty(t *testing.T, specs ...fault.Spec) (*card, *fault.Injector) {
	c := newCard(t, 4)
	x := fault.New(c.e, specs)
	c.setFaults(x)
	c.enable()
	c.vector(t, 0, 0x10, 0)
	c.vector(t, 1, 0x20, 1)
	return c, x
}

// ask has the card read or write host memory and returns how that ended, and when.
func (c *card) ask(t *testing.T, op hw.Op) (hw.Status, sim.Time) {
	t.Helper()
	before, start := c.ended, c.e.Now()
	r := &hw.Request{Op: op, Space: hw.BusAddr, Source: 2, Addr: 0x1000, Bytes: 64, Done: sim.Call{H: c.done}}
	r.Send(c.Function)
	require.Equal(t, before, c.ended, "in a later event")
	require.NoError(t, c.e.Run())
	require.Equal(t, before+1, c.ended, "once")
	if r.Status != hw.OK {
		require.EqualValues(t, 0x1000, r.FaultAddr)
	}
	return r.Status, c.e.Now() - start
}

func TestFaultsOfDMA(t *testing.T) {
	c, _ := faulty(t, fault.Spec{Kind: "dma-error", Count: 2}, fault.Spec{Kind: "dma-error", Count: 2, Value: 1},
		fault.Spec{Kind: "lost-completion", Count: 2, Duration: 7 * sim.Microsecond}, fault.Spec{Kind: "lost-completion", Count: 3})
	want := []struct {
		op     hw.Op
		status hw.Status
		took   sim.Time
		bit    int // of the uncorrectable error status
	}{
		{hw.Write, hw.OK, 0, -1},
		{hw.Write, hw.Unsupported, 0, 20},
		{hw.Write, hw.Aborted, 0, 15},
		{hw.Read, hw.OK, 0, -1},
		{hw.Read, hw.TimedOut, 7 * sim.Microsecond, 14},
		{hw.Read, hw.OK, 0, -1},
		{hw.Read, hw.TimedOut, DefaultConfig().CompletionTimeout, 14},
		{hw.Read, hw.OK, 0, -1},
	}
	for i, w := range want {
		c.ConfigWrite(regUEStatus, 4, all)
		status, took := c.ask(t, w.op)
		assert.Equal(t, w.status, status, i)
		assert.Equal(t, w.took, took, i)
		logged := uint32(0)
		if w.bit >= 0 {
			logged = 1 << w.bit
		}
		assert.Equal(t, logged, c.ConfigRead(regUEStatus, 4), i)
	}
}

func TestFaultsOfInterrupts(t *testing.T) {
	c, x := faulty(t)
	inject := func(s fault.Spec) {
		_, err := x.Inject(s)
		require.NoError(t, err)
	}
	raise := func(vectors ...int) int {
		before := len(c.messages)
		for _, v := range vectors {
			c.Raise(v)
		}
		return len(c.messages) - before
	}
	require.Equal(t, 1, raise(1))
	inject(fault.Spec{Kind: "irq-lost", Target: fault.On(1)})
	require.Equal(t, 1, raise(0, 1), "one is lost, the other vector's not")
	require.Equal(t, 1, raise(1))
	inject(fault.Spec{Kind: "irq-doubled"})
	require.Equal(t, 2, raise(1))
	inject(fault.Spec{Kind: "irq-late", Duration: 50})
	require.Zero(t, raise(1))
	n := len(c.messages)
	require.NoError(t, c.e.RunUntil(c.e.Now()+49))
	require.Len(t, c.messages, n)
	require.NoError(t, c.e.RunUntil(c.e.Now()+1))
	require.Len(t, c.messages, n+1)

	inject(fault.Spec{Kind: "irq-storm", Target: fault.On(1), Value: 40, Duration: 400, At: c.e.Now() + 5})
	require.NoError(t, c.e.RunUntil(c.e.Now()+4))
	require.Len(t, c.messages, n+1)
	require.NoError(t, c.e.Run())
	require.Len(t, c.messages, n+41)
	inject(fault.Spec{Kind: "irq-spurious", Target: fault.On(0), Count: 2})
	c.ask(t, hw.Write)
	require.Len(t, c.messages, n+41)
	c.ask(t, hw.Write)
	require.Equal(t, "0: 0x10=0x0", c.messages[n+41])
}

func TestFaultsOfTheHostsAccesses(t *testing.T) {
	c, x := faulty(t, fault.Spec{Kind: "all-ones", From: 0x40, To: 0x4f, Duration: 10 * sim.Nanosecond})
	require.EqualValues(t, 0x10, c.read(t, 0, 0x10))
	require.EqualValues(t, all, c.read(t, 0, 0x40))
	require.EqualValues(t, 0x10, c.read(t, 0, 0x10), "another register")
	require.EqualValues(t, all, c.read(t, 0, 0x44), "within the window")
	require.NoError(t, c.e.RunUntil(c.e.Now()+20*sim.Nanosecond))
	require.EqualValues(t, 0x40, c.read(t, 0, 0x40))

	require.EqualValues(t, 3, c.ConfigRead(regMSIX, 2)&0x7ff)
	few, err := x.Inject(fault.Spec{Kind: "fewer-vectors", Value: 2})
	require.NoError(t, err)
	require.EqualValues(t, 1, c.ConfigRead(regMSIX, 2)&0x7ff)
	require.EqualValues(t, 1, c.ConfigRead(capMSIX, 4)>>16&0x7ff)
	require.EqualValues(t, 0x11, c.ConfigRead(capMSIX, 4)&0xff)
	few.Disarm()
	require.EqualValues(t, 3, c.ConfigRead(regMSIX, 2)&0x7ff)
}

// A link that is lost comes back when the fault says so; the function is told of
// errors by those who listen.
func TestLinkLossAndMessages(t *testing.T) {
	b := newBench(DefaultConfig(), 1<<16)
	x := fault.New(b.e, []fault.Spec{{Kind: "link-loss", Count: 2, Duration: sim.Microsecond}})
	f := NewFunction(b.e, "fn", DefaultFunction(DefaultConfig(), 1), FunctionParts{Host: b.link, Faults: x})
	var heard []Severity
	f.onError = func(_ Error, s Severity) { heard = append(heard, s) }
	f.ConfigWrite(regCommand, 2, commandMemory|commandMaster|commandSERR)
	for i, want := range []hw.Status{hw.OK, hw.Unsupported} {
		r := b.request(uint64(i), hw.Read, 0, 0, 64, make([]byte, 64))
		f.Submit(r)
		require.NoError(t, b.e.RunUntil(b.e.Now()+900*sim.Nanosecond))
		require.Equal(t, want, r.Status)
	}
	require.True(t, b.link.IsDown())
	require.NoError(t, b.e.RunUntil(b.e.Now()+200*sim.Nanosecond))
	require.False(t, b.link.IsDown())
	for _, kind := range []string{"aer-nonfatal", "aer-fatal", "aer-corrected"} {
		_, err := x.Inject(fault.Spec{Kind: kind, At: b.e.Now()})
		require.NoError(t, err)
	}
	require.NoError(t, b.e.Run())
	require.Equal(t, []Severity{NonFatal, Fatal}, heard, "reports of corrected errors are off")
}

// Chaos mode delays, and keeps what the rules of ordering say: writes and
// interrupts become visible in the order of Submit.
func TestChaosModeKeepsOrder(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		ends := map[sim.Time]bool{}
		for seed := range uint64(8) {
			b := newBench(DefaultConfig(), 1<<16)
			b.host.ordered = ordered
			b.link.SetUpstream(b.host, b.host.interrupt)
			if seed > 0 {
				b.link.Chaos(seed)
			}
			for i := range uint64(40) {
				if i%4 == 3 {
					b.link.Submit(b.request(100+i, hw.Read, 1, i*64, 64, make([]byte, 64)))
				}
				b.link.Submit(b.request(i, hw.Write, hw.Source(i%3), i*64, 64, nil))
				b.link.Interrupt(int(i), 0, 0)
			}
			b.run(t)
			next, irq := uint64(0), 0
			for _, e := range b.host.seen {
				if e.interrupt >= 0 {
					require.Equal(t, irq, e.interrupt)
					require.Less(t, uint64(irq), next, "not before its payload")
					irq++
					continue
				}
				require.Equal(t, next*64, e.addr)
				next++
			}
			require.EqualValues(t, 40, next)
			require.Equal(t, 40, irq)
			ends[b.e.Now()] = true
		}
		require.Len(t, ends, 8, "each seed delays in its own way")
	}
}
