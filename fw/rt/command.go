package rt

import (
	"encoding/binary"
	"fmt"

	"github.com/presi-sim/presi/hw/abi"
)

// Commands builds a command buffer. Packets are issued in order and run
// asynchronously: only Barrier, Then and Wait order them. A job is done when all
// of its packets are. The first mistake is kept and returned by Err and Submit.
//
// In memory the kernel descriptors follow the packets, 64-byte aligned.
type Commands struct {
	packets []byte
	kernels []byte  // encoded descriptors
	named   []int32 // offsets of KERNEL packets, by descriptor
	then    bool
	err     error
}

// Commands returns an empty command buffer.
func (q *Queue) Commands() *Commands { return &Commands{} }

// Reset empties the command buffer for the next one.
func (c *Commands) Reset() {
	c.packets, c.kernels, c.named = c.packets[:0], c.kernels[:0], c.named[:0]
	c.then, c.err = false, nil
}

// Len is the bytes of the packets.
func (c *Commands) Len() int { return len(c.packets) }

// Err is the first mistake.
func (c *Commands) Err() error { return c.err }

// Then makes the next packet wait for everything issued before it.
func (c *Commands) Then() *Commands {
	c.then = true
	return c
}

// add appends a packet.
func (c *Commands) add(p *abi.Packet) {
	at, n := len(c.packets), p.Size()
	if c.then {
		p.Flags, c.then = abi.FlagBarrier, false
	}
	c.packets = append(c.packets, make([]byte, n)...)
	p.Encode(c.packets[at:])
	if _, s := new(abi.Packet).Decode(c.packets[at:]); s != abi.StatusOK {
		c.fail("%s packet at offset %d: %s", abi.PacketNames[p.Op], at, s.Text())
	}
	if c.total() > abi.MaxCommandBytes {
		c.fail("command buffer is longer than %d bytes", abi.MaxCommandBytes)
	}
}

func (c *Commands) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("rt: "+format, args...)
	}
}

// Kernel runs a kernel on a mask of the queue's cores (0: all of them).
func (c *Commands) Kernel(k *abi.Kernel, cores uint32) {
	c.named = append(c.named, int32(len(c.packets)))
	at := len(c.kernels)
	c.kernels = append(c.kernels, make([]byte, abi.KernelSize)...)
	k.Encode(c.kernels[at:])
	c.add(&abi.Packet{Op: abi.OpKernel, Value: abi.KernelSize, Cores: cores})
}

// Kernels runs the kernels of one operation: they do not depend on each other.
func (c *Commands) Kernels(ks []abi.Kernel, cores uint32) {
	for i := range ks {
		c.Kernel(&ks[i], cores)
	}
}

// Region is what Copy moves: Counts[1] planes of Counts[0] rows of RowBytes;
// strides lead from row to row and from plane to plane, in bytes. A count of 0
// is 1.
type Region struct {
	Src, Dst             uint64
	RowBytes             uint64
	Counts               [2]uint32
	SrcStride, DstStride [2]uint64
}

// Copy copies a region with the DMA engines.
func (c *Commands) Copy(r Region) {
	c.add(&abi.Packet{Op: abi.OpCopy, Src: r.Src, Dst: r.Dst, RowBytes: r.RowBytes, Counts: counts(r.Counts),
		SrcStride: r.SrcStride, DstStride: r.DstStride})
}

// CopyBytes copies n bytes.
func (c *Commands) CopyBytes(dst, src, n uint64) { c.Copy(Region{Src: src, Dst: dst, RowBytes: n}) }

// CopyRows copies rows of cols elements between views of one type and step with
// the DMA engines: elements of any type. Library.Vector with abi.VecMap converts.
func (c *Commands) CopyRows(rows, cols int, dst, src Tensor) {
	n := uint64(cols) * uint64(src.size())
	if rows < 1 || cols < 1 || dst.Type != src.Type || dst.step() != src.step() {
		c.fail("copy of %d×%d elements from %v of step %g to %v of step %g: want at least 1 of one type and step",
			rows, cols, src.Type, src.step(), dst.Type, dst.step())
		return
	}
	r := Region{Src: src.Addr, Dst: dst.Addr, RowBytes: n, Counts: [2]uint32{uint32(rows)},
		SrcStride: [2]uint64{src.Row}, DstStride: [2]uint64{dst.Row}}
	if src.Row == n && dst.Row == n {
		r.RowBytes, r.Counts[0] = n*uint64(rows), 1
	}
	c.Copy(r)
}

// Fill fills a region's destination with an 8-byte pattern.
func (c *Commands) Fill(r Region, pattern uint64) {
	c.add(&abi.Packet{Op: abi.OpFill, Dst: r.Dst, Value: pattern, RowBytes: r.RowBytes, Counts: counts(r.Counts), DstStride: r.DstStride})
}

