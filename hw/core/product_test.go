package core

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/sim"
)

// productCase is a random GEMM or CONV with its tensors and its reference.
type productCase struct {
	k                *abi.Kernel
	outer            int64
	a, b, c, res     tensor
	bias, scale      tensor
	m                *machine
	conv             bool
	r, s, sh, sw     int64
	ph, pw, dh, dw   int64
	groups, channels int64
}

func drawTypes(t *rapid.T) (in, out abi.DType) {
	types := rapid.SampledFrom([]abi.DType{abi.F32, abi.BF16, abi.I8})
	return types.Draw(t, "in"), types.Draw(t, "out")
}

// drawMapping fills in tile sizes, order, split, dataflow and buffers.
func drawMapping(t *rapid.T, k *abi.Kernel, limits [4]uint32) {
	for i, l := range limits {
		if l > 0 {
			k.Tile[i] = rapid.Uint32Range(1, l+2).Draw(t, "tile")
		}
	}
	k.Order = uint8(rapid.IntRange(0, 1).Draw(t, "order"))
	k.Dataflow = uint8(rapid.IntRange(0, 2).Draw(t, "dataflow"))
	k.Split = uint8(rapid.IntRange(0, 2).Draw(t, "split"))
	k.Cores = uint8(rapid.IntRange(0, 4).Draw(t, "cores of the kernel"))
	for i := range k.Buffers {
		k.Buffers[i] = uint8(rapid.IntRange(1, 4).Draw(t, "buffers"))
	}
}

// drawEpilogue fills in what follows the accumulator.
func drawEpilogue(t *rapid.T, k *abi.Kernel) {
	k.Scale = rapid.SampledFrom([]float32{1, 0.5, 2}).Draw(t, "scale")
	k.OutScale, k.ResScale = 4, 0.25
	k.Act = uint8(rapid.SampledFrom([]int{abi.ActNone, abi.ActReLU, abi.ActReLU6}).Draw(t, "act"))
	k.Flags |= uint32(rapid.SampledFrom([]int{0, abi.KernelBias, abi.KernelColScale | abi.KernelResidual, 14}).Draw(t, "flags"))
}

func drawGemm(t *rapid.T) *productCase {
	p := &productCase{k: &abi.Kernel{Kind: abi.KernelGEMM}, r: 1, s: 1, sh: 1, sw: 1, dh: 1, dw: 1, groups: 1}
	k := p.k
	k.InType, k.OutType = drawTypes(t)
	extent := rapid.Uint32Range(1, 40)
	m, n, d := extent.Draw(t, "m"), extent.Draw(t, "n"), extent.Draw(t, "k")
	batch, outer := rapid.Uint32Range(1, 3).Draw(t, "batch"), rapid.Uint32Range(1, 2).Draw(t, "outer")
	p.outer, p.channels = int64(outer), int64(d)
	k.Dims = [16]uint32{batch, m, n, d, outer}
	gap := rapid.SampledFrom([]int64{0, 4, 24}).Draw(t, "gap")
	var l layout
	p.a = l.tensor(k.InType, int64(outer), int64(batch), int64(m), 1, int64(d), gap)
	if rapid.Bool().Draw(t, "transposed") {
		k.Flags |= abi.KernelTransB
		p.b = l.tensor(k.InType, int64(outer), int64(batch), int64(n), 1, int64(d), gap)
	} else {
		p.b = l.tensor(k.InType, int64(outer), int64(batch), int64(d), 1, int64(n), gap)
	}
	if rapid.Bool().Draw(t, "shared weights") {
		p.b.batch, p.b.outer = 0, 0
	}
	p.outputs(&l, int64(outer), int64(batch), int64(m), 1, int64(n), gap)
	k.Dims[5], k.Dims[6], k.Dims[7], k.Dims[8] = uint32(p.a.outer), uint32(p.b.outer), uint32(p.c.outer), uint32(p.res.outer)
	drawEpilogue(t, k)
	drawMapping(t, k, [4]uint32{m, n, d})
	return p.finish(&l)
}

