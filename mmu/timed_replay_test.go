package mmu

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
	"github.com/stretchr/testify/require"
)

// timedRAM puts a scenario's memory behind a Target with latency.
type timedRAM struct {
	e     *sim.Engine
	m     *replayRAM
	queue []*hw.Request
	serve sim.Handler
}

func newTimedRAM(e *sim.Engine, m *replayRAM) *timedRAM {
	t := &timedRAM{e: e, m: m}
	t.serve = e.Register("scenario memory", func(uint64) {
		r := t.queue[0]
		t.queue = t.queue[1:]
		op := MemOp{Write: r.Op == hw.Write, Addr: r.Addr, Bytes: int(r.Bytes)}
		copy(op.Buf[:], r.Data)
		m.Do(&op)
		r.Status = op.Status
		if !op.Write {
			copy(r.Data, op.Buf[:])
		}
		e.Fire(r.Done)
	})
	return t
}

func (t *timedRAM) Submit(r *hw.Request) {
	t.queue = append(t.queue, r)
	t.e.After(100*sim.Nanosecond, sim.Call{H: t.serve})
}

// timedPlayer runs a scenario's register accesses, memory accesses and
// untranslated requests on the IOMMU in simulated time.
type timedPlayer struct {
	t     *testing.T
	e     *sim.Engine
	m     *replayRAM
	u     *IOMMU
	ports map[uint32]*IOMMUPort
	last  uint64 // where the last request arrived
	down  hw.Target
	name  string
	seen  map[string]int
	at    *player // the same IOMMU, for what no port asks for
}

func newTimedPlayer(t *testing.T, sc *scenario) *timedPlayer {
	p := &timedPlayer{t: t, e: sim.New(1), name: sc.Name, ports: map[uint32]*IOMMUPort{}, seen: map[string]int{}}
	p.m = newPlayer(sc, DefaultIOMMUConfig()).m
	p.u = NewIOMMU(p.e, DefaultIOMMUConfig(), uint64(sc.Caps), newTimedRAM(p.e, p.m), 0)
	p.u.fctl, p.u.ignored = uint32(sc.Fctl), modelIgnores
	p.at = &player{c: p.u.iommuCore, m: p.m, x: newTranslation(p.u.iommuCore)}
	p.down = hw.TargetFunc(func(r *hw.Request) {
		p.last = r.Addr
		p.e.After(sim.Nanosecond, r.Done)
	})
	return p
}

func (p *timedPlayer) run() { require.NoError(p.t, p.e.Run(), p.name) }

func (p *timedPlayer) step(o *op) {
	p.seen[o.Op]++
	switch o.Op {
	case "reg_write":
		p.u.MMIOWrite(o.Off, o.Size, uint64(o.Val))
	case "reg_read":
		mask := ^uint64(0)
		if o.Mask != nil {
			mask = uint64(*o.Mask)
		}
		if o.Expect != nil && o.Expect.Val != nil {
			require.Equal(p.t, *o.Expect.Val, hex(p.u.MMIORead(o.Off, o.Size)&mask), "%s: register %d", p.name, o.Off)
		}
	case "mem_write":
		p.m.put(uint64(o.Addr), uint64(o.Val))
	case "mem_read":
		require.Equal(p.t, *o.Expect.Val, hex(p.m.get(uint64(o.Addr))), "%s: memory %v", p.name, o.Addr)
	case "flush":
		p.u.flush()
	case "command":
		q := &p.u.cq
		p.m.put(q.base+uint64(q.tail)*commandBytes, uint64(o.Lo))
		p.m.put(q.base+uint64(q.tail)*commandBytes+8, uint64(o.Hi))
		p.u.MMIOWrite(RegCQT, 4, uint64((q.tail+1)&q.mask()))
	case "translate":
		if o.AT == Untranslated && o.Exec == 0 {
			p.translate(o)
			return
		}
		p.at.want = o.Expect
		p.m.reads, p.m.updates = nil, nil
		p.at.translate(o)
	case "fq_read":
		p.at.want = o.Expect
		p.at.readFaults(o)
	}
	require.Empty(p.t, p.at.mismatches, p.name)
	p.run()
	if o.Expect != nil && o.Expect.CQH != nil {
		require.Equal(p.t, *o.Expect.CQH, hex(p.u.MMIORead(RegCQH, 4)), "%s: cqh", p.name)
	}
}

func (p *timedPlayer) translate(o *op) {
	port := p.ports[o.DID]
	if port == nil {
		port = p.u.NewPort(o.DID, p.down)
		p.ports[o.DID] = port
	}
	tail, fired := p.u.fq.tail, 0
	r := &hw.Request{Op: hw.Read, Space: hw.BusAddr, Addr: uint64(o.IOVA), Bytes: 1, PASID: o.PID, HasPASID: o.PV != 0,
		Priv: o.Priv != 0, Done: sim.Call{H: p.e.Register("answer", func(uint64) { fired++ })}}
	if o.RW == "w" {
		r.Op = hw.Write
	}
	p.m.reads = nil
	port.Submit(r)
	p.run()
	if o.Cold != 0 && len(*o.Expect.PTEWrites) == 0 { // an update reads once more, to compare
		require.Equal(p.t, *o.Expect.Reads, append([]hexPair{}, p.m.reads...), "%s: %+v", p.name, o)
	}
	require.Equal(p.t, 1, fired, "%s: %+v", p.name, o)
	w := o.Expect
	if w.Cause == nil {
		require.Equal(p.t, hw.OK, r.Status, "%s: %+v", p.name, o)
		if w.PA != nil {
			require.Equal(p.t, *w.PA, hex(p.last), "%s: %+v", p.name, o)
		}
		return
	}
	require.Equal(p.t, hw.Unsupported, r.Status, "%s: %+v", p.name, o)
	require.Equal(p.t, *w.FQN, int((p.u.fq.tail-tail)&p.u.fq.mask()), "%s: %+v", p.name, o)
	if *w.FQN == 1 {
		at := p.u.fq.base + uint64(tail)*FaultBytes
		require.Equal(p.t, Cause(*w.Cause), DecodeFault(p.m.page(at)[at&pageMask:]).Cause, "%s: %+v", p.name, o)
	}
}

// timed reports whether a scenario is of operations that work in simulated
// time; page requests and ATS invalidations do not.
func timed(sc *scenario) bool {
	for i := range sc.Ops {
		switch sc.Ops[i].Op {
		case "translate", "reg_write", "reg_read", "mem_write", "mem_read", "flush", "command", "fq_read":
		default:
			return false
		}
	}
	return true
}

// TestTimedIOMMUAnswersAsRecorded runs recorded scenarios in simulated time.
func TestTimedIOMMUAnswersAsRecorded(t *testing.T) {
	files, err := filepath.Glob("../validate/refs/iommu/0[1-6]_*.jsonl.gz")
	require.NoError(t, err)
	require.Len(t, files, 6)
	ran, translated := 0, 0
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(t, err)
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var sc scenario
			require.NoError(t, json.Unmarshal(lines.Bytes(), &sc))
			if !timed(&sc) {
				continue
			}
			p := newTimedPlayer(t, &sc)
			for i := range sc.Ops {
				p.step(&sc.Ops[i])
			}
			ran++
			translated += p.seen["translate"]
		}
		require.NoError(t, lines.Err())
		f.Close()
	}
	t.Logf("%d scenarios, %d translations", ran, translated)
	require.Greater(t, ran, 300)
	require.Greater(t, translated, 2000)
}
