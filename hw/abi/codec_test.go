package abi_test

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
)

var (
	u64 = rapid.Uint64()
	u32 = rapid.Uint32()
)

func TestSubmissionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := abi.Submission{
			Op: rapid.Uint8Range(0, abi.RingRun).Draw(t, "op"), Flags: rapid.Uint8Range(0, 3).Draw(t, "flags"),
			ASID: rapid.Uint16().Draw(t, "asid"), Index: u32.Draw(t, "index"), Seqno: u64.Draw(t, "seqno"),
			Command: u64.Draw(t, "command") &^ 15, Bytes: rapid.Uint32Range(0, abi.MaxCommandBytes/16).Draw(t, "bytes") * 16,
			CoreMask: u32.Draw(t, "cores"), Fence: u64.Draw(t, "fence") &^ 7, FenceValue: u64.Draw(t, "value"),
			Cookie: u64.Draw(t, "cookie"), WatchdogUS: u32.Draw(t, "watchdog"),
		}
		var p [abi.SubmissionSize]byte
		s.Encode(p[:])
		var got abi.Submission
		require.Equal(t, abi.StatusOK, got.Decode(p[:]))
		require.Equal(t, s, got)
	})
}

func TestSubmissionFaults(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(p []byte)
		want   abi.Status
	}{
		"undefined opcode":   {func(p []byte) { p[0] = abi.RingRun + 1 }, abi.StatusBadOpcode},
		"undefined flag":     {func(p []byte) { p[1] = 4 }, abi.StatusBadEntry},
		"reserved field":     {func(p []byte) { p[63] = 1 }, abi.StatusBadEntry},
		"misaligned fence":   {func(p []byte) { p[32] = 4 }, abi.StatusBadEntry},
		"misaligned command": {func(p []byte) { p[16] = 8 }, abi.StatusBadEntry},
		"odd length":         {func(p []byte) { p[24] = 8 }, abi.StatusBadEntry},
		"too long":           {func(p []byte) { p[27] = 1 }, abi.StatusBadEntry},
	} {
		var p [abi.SubmissionSize]byte
		(&abi.Submission{Op: abi.RingRun}).Encode(p[:])
		c.damage(p[:])
		var s abi.Submission
		assert.Equal(t, c.want, s.Decode(p[:]), name)
	}
}

func TestCompletionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := abi.Completion{Seqno: u64.Draw(t, "seqno"), EndNS: u64.Draw(t, "end"), BusyNS: u64.Draw(t, "busy"),
			Status: abi.Status(rapid.Uint16().Draw(t, "status")), Epoch: rapid.Uint16().Draw(t, "epoch"),
			Phase: rapid.Bool().Draw(t, "phase"), Offset: rapid.Uint32Range(0, math.MaxInt32).Draw(t, "offset")}
		var p [abi.CompletionSize]byte
		c.Encode(p[:])
		var got abi.Completion
		got.Decode(p[:])
		require.Equal(t, c, got)
	})
}

func TestFaultRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := abi.Fault{Cause: rapid.Uint16Range(0, 0xfff).Draw(t, "cause"), ASID: rapid.Uint32Range(0, 0xfffff).Draw(t, "asid"),
			Valid: rapid.Bool().Draw(t, "pv"), Priv: rapid.Bool().Draw(t, "priv"), Type: rapid.Uint8Range(0, 0x3f).Draw(t, "type"),
			Addr: u64.Draw(t, "addr")}
		var p [abi.FaultSize]byte
		f.Encode(p[:])
		var got abi.Fault
		got.Decode(p[:])
		require.Equal(t, f, got)
	})
}

func TestContextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := abi.Context{Valid: rapid.Bool().Draw(t, "valid"), Mode: rapid.Uint8Range(0, 15).Draw(t, "mode"),
			Root: u64.Draw(t, "root") & (1<<56 - 1) &^ 4095, PASID: rapid.Uint32Range(0, 0xfffff).Draw(t, "pasid")}
		var p [abi.ContextSize]byte
		c.Encode(p[:])
		var got abi.Context
		got.Decode(p[:])
		require.Equal(t, c, got)
	})
}

