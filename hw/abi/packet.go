package abi

// MaxCommandBytes bounds a command buffer.
const MaxCommandBytes = 2 << 20

// Packet opcodes.
const (
	OpNop       = 0
	OpCopy      = 1
	OpFill      = 2
	OpKernel    = 3
	OpWait      = 4
	OpSignal    = 5
	OpTimestamp = 6
	OpBarrier   = 7
	OpIndirect  = 8
	NumOps      = 9
)

// FlagBarrier in a packet header: wait for everything issued before.
const FlagBarrier = 1 << 0

// Kinds of barrier, a mask.
const (
	BarrierCopy    = 1 << 0 // copies and fills are finished
	BarrierCompute = 1 << 1 // kernels are finished
	BarrierVisible = 1 << 2 // and what they wrote is visible to host and device
)

// PacketSizes holds each packet's bytes, header included, by opcode.
var PacketSizes = [NumOps]int{16, 80, 64, 32, 32, 32, 16, 16, 32}

// PacketNames holds each packet's name, by opcode.
var PacketNames = [NumOps]string{"NOP", "COPY", "FILL", "KERNEL", "WAIT", "SIGNAL", "TIMESTAMP", "BARRIER", "INDIRECT"}

// Packet is one command, decoded: the union of all kinds. Header (8 B):
// u8 op, u8 flags, u16 length/16, u32 tag.
type Packet struct {
	Op    uint8
	Flags uint8
	Tag   uint32

	Addr  uint64 // KERNEL descriptor, WAIT/SIGNAL/TIMESTAMP slot, INDIRECT buffer
	Value uint64 // WAIT, SIGNAL value; FILL pattern; BARRIER kinds; INDIRECT and KERNEL bytes
	Cores uint32 // KERNEL

	Src, Dst  uint64 // COPY, FILL
	RowBytes  uint64
	Counts    [2]uint32
	SrcStride [2]uint64
	DstStride [2]uint64
}

// Size returns the packet's bytes on the wire.
func (k *Packet) Size() int { return PacketSizes[k.Op] }

// Encode lays k out in p[:k.Size()].
func (k *Packet) Encode(p []byte) {
	n := k.Size()
	clear(p[:n])
	p[0], p[1] = k.Op, k.Flags
	le.PutUint16(p[2:], uint16(n/16))
	le.PutUint32(p[4:], k.Tag)
	switch k.Op {
	case OpCopy:
		put64(p[8:], k.Src, k.Dst, k.RowBytes)
		put32(p[32:], k.Counts[0], k.Counts[1])
		put64(p[40:], k.SrcStride[0], k.SrcStride[1], k.DstStride[0], k.DstStride[1])
	case OpFill:
		put64(p[8:], k.Dst, k.Value, k.RowBytes)
		put32(p[32:], k.Counts[0], k.Counts[1])
		put64(p[40:], k.DstStride[0], k.DstStride[1])
	case OpKernel:
		put64(p[8:], k.Addr)
		put32(p[16:], uint32(k.Value), k.Cores)
	case OpWait, OpSignal:
		put64(p[8:], k.Addr, k.Value)
	case OpTimestamp:
		put64(p[8:], k.Addr)
	case OpBarrier:
		put32(p[8:], uint32(k.Value))
	case OpIndirect:
		put64(p[8:], k.Addr)
		put32(p[16:], uint32(k.Value))
	}
}

// Decode reads the packet at the start of p and returns its bytes. Anything
// out of order (unknown opcode or flag, wrong length, misaligned slot, zero
// count, a reserved field) is a status.
func (k *Packet) Decode(p []byte) (int, Status) {
	if len(p) < 16 {
		return 0, StatusBadPacket
	}
	*k = Packet{Op: p[0], Flags: p[1], Tag: le.Uint32(p[4:])}
	if k.Op >= NumOps {
		return 0, StatusBadOpcode
	}
	n := k.Size()
	if int(le.Uint16(p[2:]))*16 != n || n > len(p) || k.Flags&^FlagBarrier != 0 {
		return 0, StatusBadPacket
	}
	used := k.body(p)
	for _, b := range p[used:n] {
		if b != 0 {
			return 0, StatusBadPacket
		}
	}
	if !k.sound() {
		return 0, StatusBadPacket
	}
	return n, StatusOK
}

// body reads what follows the header and returns where it ends.
func (k *Packet) body(p []byte) (used int) {
	switch k.Op {
	case OpCopy:
		k.Src, k.Dst, k.RowBytes = le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[24:])
		k.Counts = [2]uint32{le.Uint32(p[32:]), le.Uint32(p[36:])}
		k.SrcStride = [2]uint64{le.Uint64(p[40:]), le.Uint64(p[48:])}
		k.DstStride = [2]uint64{le.Uint64(p[56:]), le.Uint64(p[64:])}
		return 72
	case OpFill:
		k.Dst, k.Value, k.RowBytes = le.Uint64(p[8:]), le.Uint64(p[16:]), le.Uint64(p[24:])
		k.Counts = [2]uint32{le.Uint32(p[32:]), le.Uint32(p[36:])}
		k.DstStride = [2]uint64{le.Uint64(p[40:]), le.Uint64(p[48:])}
		return 56
	case OpKernel:
		k.Addr, k.Value, k.Cores = le.Uint64(p[8:]), uint64(le.Uint32(p[16:])), le.Uint32(p[20:])
		return 24
	case OpWait, OpSignal:
		k.Addr, k.Value = le.Uint64(p[8:]), le.Uint64(p[16:])
		return 24
	case OpTimestamp:
		k.Addr = le.Uint64(p[8:])
		return 16
	case OpBarrier:
		k.Value = uint64(le.Uint32(p[8:]))
		return 12
	case OpIndirect:
		k.Addr, k.Value = le.Uint64(p[8:]), uint64(le.Uint32(p[16:]))
		return 20
	}
	return 8
}

func (k *Packet) sound() bool {
	switch k.Op {
	case OpCopy, OpFill:
		return k.RowBytes > 0 && k.RowBytes <= 1<<40 && k.Counts[0] > 0 && k.Counts[1] > 0
	case OpKernel:
		return k.Addr%64 == 0 && k.Value == KernelSize
	case OpWait, OpSignal, OpTimestamp:
		return k.Addr%8 == 0
	case OpBarrier:
		return k.Value&^(BarrierCopy|BarrierCompute|BarrierVisible) == 0
	case OpIndirect:
		return k.Addr%16 == 0 && k.Value%16 == 0 && k.Value <= MaxCommandBytes
	}
	return true
}

func put64(p []byte, v ...uint64) {
	for i, x := range v {
		le.PutUint64(p[8*i:], x)
	}
}

func put32(p []byte, v ...uint32) {
	for i, x := range v {
		le.PutUint32(p[4*i:], x)
	}
}
