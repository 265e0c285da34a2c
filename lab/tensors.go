package lab

import (
	"math"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/workload"
)

// regionBuffer is a buffer that holds many tensors.
type regionBuffer struct {
	*rt.Buffer
	bytes int64
	view  rt.Mapping
}

// add makes room for a tensor.
func (b *regionBuffer) add(t *workload.Tensor) spot {
	at := b.bytes
	b.bytes += (t.Bytes() + tensorAlign - 1) &^ (tensorAlign - 1)
	return spot{b, at}
}

// spot is where a tensor lies in a buffer.
type spot struct {
	in *regionBuffer
	at int64
}

func (s spot) addr() uint64 { return s.in.Addr + uint64(s.at) }

// place is a tensor's home on the device and, for what the host fills or reads,
// its copy in host memory. Weights may lie in panels of some columns.
type place struct {
	device, host spot
	cols, panels int // 0: row by row
}

// tensorAlign is where tensors begin: at a multiple of a memory's row segment,
// so that neighbours share none.
const tensorAlign = 256

// constant reports a tensor of the weights' buffer.
func constant(t *workload.Tensor) bool { return t.Role == workload.Weight || t.Role == workload.Param }

// perInference lists what every inference copies to the device; a cache stays there.
func (r *run) perInference() (ids []workload.TensorID) {
	for _, id := range r.g.Inputs {
		if r.g.Tensors[id].Role != workload.Cache {
			ids = append(ids, id)
		}
	}
	return ids
}