// drawPacket makes a packet of any kind that is sound, with nothing set that its
// kind does not carry.
func drawPacket(t *rapid.T) abi.Packet {
	k := abi.Packet{Op: rapid.Uint8Range(0, abi.NumOps-1).Draw(t, "op"), Flags: rapid.Uint8Range(0, 1).Draw(t, "flags"), Tag: u32.Draw(t, "tag")}
	counts := [2]uint32{rapid.Uint32Range(1, math.MaxUint32).Draw(t, "rows"), rapid.Uint32Range(1, math.MaxUint32).Draw(t, "planes")}
	strides := [2]uint64{u64.Draw(t, "stride"), u64.Draw(t, "stride2")}
	switch k.Op {
	case abi.OpCopy:
		k.Src, k.Dst, k.RowBytes = u64.Draw(t, "src"), u64.Draw(t, "dst"), rapid.Uint64Range(1, 1<<40).Draw(t, "bytes")
		k.Counts, k.SrcStride, k.DstStride = counts, strides, [2]uint64{strides[1], strides[0]}
	case abi.OpFill:
		k.Dst, k.Value, k.RowBytes = u64.Draw(t, "dst"), u64.Draw(t, "pattern"), rapid.Uint64Range(1, 1<<40).Draw(t, "bytes")
		k.Counts, k.DstStride = counts, strides
	case abi.OpKernel:
		k.Addr, k.Value, k.Cores = u64.Draw(t, "addr")&^63, abi.KernelSize, u32.Draw(t, "cores")
	case abi.OpWait, abi.OpSignal:
		k.Addr, k.Value = u64.Draw(t, "addr")&^7, u64.Draw(t, "value")
	case abi.OpTimestamp:
		k.Addr = u64.Draw(t, "addr") &^ 7
	case abi.OpBarrier:
		k.Value = rapid.Uint64Range(0, 7).Draw(t, "kinds")
	case abi.OpIndirect:
		k.Addr, k.Value = u64.Draw(t, "addr")&^15, rapid.Uint64Range(0, abi.MaxCommandBytes/16).Draw(t, "bytes")*16
	}
	return k
}

func TestPacketRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawPacket(t)
		p := make([]byte, k.Size())
		k.Encode(p)
		var got abi.Packet
		n, s := got.Decode(p)
		require.Equal(t, abi.StatusOK, s)
		require.Equal(t, k.Size(), n)
		require.Equal(t, k, got)
		for cut := range n { // a packet that is cut off is an error
			_, s := got.Decode(p[:cut])
			require.NotEqual(t, abi.StatusOK, s)
		}
	})
}

// A packet's bytes are all of them fields or reserved: flipping a bit of a sound
// packet gives another packet or an error, never the same packet.
func TestPacketHasNoIgnoredBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawPacket(t)
		p := make([]byte, k.Size())
		k.Encode(p)
		bit := rapid.IntRange(0, 8*len(p)-1).Draw(t, "bit")
		p[bit/8] ^= 1 << (bit % 8)
		var got abi.Packet
		if _, s := got.Decode(p); s == abi.StatusOK {
			require.NotEqual(t, k, got)
		}
	})
}

