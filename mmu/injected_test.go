package mmu

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// faultyRig is a rig with contexts 3 and 4, which map one address to different
// pages, a fault ring, and an injector.
func faultyRig(t *testing.T, specs ...fault.Spec) (r *rig, root uint64) {
	r = newRig(t, defaultConfig())
	r.u.injector = fault.New(r.Engine, specs)
	for i, asid := range []uint16{3, 4} {
		root = r.newContext(asid)
		r.b.set(root, injectedVA, uint64(0x20_0000+i<<16)|abi.DeviceBit, userRW, 0)
		r.m.device[0x20_0000+i<<16] = byte(asid)
	}
	r.u.Faults().Configure(0x10_0000|abi.DeviceBit, 3, true)
	return r, root
}

const injectedVA = 0x7000_0000_0000

// get reads a byte of a context and returns what came back.
func (r *rig) get(asid uint16) (byte, hw.Status) {
	q := r.read(asid, injectedVA, 1)
	r.do(q)
	if q.Zero {
		return 0, q.Status
	}
	return q.Data[0], q.Status
}

func TestInjectedWalkFaults(t *testing.T) {
	for _, c := range []struct {
		kind   string
		status hw.Status
		cause  Cause
	}{
		{"page-fault", hw.PageFault, LoadPageFault},
		{"perm-fault", hw.PermFault, LoadPageFault},
		{"walk-abort", hw.Aborted, LoadAccessFault},
		{"wrong-context", hw.PageFault, PDTNotValid},
	} {
		r, _ := faultyRig(t, fault.Spec{Kind: c.kind, Target: fault.On(4), From: injectedVA, To: injectedVA + 4095})
		v, status := r.get(3)
		require.Equal(t, hw.OK, status, c.kind)
		require.EqualValues(t, 3, v)
		_, status = r.get(4)
		require.Equal(t, c.status, status, c.kind)
		record := DecodeFault(r.m.device[0x10_0000:])
		require.Equal(t, c.cause, record.Cause, c.kind)
		require.EqualValues(t, 4, record.PID)
		require.EqualValues(t, injectedVA, record.Iotval)
		v, status = r.get(4)
		require.Equal(t, hw.OK, status, "once")
		require.EqualValues(t, 4, v)
	}
}

// A walk through another context's tables reads that one's page, and the
// translation stays wrong until it is invalidated.
func TestInjectedWrongContext(t *testing.T) {
	r, _ := faultyRig(t, fault.Spec{Kind: "wrong-context", Target: fault.On(3), Value: 4})
	for range 2 {
		v, status := r.get(3)
		require.Equal(t, hw.OK, status)
		require.EqualValues(t, 4, v)
	}
	r.u.Invalidate(3, 0, 0, false, sim.Call{})
	require.NoError(t, r.Run())
	v, _ := r.get(3)
	require.EqualValues(t, 3, v)
}

// An invalidation that drops nothing is done all the same; the next one works.
func TestInjectedStaleTLB(t *testing.T) {
	r, root := faultyRig(t, fault.Spec{Kind: "stale-tlb"})
	_, status := r.get(4)
	require.Equal(t, hw.OK, status)
	r.b.set(root, injectedVA, 0, 0, 0)
	for _, want := range []hw.Status{hw.OK, hw.PageFault} {
		before := r.done
		r.u.Invalidate(4, injectedVA, 4096, false, sim.Call{H: r.hit})
		require.NoError(t, r.Run())
		require.Equal(t, before+1, r.done, "it is done")
		_, status = r.get(4)
		require.Equal(t, want, status)
	}
}

// A record that is lost leaves the ring as if it were full.
func TestInjectedRecordLost(t *testing.T) {
	r, _ := faultyRig(t, fault.Spec{Kind: "record-lost"}, fault.Spec{Kind: "page-fault", Target: fault.On(4), Times: 2})
	_, status := r.get(4)
	require.Equal(t, hw.PageFault, status)
	require.True(t, r.u.Faults().Overflow())
	require.Zero(t, r.u.Faults().Tail())
	r.u.Faults().ClearErrors()
	_, status = r.get(4)
	require.Equal(t, hw.PageFault, status)
	require.EqualValues(t, 1, r.u.Faults().Tail())
}