// place gives every tensor its address: constants in one buffer of the device,
// the rest in another, and in host memory what is uploaded once apart from what
// every inference copies.
func (r *run) place() (err error) {
	p := &r.p
	p.places = make([]place, len(r.g.Tensors))
	for i := range r.g.Tensors {
		t, at := &r.g.Tensors[i], &p.places[i]
		switch {
		case constant(t): // at the same offset on both sides: one copy for all
			at.device, at.host = p.weights.add(t), p.staging.add(t)
		case t.Role == workload.Activation:
			at.device = p.state.add(t)
		case t.Role != workload.Cache:
			at.device, at.host = p.state.add(t), p.io.add(t)
		}
	}
	for i := range r.g.Tensors {
		if t := &r.g.Tensors[i]; t.Role == workload.Cache {
			p.places[i].device, p.places[i].host = p.state.add(t), p.staging.add(t)
		}
	}
	need := map[uint32]int64{abi.BODevice: p.weights.bytes + p.state.bytes, abi.BOHost: p.staging.bytes + p.io.bytes}
	for _, b := range []struct {
		region *regionBuffer
		flags  uint32
	}{{&p.weights, abi.BODevice}, {&p.state, abi.BODevice}, {&p.staging, abi.BOHost}, {&p.io, abi.BOHost}} {
		if b.region.bytes == 0 {
			continue
		}
		if b.region.Buffer, err = p.dev.NewBuffer(b.region.bytes, b.flags); err != nil {
			return DoesNotFit(r.o.Machine, "tensors and weights", b.flags, need[b.flags], err)
		}
		if b.flags == abi.BOHost {
			if b.region.view, err = b.region.Map(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) address(id workload.TensorID) uint64 { return r.p.places[id].device.addr() }

// buffers lists what a job touches.
func (p *program) buffers() (out []*rt.Buffer) {
	for _, b := range []*regionBuffer{&p.weights, &p.state, &p.staging, &p.io} {
		if b.Buffer != nil {
			out = append(out, b.Buffer)
		}
	}
	return out
}

// staged returns a tensor's copy in host memory.
func (r *run) staged(id workload.TensorID) []byte {
	host := r.p.places[id].host
	t := r.g.Tensor(id)
	return host.in.view.Bytes()[host.at:][:t.Bytes()]
}

// wanted reports a tensor whose contents matter to this run: values when
// kernels are computed, control data always.
func (r *run) wanted(t *workload.Tensor) bool { return !r.o.TimingOnly || t.Role == workload.Index }

// uploadWeights copies the constants to the device, on all copy channels, and
// then what caches hold from earlier runs.
func (r *run) uploadWeights() error {
	p := &r.p
	if p.weights.bytes > 0 {
		for i := range r.g.Tensors {
			if !constant(&r.g.Tensors[i]) {
				continue
			}
			if err := r.stage(workload.TensorID(i)); err != nil {
				return err
			}
		}
		c := p.queue.Commands()
		p.spread(c, p.weights.Addr, p.staging.Addr, p.weights.bytes)
		if err := r.uploaded(c, p.weights.bytes); err != nil {
			return err
		}
	}
	return r.uploadCaches()
}

func (r *run) uploadCaches() error {
	p := &r.p
	c := p.queue.Commands()
	var bytes int64
	for _, id := range r.g.Inputs {
		t := r.g.Tensor(id)
		if t.Role != workload.Cache {
			continue
		}
		if err := r.stage(id); err != nil {
			return err
		}
		c.CopyBytes(r.address(id), p.places[id].host.addr(), uint64(t.Bytes()))
		bytes += t.Bytes()
	}
	if bytes == 0 {
		return nil
	}
	return r.uploaded(c, bytes)
}

// stage writes a tensor's contents into host memory, if they matter.
func (r *run) stage(id workload.TensorID) error {
	t, home := r.g.Tensor(id), &r.p.places[id]
	if !r.wanted(&t) {
		return nil
	}
	if home.panels == 0 {
		return r.fill(t, r.staged(id))
	}
	plain := make([]byte, t.Bytes())
	if err := r.fill(t, plain); err != nil {
		return err
	}
	workload.PackPanels(r.staged(id), plain, home.cols, home.panels, t.DType.Size())
	return r.ctx.Err()
}

// fill writes a tensor's values, unless the run is interrupted: large tensors
// take the host seconds, in which no simulated time passes.
func (r *run) fill(t workload.Tensor, out []byte) error {
	if !workload.FillUntil(func() bool { return r.ctx.Err() != nil }, t, r.o.Seed, out) {
		return r.ctx.Err()
	}
	return nil
}

// layout notes how an operator's weights are to be stored.
func (r *run) layout(o *workload.Op, panels int) {
	switch {
	case panels == 0:
	case o.Gemm != nil:
		home := &r.p.places[o.Gemm.B.Tensor]
		home.cols, home.panels = o.Gemm.N, panels
	case o.Conv != nil:
		home := &r.p.places[o.Conv.F]
		home.cols, home.panels = o.Conv.K, panels
	}
}

// uploaded submits copies of the setup and waits for them.
func (r *run) uploaded(c *rt.Commands, bytes int64) error {
	r.upload += bytes
	ticket, err := r.submit(c, jobInfo{row: -1})
	if err != nil {
		return err
	}
	return r.p.queue.Wait(ticket, math.MaxInt64)
}

// spread copies a range by one packet a channel.
func (p *program) spread(c *rt.Commands, dst, src uint64, bytes int64) {
	const least = 64 << 10
	part := max(least, (bytes/int64(p.dev.Info.NumDMAChannels)+4095)&^4095)
	for at := int64(0); at < bytes; at += part {
		c.CopyBytes(dst+uint64(at), src+uint64(at), uint64(min(part, bytes-at)))
	}
}

// writeInputs puts inference n's inputs into host memory.
func (r *run) writeInputs(n int) error {
	for _, id := range r.perInference() {
		t := r.g.Tensor(id)
		if !r.wanted(&t) {
			continue
		}
		if d := r.g.Dataset; d != nil && t.Role == workload.Input {
			t.Values = d.Batch(n*r.g.Batch, r.g.Batch)
		}
		if err := r.fill(t, r.staged(id)); err != nil {
			return err
		}
	}
	return nil
}