func drawConv(t *rapid.T) *productCase {
	small := rapid.Int64Range(1, 3)
	p := &productCase{k: &abi.Kernel{Kind: abi.KernelConv}, conv: true, outer: 1,
		r: small.Draw(t, "r"), s: small.Draw(t, "s"), sh: small.Draw(t, "sh"), sw: small.Draw(t, "sw"),
		ph: rapid.Int64Range(0, 3).Draw(t, "ph"), pw: rapid.Int64Range(0, 3).Draw(t, "pw"),
		dh: rapid.Int64Range(1, 2).Draw(t, "dh"), dw: rapid.Int64Range(1, 2).Draw(t, "dw")}
	k := p.k
	k.InType, k.OutType = drawTypes(t)
	p.groups = rapid.SampledFrom([]int64{1, 1, 2, 6}).Draw(t, "groups")
	cg, fg := rapid.Int64Range(1, 12).Draw(t, "channels"), rapid.Int64Range(1, 12).Draw(t, "filters")
	if p.groups == 6 {
		cg, fg = 1, 1
	}
	images := rapid.Int64Range(1, 2).Draw(t, "images")
	h, w := rapid.Int64Range(1, 12).Draw(t, "h"), rapid.Int64Range(1, 12).Draw(t, "w")
	oh := max((h+2*p.ph-(p.r-1)*p.dh-1)/p.sh+1, 1)
	ow := max((w+2*p.pw-(p.s-1)*p.dw-1)/p.sw+1, 1)
	c, f := cg*p.groups, fg*p.groups
	p.channels = c
	for i, v := range []int64{images, h, w, c, f, p.r, p.s, p.sh, p.sw, p.ph, p.pw, p.dh, p.dw, p.groups, oh, ow} {
		k.Dims[i] = uint32(v)
	}
	gap := rapid.SampledFrom([]int64{0, 8}).Draw(t, "gap")
	var l layout
	p.a = l.tensor(k.InType, 1, images, h, w, c, gap)
	p.b = l.tensor(k.InType, 1, 1, p.r*p.s*cg, 1, f, gap)
	p.outputs(&l, 1, images, oh, ow, f, gap)
	drawEpilogue(t, k)
	drawMapping(t, k, [4]uint32{uint32(oh), uint32(fg), uint32(cg), uint32(ow)})
	if p.groups > 1 && rapid.Bool().Draw(t, "tiles of groups") {
		k.Tile[abi.TileN] = uint32(fg * rapid.Int64Range(1, p.groups).Draw(t, "span"))
		k.Tile[abi.TileK] = uint32(cg)
	} else if p.groups > 1 {
		k.Tile[abi.TileN] = min(k.Tile[abi.TileN], uint32(fg))
	}
	return p.finish(&l)
}

func (p *productCase) outputs(l *layout, outer, images, h, w, f, gap int64) {
	p.c = l.tensor(p.k.OutType, outer, images, h, w, f, gap)
	p.res = l.tensor(p.k.OutType, outer, images, h, w, f, gap)
	p.bias = l.tensor(abi.F32, 1, 1, 1, 1, f, 0)
	p.scale = l.tensor(abi.F32, 1, 1, 1, 1, f, 0)
}

func (p *productCase) finish(l *layout) *productCase {
	k := p.k
	k.Operands = [4]abi.Operand{p.a.operand(), p.b.operand(), p.c.operand(), p.res.operand()}
	if k.Flags&abi.KernelBias != 0 {
		k.Bias = uint64(p.bias.addr)
	}
	if k.Flags&abi.KernelColScale != 0 {
		k.ColScale = uint64(p.scale.addr)
	}
	return p
}

// end is how much memory the case needs.
func (p *productCase) end() int { return int(p.scale.addr+p.scale.outer) + 64 }

// load puts random values into a machine's memory.
func (p *productCase) load(m *machine, seed uint64) {
	p.m = m
	r := rand.New(rand.NewPCG(seed, 7))
	for _, t := range []*tensor{&p.a, &p.b, &p.c, &p.res, &p.bias, &p.scale} {
		t.mem = m.mem.bytes
		fillTensor(r, t, t.no)
	}
}

// sum is the accumulator of one output, by plain loops.
func (p *productCase) sum(o, b, h, w, f int64) (sum float64) {
	if !p.conv {
		for d := range p.channels {
			if p.k.Flags&abi.KernelTransB != 0 {
				sum += p.a.at(o, b, h, 0, d) * p.b.at(o, b, f, 0, d)
			} else {
				sum += p.a.at(o, b, h, 0, d) * p.b.at(o, b, d, 0, f)
			}
		}
		return sum
	}
	cg, fg := p.channels/p.groups, p.c.nc/p.groups
	for r := range p.r {
		for s := range p.s {
			y, x := h*p.sh-p.ph+r*p.dh, w*p.sw-p.pw+s*p.dw
			if y < 0 || y >= p.a.nh || x < 0 || x >= p.a.nw {
				continue
			}
			for c := range cg {
				sum += p.a.at(0, b, y, x, f/fg*cg+c) * p.b.at(0, 0, (r*p.s+s)*cg+c, 0, f)
			}
		}
	}
	return sum
}

