package mmu

import (
	"encoding/binary"
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
	"github.com/stretchr/testify/require"
)

func TestContextEntriesAreChecked(t *testing.T) {
	good := abi.Context{Valid: true, Mode: ModeSv48, Root: 0x1000 | abi.DeviceBit}
	for _, c := range []struct {
		name   string
		w0, w1 uint64
		ok     bool
	}{
		{"as encoded", 0, 0, true},
		{"ENS", 1 << 1, 0, false},
		{"SUM", 1 << 2, 0, false},
		{"word 0, bit 11", 1 << 11, 0, false},
		{"word 0, bit 32", 1 << 32, 0, false},
		{"word 0, bit 63", 1 << 63, 0, false},
		{"word 1, bit 44", 0, 1 << 44, false},
		{"word 1, bit 59", 0, 1 << 59, false},
		{"root bit 52", 0, 1 << 40, false},
		{"root bit 54", 0, 1 << 42, false},
		{"mode 13", 0, 4 << 60, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var op MemOp
			good.Encode(op.Buf[:])
			op.setWord(0, op.Word(0)|c.w0)
			op.setWord(1, op.Word(1)|c.w1)
			got, ok := decodeContext(&op)
			require.Equal(t, c.ok, ok)
			if ok {
				require.Equal(t, good, got)
			}
		})
	}
}

// TestTableErrors has the context table or a page table in memory that does
// not answer or is corrupted.
func TestTableErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		table  bool // the page table, else the context table
		answer hw.Status
		status hw.Status
		cause  Cause
	}{
		{"no context table", false, hw.Unsupported, hw.Aborted, PDTAccessFault},
		{"corrupted context", false, hw.MemoryError, hw.MemoryError, PDTCorrupted},
		{"no page table", true, hw.Unsupported, hw.Aborted, LoadAccessFault},
		{"corrupted page table", true, hw.MemoryError, hw.MemoryError, PTCorrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, defaultConfig())
			root := r.newContext(1)
			r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
			r.u.Faults().Configure(0x2000|abi.DeviceBit, 2, true)
			bad := uint64(contextBase + abi.ContextSize)
			if c.table {
				bad = r.b.entry(root, 0x4000, 1)
			}
			r.m.fail = func(q *hw.Request) hw.Status {
				if q.Addr == bad {
					return c.answer
				}
				return hw.OK
			}
			q := r.read(1, 0x4000, 8)
			r.do(q)
			require.Equal(t, c.status, q.Status)
			require.Equal(t, c.cause, DecodeFault(r.m.device[0x2000:]).Cause)
		})
	}
}

func TestFaultRecordLayout(t *testing.T) {
	f := FaultRecord{Cause: StorePageFault, PID: 0xabcde, PV: true, Priv: true, TTYP: 3, DID: 0x123456,
		Iotval: 0x1122334455667788, Iotval2: 0x99}
	p := f.Encode()
	require.Equal(t, uint64(15|0xabcde<<12|1<<32|1<<33|3<<34|0x123456<<40), binary.LittleEndian.Uint64(p[:]))
	require.Zero(t, binary.LittleEndian.Uint64(p[8:]))
	require.Equal(t, f, DecodeFault(p[:]))
}

// TestBusIsRemote has targets that leave Remote to whoever knows.
func TestBusIsRemote(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.b.set(root, 0x5000, 0x10_0000, userRW, 0)
	s := newStub(r.Engine, latency)
	r.p = r.u.NewPort(s)
	for _, c := range []struct {
		addr   uint64
		n      int64
		remote bool
	}{{0x4000, 8, false}, {0x5000, 8, true}, {0x4ff8, 16, true}} {
		for range 2 {
			q := r.read(1, c.addr, c.n)
			r.do(q)
			require.Equal(t, c.remote, q.Remote)
		}
	}
}

// TestStallIsTheSumOfMisses reads two pages that both miss, one after the other.
func TestStallIsTheSumOfMisses(t *testing.T) {
	r := newRig(t, defaultConfig())
	root := r.newContext(1)
	r.b.set(root, 0x4000, 0x10_0000|abi.DeviceBit, userRW, 0)
	r.b.set(root, 0x5000, 0x30_0000|abi.DeviceBit, userRW, 0)
	q := r.read(1, 0x4800, 0x1000)
	r.do(q)
	require.Equal(t, 6*latency, q.Stalled, "a walk of five reads, then one of the leaf")
	require.Equal(t, 7*latency, r.Now())
	require.Less(t, q.Stalled, sim.Second)
}
