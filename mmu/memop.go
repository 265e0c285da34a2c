// Package mmu translates addresses: one page-table walker for the device MMU
// (contexts of the accelerator) and the host's IOMMU, the TLBs in front of it,
// and the two units themselves as ports in the data path.
//
// Page tables follow the RISC-V Privileged specification (Sv39, Sv48, Sv57,
// Svnapot, Svpbmt; Sv39x4, Sv48x4, Sv57x4 as second stage); the IOMMU follows
// the RISC-V IOMMU Architecture specification 1.0 with the extensions NL and S.
//
// Everything that reads memory is a machine that stops at each access: Resume
// names the next one. In simulation an access is a hw.Request, so that a table
// entry is read at the simulated time of the read; for the replay of recorded
// scenarios the same machine runs to completion against a plain memory.
package mmu

import (
	"encoding/binary"

	"github.com/presi-sim/presi/hw"
)

// MemOp is one access of a machine to memory. The machine fills in the first
// part, whoever runs it the result and, for a read, Buf.
type MemOp struct {
	Write  bool
	Atomic bool // half of an atomic update: the read that compares, the write that follows
	Addr   uint64
	Bytes  int // 4, 8, 16 or 32
	Buf    [32]byte

	Status hw.Status // OK, MemoryError (poisoned data), else an access fault
}

// Word returns 64-bit word i of the buffer.
func (op *MemOp) Word(i int) uint64 { return binary.LittleEndian.Uint64(op.Buf[8*i:]) }

func (op *MemOp) setWord(i int, v uint64) { binary.LittleEndian.PutUint64(op.Buf[8*i:], v) }

func (op *MemOp) read(addr uint64, bytes int) {
	op.Write, op.Atomic, op.Addr, op.Bytes = false, false, addr, bytes
}

func (op *MemOp) write(addr uint64, bytes int) {
	op.Write, op.Atomic, op.Addr, op.Bytes = true, false, addr, bytes
}

// machine is anything that proceeds from one access to the next. Resume is
// called once to start and after each access; it returns true when op holds a
// further access and false when the machine has ended.
type machine interface {
	Resume(op *MemOp) bool
}

// Memory serves accesses at once: the memory of a replay.
type Memory interface {
	Do(op *MemOp)
}

// run takes a machine to its end against a memory.
func run(m machine, mem Memory) {
	var op MemOp
	for m.Resume(&op) {
		mem.Do(&op)
	}
}
