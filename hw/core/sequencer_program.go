package core

import (
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// programExpander feeds the units from the micro-operations of a PROGRAM, which
// it fetches from memory in chunks, checks, and appends in their order; a unit's
// full queue holds up what follows. The i-th core of the mask runs the
// operations at operand 0's Addr + i·BatchStride.
//
// In a PROGRAM int8 values count as they are (scale 1). VecMap of int32 multiplies
// by Param (0 is 1); norms have no scale and no bias of their own; batch norm,
// gather and pools do not exist. An elementwise or row-wise result of a type that
// is no wider may begin where an input does; otherwise they must not overlap. A SpadStride of 0 means packed
// rows.
type programExpander struct {
	c       *core
	addr    uint64 // of the first operation in chunk
	left    int64  // operations not fetched yet
	have    int64  // operations in chunk, of which the first used are appended
	used    int64
	pending bool
	base    hw.Bill
	sent    sim.Time
	req     hw.Request
	chunk   [64 * abi.MicroOpSize]byte
}

func (g *programExpander) init(c *core, name string) {
	g.c = c
	g.req.Done = sim.Call{H: c.e.Register(name, g.arrive)}
}

func (g *programExpander) reset(p *plan, i int64) expander {
	o := &p.k.Operands[0]
	g.addr, g.left = o.Addr+uint64(i)*o.BatchStride, int64(p.k.Dims[abi.DimMicroOps])
	g.have, g.used, g.pending = 0, 0, false
	return g
}

// position is the address of the next operation to append.
func (g *programExpander) position() uint64 { return g.addr + uint64(g.used)*abi.MicroOpSize }

// fill implements expander.
func (g *programExpander) fill(c *core) bool {
	for !g.pending {
		if g.used == g.have {
			if g.left == 0 {
				return true
			}
			g.fetch()
			break
		}
		var m abi.MicroOp
		at := g.used * abi.MicroOpSize
		if m.Decode(g.chunk[at:]) != abi.StatusOK || !c.sound(&m) {
			c.run.stop(abi.StatusBadDescriptor, g.position())
			break
		}
		if !c.append(&m) {
			break
		}
		g.used++
	}
	return false
}

// fetch reads the next chunk, up to a multiple of the largest request.
func (g *programExpander) fetch() {
	c := g.c
	g.addr = g.position()
	most := min(c.cfg.Core.RequestBytes, sim.Bytes(len(g.chunk)))
	n := int64(most) - int64(g.addr&uint64(most-1))
	n = min(n, g.left*abi.MicroOpSize)
	g.have, g.used, g.left = n/abi.MicroOpSize, 0, g.left-n/abi.MicroOpSize
	g.pending, g.base, g.sent = true, c.bill, c.e.Now()
	done := g.req.Done
	g.req = hw.Request{Op: hw.Read, Space: hw.Context, Source: c.source(), Exec: true, ASID: c.run.launch.ASID,
		Addr: g.addr, Bytes: n, Data: g.chunk[:n], Done: done}
	c.inflight++
	c.port.Submit(&g.req)
}

func (g *programExpander) arrive(uint64) {
	c, r := g.c, &g.req
	g.pending = false
	c.inflight--
	c.total.LoadBytes += r.Bytes
	c.total.LoadRequests++
	if r.Zero {
		clear(r.Data)
	}
	if r.Status != hw.OK {
		c.run.stop(r.Status.Code(), r.FaultAddr)
	}
	if c.stopped() {
		c.settle()
		return
	}
	d := c.e.Now() - g.sent
	o := memOp{waited: d, stalled: min(r.Stalled, d)}
	if r.Remote {
		o.remote = d - o.stalled
	}
	o.bill, o.start = g.base, g.sent
	c.bill = o.path(c.e.Now())
	c.advance()
}

// append puts a checked operation into its unit's queue, if there is room.
func (c *core) append(m *abi.MicroOp) bool {
	switch m.Unit {
	case abi.UnitLoad:
		return appendTransfer(&c.load.queue, m, m.InType)
	case abi.UnitStore:
		return appendTransfer(&c.store.queue, m, m.OutType)
	case abi.UnitArray:
		return c.appendProduct(m)
	}
	return c.appendVector(m)
}

func appendTransfer(q *ring[memOp], m *abi.MicroOp, t abi.DType) bool {
	if q.free() == 0 {
		return false
	}
	o, _ := q.push()
	o.wait, o.post = m.Wait, m.Post
	o.transfer = transfer{addr: m.Mem, planes: 1, rows: int64(m.Rows), rowBytes: int64(m.Cols) * int64(t.Size()),
		rowStride: uint64(m.MemStride)}
	o.packed(int64(m.Spad[0]))
	if m.SpadStride != 0 {
		o.spadRow = int64(m.SpadStride)
	}
	return true
}

func (c *core) appendProduct(m *abi.MicroOp) bool {
	if c.array.queue.free() == 0 {
		return false
	}
	o, _ := c.array.queue.push()
	o.wait, o.post = m.Wait, m.Post
	o.spec = c.productOf(m)
	o.a, o.b, o.c = int64(m.Spad[0]), int64(m.Spad[1]), int64(m.Spad[2])
	o.transB = m.Flags&abi.MicroTransB != 0
	return true
}

func (c *core) productOf(m *abi.MicroOp) ArraySpec {
	return ArraySpec{M: int64(m.Rows), K: int64(m.Depth), N: int64(m.Cols), Type: m.InType,
		Dataflow: c.cfg.Array.Dataflow, Accumulate: m.Flags&abi.MicroAccumulate != 0}
}

func (c *core) appendVector(m *abi.MicroOp) bool {
	if c.vector.queue.free() == 0 {
		return false
	}
	o, _ := c.vector.queue.push()
	o.wait, o.post = m.Wait, m.Post
	o.op, o.in, o.out, o.act = m.Op, m.InType, m.OutType, m.Act
	o.rows, o.cols, o.valid, o.param = int64(m.Rows), int64(m.Cols), int64(m.Cols), m.Param
	o.x, o.y, o.z = int64(m.Spad[0]), int64(m.Spad[1]), int64(m.Spad[2])
	o.residual, o.params = -1, -1
	if m.InType == abi.I32 {
		o.op, o.scales[0] = opEpilogue, m.Param
	}
	return true
}