// verify compares every output with the reference.
func (p *productCase) verify(t require.TestingT) {
	k := p.k
	p.c.each(p.outer, func(o, b, h, w, f int64) {
		v := p.sum(o, b, h, w, f)
		if k.Flags&abi.KernelColScale != 0 {
			v *= p.scale.at(0, 0, 0, 0, f)
		} else {
			v *= float64(k.Scale)
		}
		if k.Flags&abi.KernelBias != 0 {
			v += p.bias.at(0, 0, 0, 0, f)
		}
		if k.Flags&abi.KernelResidual != 0 {
			res := p.res.at(o, b, h, w, f)
			if k.OutType == abi.I8 {
				res *= float64(k.ResScale)
			}
			v += res
		}
		if k.Act != abi.ActNone {
			v = max(v, 0)
		}
		if k.Act == abi.ActReLU6 {
			v = min(v, 6)
		}
		near(t, k.OutType, float64(k.OutScale), v, p.c.at(o, b, h, w, f), 0, o, b, h, w, f)
	})
}

// drawMachine is a random machine of one to three cores.
func drawMachine(t *rapid.T) Config {
	c := testConfig()
	c.Core.Count = rapid.IntRange(1, 3).Draw(t, "cores")
	c.Core.Outstanding = rapid.IntRange(1, 9).Draw(t, "outstanding")
	c.Core.RequestBytes = sim.Bytes(64 << rapid.IntRange(0, 3).Draw(t, "request"))
	c.Array.Overlap = Overlap(rapid.IntRange(0, 1).Draw(t, "overlap"))
	c.Array.Rows, c.Array.Cols = rapid.IntRange(1, 16).Draw(t, "rows"), rapid.IntRange(1, 16).Draw(t, "cols")
	c.Scratchpad.Size = 1 * sim.MiB
	return c
}

// checkProduct runs a case on a random machine: right values, the same time
// without values, time between the bounds, traffic as shapes and mapping imply.
func checkProduct(t *rapid.T, p *productCase) {
	cfg := drawMachine(t)
	place(t, p.k)
	m := newMachine(t, cfg, 2, p.end())
	defer m.close()
	m.mem.perByte = sim.Time(rapid.IntRange(0, 60).Draw(t, "per byte"))
	p.load(m, 3)
	took, o := m.mustRun(t, p.k)
	p.verify(t)

	timing := newMachine(t, cfg, 0, p.end())
	timing.mem.perByte = m.mem.perByte
	alone, _ := timing.mustRun(t, p.k)
	require.Equal(t, took, alone, "timing depends on values")
	require.Equal(t, m.e.Events(), timing.e.Events())

	checkBounds(t, m, p.k, took, o)
	cores := cfg.Core.Count
	if n := int(p.k.Cores); n > 0 {
		cores = min(cores, n)
	}
	require.Equal(t, cores, o.Cores)
	if cores == 1 || p.k.Split == abi.SplitM {
		require.Equal(t, p.traffic(cores), o.LoadBytes, "bytes loaded")
	}
	require.Equal(t, p.c.ni*p.c.nh*p.c.nw*p.c.nc*p.outer*int64(p.k.OutType.Size()), o.StoreBytes, "bytes stored")
	macs := p.c.ni * p.c.nh * p.c.nw * p.c.nc * p.outer * p.r * p.s * p.channels / p.groups
	require.Equal(t, macs, o.MACs)
}

// checkBounds holds a time against the roofline of what was done and against the
// sum of it done one after another.
func checkBounds(t require.TestingT, m *machine, k *abi.Kernel, took sim.Time, o *Observation) {
	cfg := &m.x.cfg
	cores := int64(o.Cores)
	ps := func(cycles int64) sim.Time { return m.x.clock.Duration(cycles) }
	rate := cfg.Array.rate(k.InType)
	peak := cores * int64(cfg.Array.Rows*cfg.Array.Cols)
	if cfg.Array.Overlap != ScaleSim {
		require.GreaterOrEqual(t, took, ps(o.MACs*rate/peak), "faster than the array")
	}
	require.GreaterOrEqual(t, took, ps(o.LoadBytes/(cores*int64(cfg.Core.PortBytes))), "faster than the ports")
	require.GreaterOrEqual(t, took, sim.Time(o.LoadBytes+o.StoreBytes)*m.mem.perByte, "faster than the memory")
	requests := sim.Time(o.LoadRequests + o.StoreRequests)
	serial := sim.Time(o.ArrayBusy+o.VectorBusy) + requests*(m.mem.latency+ps(2)) +
		ps((o.LoadBytes+o.StoreBytes)/int64(cfg.Core.PortBytes)) + sim.Time(o.LoadBytes+o.StoreBytes)*m.mem.perByte +
		ps(2*o.Ops)
	require.LessOrEqual(t, took, serial, "slower than one thing after another")
	require.LessOrEqual(t, sim.Time(o.ArrayBusy), took*sim.Time(cores))
	require.LessOrEqual(t, sim.Time(o.VectorBusy), took*sim.Time(cores))
}