func counts(n [2]uint32) [2]uint32 { return [2]uint32{max(n[0], 1), max(n[1], 1)} }

// Barrier holds the packets after it up until those before it are done; kinds
// are abi.Barrier….
func (c *Commands) Barrier(kinds uint32) { c.add(&abi.Packet{Op: abi.OpBarrier, Value: uint64(kinds)}) }

// Signal writes value to the fence slot at addr once everything before is done
// and visible.
func (c *Commands) Signal(addr, value uint64) {
	c.add(&abi.Packet{Op: abi.OpSignal, Addr: addr, Value: value})
}

// Wait waits until the fence slot at addr holds at least value.
func (c *Commands) Wait(addr, value uint64) {
	c.add(&abi.Packet{Op: abi.OpWait, Addr: addr, Value: value})
}

// Timestamp writes the device's time to addr.
func (c *Commands) Timestamp(addr uint64) { c.add(&abi.Packet{Op: abi.OpTimestamp, Addr: addr}) }

// Nop appends a packet that does nothing.
func (c *Commands) Nop() { c.add(&abi.Packet{Op: abi.OpNop}) }

// total is the bytes of packets and descriptors.
func (c *Commands) total() int { return c.descriptors() + len(c.kernels) }

// descriptors is where the descriptors begin.
func (c *Commands) descriptors() int { return (len(c.packets) + 63) &^ 63 }

// image lays the command buffer out for a buffer object at addr.
func (c *Commands) image(addr uint64) []byte {
	p := make([]byte, c.total())
	copy(p, c.packets)
	first := c.descriptors()
	copy(p[first:], c.kernels)
	for i, at := range c.named {
		binary.LittleEndian.PutUint64(p[at+8:], addr+uint64(first+i*abi.KernelSize))
	}
	return p
}

// commandPool keeps a queue's command buffer objects: those of finished jobs
// are used again.
type commandPool struct {
	queue *Queue
	free  []*commandBO
	busy  []*commandBO // in order of submission
}

type commandBO struct {
	bo    *Buffer
	point uint64 // of the job that uses it
}

// minCommandBO is the smallest command buffer object.
const minCommandBO = 16 << 10

// load writes the commands to a free buffer object.
func (p *commandPool) load(c *Commands) (*commandBO, error) {
	switch {
	case c == nil || len(c.packets) == 0 && c.err == nil:
		return nil, fmt.Errorf("rt: a job without commands")
	case c.err != nil:
		return nil, c.err
	}
	b, err := p.take(int64(c.total()))
	if err != nil {
		return nil, err
	}
	if _, err := b.bo.WriteAt(c.image(b.bo.Addr), 0); err != nil {
		p.put(b)
		return nil, fmt.Errorf("rt: command buffer: %w", err)
	}
	return b, nil
}

// take returns a buffer object of at least size bytes. It asks the device which
// jobs are done only when those known to be done leave none.
func (p *commandPool) take(size int64) (*commandBO, error) {
	p.recycle()
	if b := p.fit(size); b != nil {
		return b, nil
	}
	if len(p.busy) > 0 {
		reached, err := p.queue.timeline.Reached()
		if err != nil {
			return nil, err
		}
		p.queue.reached = max(p.queue.reached, reached)
		p.recycle()
		if b := p.fit(size); b != nil {
			return b, nil
		}
	}
	n := int64(minCommandBO)
	for n < size {
		n *= 2
	}
	bo, err := p.queue.dev.NewBuffer(n, abi.BOHost|abi.BOCommand)
	if err != nil {
		return nil, err
	}
	return &commandBO{bo: bo}, nil
}

// recycle frees what finished jobs used.
func (p *commandPool) recycle() {
	n := 0
	for n < len(p.busy) && p.busy[n].point <= p.queue.reached {
		p.free = append(p.free, p.busy[n])
		n++
	}
	p.busy = append(p.busy[:0], p.busy[n:]...)
}

// fit takes the first free buffer object of at least size bytes.
func (p *commandPool) fit(size int64) *commandBO {
	for i, b := range p.free {
		if b.bo.Size >= size {
			p.free = append(p.free[:i], p.free[i+1:]...)
			return b
		}
	}
	return nil
}

// put gives back what was not submitted.
func (p *commandPool) put(b *commandBO) { p.free = append(p.free, b) }

// sent notes that the job of a point uses b.
func (p *commandPool) sent(b *commandBO, point uint64) {
	b.point = point
	p.busy = append(p.busy, b)
}

// close drops all buffer objects; those of running jobs live on until the end.
func (p *commandPool) close() (err error) {
	for _, b := range append(p.free, p.busy...) {
		if e := b.bo.Close(); err == nil {
			err = e
		}
	}
	p.free, p.busy = nil, nil
	return err
}