func TestPacketFaults(t *testing.T) {
	whole := func(k abi.Packet) []byte {
		p := make([]byte, k.Size())
		k.Encode(p)
		return p
	}
	for name, c := range map[string]struct {
		p    []byte
		want abi.Status
	}{
		"undefined opcode":    {append([]byte{abi.NumOps, 0, 1, 0}, make([]byte, 12)...), abi.StatusBadOpcode},
		"undefined flag":      {whole(abi.Packet{Op: abi.OpNop, Flags: 2}), abi.StatusBadPacket},
		"wrong length":        {append([]byte{abi.OpNop, 0, 2, 0}, make([]byte, 28)...), abi.StatusBadPacket},
		"zero count":          {whole(abi.Packet{Op: abi.OpCopy, RowBytes: 1, Counts: [2]uint32{0, 1}}), abi.StatusBadPacket},
		"no bytes":            {whole(abi.Packet{Op: abi.OpFill, Counts: [2]uint32{1, 1}}), abi.StatusBadPacket},
		"misaligned slot":     {whole(abi.Packet{Op: abi.OpWait, Addr: 4}), abi.StatusBadPacket},
		"misaligned kernel":   {whole(abi.Packet{Op: abi.OpKernel, Addr: 32, Value: abi.KernelSize}), abi.StatusBadPacket},
		"kernel size":         {whole(abi.Packet{Op: abi.OpKernel, Value: 128}), abi.StatusBadPacket},
		"barrier kind":        {whole(abi.Packet{Op: abi.OpBarrier, Value: 8}), abi.StatusBadPacket},
		"misaligned indirect": {whole(abi.Packet{Op: abi.OpIndirect, Addr: 8}), abi.StatusBadPacket},
		"long indirect":       {whole(abi.Packet{Op: abi.OpIndirect, Value: abi.MaxCommandBytes + 16}), abi.StatusBadPacket},
		"nothing":             {nil, abi.StatusBadPacket},
	} {
		var k abi.Packet
		_, s := k.Decode(c.p)
		assert.Equal(t, c.want, s, name)
	}
}

func TestKernelRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dtype := rapid.Map(rapid.Uint8Range(0, uint8(abi.NumDTypes)-1), func(v uint8) abi.DType { return abi.DType(v) })
		k := abi.Kernel{Kind: rapid.Uint8Range(1, 4).Draw(t, "kind"), Op: rapid.Uint8Range(0, abi.NumVecOps-1).Draw(t, "op"),
			InType: dtype.Draw(t, "in"), OutType: dtype.Draw(t, "out"), Flags: rapid.Uint32Range(0, 15).Draw(t, "flags"),
			Bias: u64.Draw(t, "bias"), ColScale: u64.Draw(t, "colscale"), Scale: 0.5, OutScale: rapid.Float32().Draw(t, "outscale"),
			ResScale: 2, Param: rapid.Float32().Draw(t, "param"), Act: rapid.Uint8Range(0, abi.NumActs-1).Draw(t, "act"),
			Dataflow: rapid.Uint8Range(0, 2).Draw(t, "dataflow"), Order: rapid.Uint8Range(0, 1).Draw(t, "order"),
			Split: rapid.Uint8Range(0, 2).Draw(t, "split"), Cores: rapid.Uint8().Draw(t, "cores")}
		for i := range k.Dims {
			k.Dims[i] = u32.Draw(t, "dim")
		}
		for i := range k.Operands {
			k.Operands[i] = abi.Operand{Addr: u64.Draw(t, "addr"), RowStride: u64.Draw(t, "row"), BatchStride: u64.Draw(t, "batch")}
		}
		for i := range k.Tile {
			k.Tile[i] = u32.Draw(t, "tile")
		}
		for i := range k.Spad {
			k.Spad[i], k.Buffers[i] = u32.Draw(t, "spad"), rapid.Uint8().Draw(t, "buffers")
		}
		var p [abi.KernelSize]byte
		k.Encode(p[:])
		var got abi.Kernel
		require.Equal(t, abi.StatusOK, got.Decode(p[:]))
		require.Equal(t, k, got)
		p[249+rapid.IntRange(0, 6).Draw(t, "reserved")] = 1
		require.Equal(t, abi.StatusBadDescriptor, got.Decode(p[:]))
	})
}

func TestMicroOpRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := abi.MicroOp{Unit: rapid.Uint8Range(0, 3).Draw(t, "unit"), Op: rapid.Uint8Range(0, abi.NumVecOps-1).Draw(t, "op"),
			InType: abi.BF16, OutType: abi.F32, Wait: rapid.Uint16().Draw(t, "wait"), Post: rapid.Uint16().Draw(t, "post"),
			Mem: u64.Draw(t, "mem"), Rows: u32.Draw(t, "rows"), Cols: u32.Draw(t, "cols"), Depth: u32.Draw(t, "depth"),
			MemStride: u32.Draw(t, "mstride"), SpadStride: u32.Draw(t, "sstride"), Flags: rapid.Uint32Range(0, 3).Draw(t, "flags"),
			Param: 1.5, Act: rapid.Uint8Range(0, abi.NumActs-1).Draw(t, "act")}
		for i := range m.Spad {
			m.Spad[i] = u32.Draw(t, "spad")
		}
		var p [abi.MicroOpSize]byte
		m.Encode(p[:])
		var got abi.MicroOp
		require.Equal(t, abi.StatusOK, got.Decode(p[:]))
		require.Equal(t, m, got)
		p[61+rapid.IntRange(0, 2).Draw(t, "reserved")] = 1
		require.Equal(t, abi.StatusBadDescriptor, got.Decode(p[:]))
	})
}

// Whatever a ring or a command buffer holds, decoding ends with a status.
func FuzzDecode(f *testing.F) {
	f.Add(make([]byte, abi.KernelSize))
	f.Add([]byte{abi.OpCopy, 0, 5, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		var k abi.Packet
		if n, s := k.Decode(p); s == abi.StatusOK && (n <= 0 || n > len(p) || n%16 != 0) {
			t.Fatalf("a packet of %d bytes in %d", n, len(p))
		}
		whole := append(p, make([]byte, abi.KernelSize)...)
		(&abi.Submission{}).Decode(whole)
		(&abi.Completion{}).Decode(whole)
		(&abi.Kernel{}).Decode(whole)
		(&abi.MicroOp{}).Decode(whole)
		(&abi.Context{}).Decode(whole)
		(&abi.Fault{}).Decode(whole)
	})
}

func TestStatuses(t *testing.T) {
	seen := map[string]bool{}
	for s := abi.StatusOK; s < abi.NumStatus; s++ {
		assert.NotEmpty(t, s.String())
		assert.NotEmpty(t, s.Text())
		assert.False(t, seen[s.String()], "%s twice", s)
		seen[s.String()] = true
		assert.Equal(t, s == abi.StatusOK, s.Errno() == 0)
	}
	assert.True(t, errors.Is(abi.StatusPageFault.Errno(), unix.EFAULT))
	assert.Equal(t, unix.EIO, abi.Status(999).Errno(), "what a device makes up is an I/O error")
}

func TestRegisterTables(t *testing.T) {
	end := uint64(0)
	for i := range abi.Tables {
		table := &abi.Tables[i]
		require.Empty(t, reg.Check(*table), table.Name)
		require.GreaterOrEqual(t, table.Base, end, "%s overlaps the block before it", table.Name)
		end = table.Base + uint64(table.Instances()-1)*max(table.Stride, table.Size) + table.Size
		require.LessOrEqual(t, end, uint64(abi.RegistersSize))
	}
}

func TestOffset(t *testing.T) {
	assert.EqualValues(t, abi.BaseMMU+0x24, abi.Offset(&abi.MMU, "INV_CMD"))
	assert.Panics(t, func() { abi.Offset(&abi.MMU, "NO_SUCH") })
}

// The telemetry registers lie as the fields of the uAPI's struct do, so that a
// driver reads one into the other.
func TestTelemetryRegistersAreTheStruct(t *testing.T) {
	first := abi.Offset(&abi.Telemetry, "TIMESTAMP_NS")
	for i, name := range []string{"TIMESTAMP_NS", "CORE_BUSY_NS", "DMA_BUSY_NS", "LINK_RX_BYTES", "LINK_TX_BYTES", "MEM_READ_BYTES",
		"MEM_WRITE_BYTES", "JOBS_COMPLETED", "JOBS_FAILED", "TLB_HITS", "TLB_MISSES", "FAULTS", "ECC_CORRECTED", "ECC_UNCORRECTED"} {
		assert.EqualValues(t, first+uint64(8*i), abi.Offset(&abi.Telemetry, name), name)
	}
}