// traffic replays the loop nest on paper: which tiles must be loaded when the
// slots of an operand are filled in turn. Split over rows.
func (p *productCase) traffic(cores int) (bytes int64) {
	for i := range cores {
		h0, h1 := int64(i)*p.c.nh/int64(cores), int64(i+1)*p.c.nh/int64(cores)
		bytes += p.trafficOf(h0, h1)
	}
	return bytes
}

type fifo struct {
	slots int
	tiles []string
}

func (f *fifo) miss(name string) bool {
	for _, t := range f.tiles {
		if t == name {
			return false
		}
	}
	f.tiles = append(f.tiles, name)
	if len(f.tiles) > f.slots {
		f.tiles = f.tiles[1:]
	}
	return true
}

func (p *productCase) trafficOf(h0, h1 int64) (bytes int64) {
	k := p.k
	in, out := int64(k.InType.Size()), int64(k.OutType.Size())
	cg, fg := p.channels/p.groups, p.c.nc/p.groups
	tm, tw := min(int64(k.Tile[0]), p.c.nh), p.c.nw
	if k.Tile[3] != 0 {
		tw = min(int64(k.Tile[3]), p.c.nw)
	}
	tn, tk := min(int64(k.Tile[1]), p.c.nc), min(int64(k.Tile[2]), cg)
	var ms, ns [][2]int64 // tiles: (row, column) and (first filter, count)
	for h := h0; h < h1; h += tm {
		for w := int64(0); w < p.c.nw; w += tw {
			ms = append(ms, [2]int64{h, w})
		}
	}
	if p.groups > 1 && tn < fg {
		for n := int64(0); n < p.c.nc; {
			count := min(tn, fg-n%fg)
			ns = append(ns, [2]int64{n, count})
			n += count
		}
	} else {
		for n := int64(0); n < p.c.nc; n += tn {
			ns = append(ns, [2]int64{n, min(tn, p.c.nc-n)})
		}
	}
	inputs, weights := fifo{slots: int(k.Buffers[0])}, fifo{slots: int(k.Buffers[1])}
	lastN := [2]int64{-1, -1}
	turn := 0
	tile := func(o, b int64, m, n [2]int64) {
		hs, ws := min(tm, h1-m[0]), min(tw, p.c.nw-m[1])
		groups := max(n[1]/fg, 1)
		for c := int64(0); c < cg; c += tk {
			ks := min(tk, cg-c)
			if inputs.miss(key(o*sign(p.a.outer), b, m[0], m[1], n[0]/fg*cg+c)) {
				rows := overlap(m[0]*p.sh-p.ph, (hs-1)*p.sh+(p.r-1)*p.dh+1, p.a.nh)
				cols := overlap(m[1]*p.sw-p.pw, (ws-1)*p.sw+(p.s-1)*p.dw+1, p.a.nw)
				bytes += rows * cols * ks * groups * in
			}
			shared := b
			if p.conv || p.b.batch == 0 {
				shared = 0
			}
			if weights.miss(key(o*sign(p.b.outer), shared, n[0], c, 0)) {
				bytes += p.r * p.s * ks * n[1] * in
			}
		}
		if k.Flags&abi.KernelResidual != 0 {
			bytes += hs * ws * n[1] * out
		}
		if k.Flags&(abi.KernelBias|abi.KernelColScale) != 0 && lastN[0] != n[0] && lastN[1] != n[0] {
			lastN[turn%2] = n[0]
			turn++
			if k.Flags&abi.KernelBias != 0 {
				bytes += 4 * n[1]
			}
			if k.Flags&abi.KernelColScale != 0 {
				bytes += 4 * n[1]
			}
		}
	}
	for o := range p.outer {
		for b := range p.c.ni {
			if k.Order == abi.OrderMN {
				for _, m := range ms {
					for _, n := range ns {
						tile(o, b, m, n)
					}
				}
				continue
			}
			for _, n := range ns {
				for _, m := range ms {
					tile(o, b, m, n)
				}
			}
		}
	}
	return bytes
}

func sign(v int64) int64 { return min(v, 1) }

func key(v ...int64) string {
	b := make([]byte, 0, 16)
	for _, x := range v {
		b = le.AppendUint32(b, uint32(x))
	}
	return string(b)
}

func overlap(at, n, size int64) int64 { return max(min(at+n, size)-max(at, 0), 0) }

func TestGemmProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkProduct(t, drawGemm(t)) })
}

func TestConvProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkProduct(t, drawConv(t)) })
}
