package lab

import (
	"fmt"
	"math"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/fw/npudrv"
	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/workload"
)

// program is the workload as a program of the device: it knows the runtime and
// nothing below.
type program struct {
	arena  fw.Arena
	driver *npudrv.Device
	file   *fw.File
	dev    *rt.Device
	lib    *rt.Library
	queue  *rt.Queue

	weights, state regionBuffer // in device memory
	staging        regionBuffer // in host memory: constants and caches on their way
	io             regionBuffer // in host memory: inputs and outputs
	places         []place      // of each tensor
	commands       []*rt.Commands
	inferences     int
	images         int // of the data set, 0 without one
}

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
// its copy in host memory.
type place struct{ device, host spot }

// tensorAlign is where tensors begin: at a multiple of a memory's row segment,
// so that neighbours share none.
const tensorAlign = 256

// program is the whole life of the program.
func (r *run) program() (err error) {
	p := &r.p
	began := r.sys.Engine.Now()
	if err := r.open(); err != nil {
		return err
	}
	if err := r.place(); err != nil {
		return err
	}
	if err := r.uploadWeights(); err != nil {
		return err
	}
	if err := r.lower(); err != nil {
		return err
	}
	r.setup = r.sys.Engine.Now() - began
	r.plan()
	score := newScore(r)
	r.start = r.sys.Engine.Now()
	for i := range p.inferences {
		if err := r.infer(i); err != nil {
			return err
		}
		score.add(i)
	}
	r.end = r.sys.Engine.Now()
	r.head[hw.Queue] = r.end - r.last
	score.finish()
	if r.o.Verify {
		if err := r.verify(); err != nil {
			return err
		}
	}
	return p.close()
}

// open binds driver and runtime.
func (r *run) open() (err error) {
	p := &r.p
	if p.driver, err = r.sys.Probe(r.o.Log); err != nil {
		return err
	}
	if p.file, err = r.sys.Class.Open(p.driver.Minor, &p.arena); err != nil {
		return err
	}
	if p.dev, err = rt.Open(rt.Local(p.file, &p.arena)); err != nil {
		return err
	}
	cfg := r.o.Machine
	perCore := float64(r.sys.Device.DRAM().PeakRate()) / float64(cfg.Core.Clock) / float64(cfg.Core.Count)
	p.lib = p.dev.Library(rt.Options{Dataflow: uint8(cfg.Array.Dataflow), BytesPerCycle: perCore, F32Cycles: cfg.Array.F32Cycles})
	p.queue, err = p.dev.NewQueue(rt.Compute, rt.PriorityNormal, 0)
	return err
}

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
			*at = place{p.weights.add(t), p.staging.add(t)}
		case t.Role == workload.Activation:
			at.device = p.state.add(t)
		case t.Role != workload.Cache:
			*at = place{p.state.add(t), p.io.add(t)}
		}
	}
	for i := range r.g.Tensors {
		if t := &r.g.Tensors[i]; t.Role == workload.Cache {
			p.places[i] = place{p.state.add(t), p.staging.add(t)}
		}
	}
	for _, b := range []struct {
		region *regionBuffer
		flags  uint32
	}{{&p.weights, abi.BODevice}, {&p.state, abi.BODevice}, {&p.staging, abi.BOHost}, {&p.io, abi.BOHost}} {
		if b.region.bytes == 0 {
			continue
		}
		if b.region.Buffer, err = p.dev.NewBuffer(b.region.bytes, b.flags); err != nil {
			return fmt.Errorf("%d bytes for tensors: %w", b.region.bytes, err)
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
			r.stage(workload.TensorID(i))
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
		r.stage(id)
		c.CopyBytes(r.address(id), p.places[id].host.addr(), uint64(t.Bytes()))
		bytes += t.Bytes()
	}
	if bytes == 0 {
		return nil
	}
	return r.uploaded(c, bytes)
}

// stage writes a tensor's contents into host memory, if they matter.
func (r *run) stage(id workload.TensorID) {
	if t := r.g.Tensor(id); r.wanted(&t) {
		workload.Fill(t, r.o.Seed, r.staged(id))
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

// submit hands in a job and remembers what it is for.
func (r *run) submit(c *rt.Commands, info jobInfo) (rt.Ticket, error) {
	r.jobs = append(r.jobs, info)
	return r.p.queue.Submit(&rt.Job{Commands: c, Buffers: r.p.buffers()})
}

// lower makes each operator's command buffer.
func (r *run) lower() error {
	p := &r.p
	for i := range r.g.Ops {
		kernels, err := r.g.Lower(&r.g.Ops[i], p.lib, r.address)
		if err != nil {
			return err
		}
		c := p.queue.Commands()
		c.Kernels(kernels, 0)
		if err := c.Err(); err != nil {
			return err
		}
		p.commands = append(p.commands, c)
	}
	return nil
}

// plan makes the report's rows and counts the jobs to come.
func (r *run) plan() {
	p := &r.p
	p.inferences = 1
	if r.g.Dataset != "" {
		p.images = datasetSize(r.g.Dataset)
		p.inferences = (p.images + r.g.Batch - 1) / r.g.Batch
	}
	r.rows = append(r.rows, Layer{Name: "inputs", Op: "copy", Shape: tensors(len(r.perInference()))})
	for i := range r.g.Ops {
		o := &r.g.Ops[i]
		r.rows = append(r.rows, Layer{Name: o.Name, Op: o.Kind.String(), Shape: o.Shape()})
	}
	r.rows = append(r.rows, Layer{Name: "outputs", Op: "copy", Shape: tensors(len(r.g.Outputs))})
	r.bills = make([]hw.Bill, len(r.rows))
	r.total = p.inferences * len(r.rows)
}

func tensors(n int) string {
	if n == 1 {
		return "1 tensor"
	}
	return fmt.Sprintf("%d tensors", n)
}

// infer runs one inference: inputs in, a job an operator, outputs back.
func (r *run) infer(n int) error {
	p := &r.p
	r.writeInputs(n)
	if err := r.transfer(0, r.perInference(), true); err != nil {
		return err
	}
	for i, c := range p.commands {
		if _, err := r.submit(c, jobInfo{row: 1 + i}); err != nil {
			return err
		}
	}
	return r.transfer(len(r.rows)-1, r.g.Outputs, false)
}

// transfer copies tensors to the device, or back, in which case it waits for
// everything.
func (r *run) transfer(row int, ids []workload.TensorID, in bool) error {
	p := &r.p
	c := p.queue.Commands()
	var bytes int64
	for _, id := range ids {
		t := r.g.Tensor(id)
		device, host := r.address(id), p.places[id].host.addr()
		bytes += 2 * t.Bytes() // read here, written there
		if in {
			c.CopyBytes(device, host, uint64(t.Bytes()))
		} else {
			c.CopyBytes(host, device, uint64(t.Bytes()))
		}
	}
	ticket, err := r.submit(c, jobInfo{row: row, bytes: bytes})
	if err != nil || in {
		return err
	}
	return p.queue.Wait(ticket, math.MaxInt64)
}

// writeInputs puts inference n's inputs into host memory.
func (r *run) writeInputs(n int) {
	for _, id := range r.perInference() {
		t := r.g.Tensor(id)
		if !r.wanted(&t) {
			continue
		}
		if r.g.Dataset != "" && t.Role == workload.Input {
			t.Values = datasetBatch(r.g.Dataset, n*r.g.Batch, r.g.Batch)
		}
		workload.Fill(t, r.o.Seed, r.staged(id))
	}
}

// close releases everything, as a program that ends does.
func (p *program) close() error {
	for _, b := range p.buffers() {
		if err := b.Close(); err != nil {
			return err
		}
	}
	if err := p.queue.Close(); err != nil {
		return err
	}
	if err := p.dev.Close(); err != nil {
		return err
	}
	p.driver.Remove()
	return nil
}

// peek reads a tensor's bytes on the device, in no time.
func (r *run) peek(id workload.TensorID, base map[*regionBuffer]uint64) []byte {
	t := r.g.Tensor(id)
	out := make([]byte, t.Bytes())
	home := r.p.places[id].device
	r.sys.Device.Memory().Peek(base[home.in]+uint64(home.at), out)
	return out
}

// verify holds every operator of the last inference against reference loops.
func (r *run) verify() error {
	base := map[*regionBuffer]uint64{}
	for _, b := range []*regionBuffer{&r.p.weights, &r.p.state} {
		if b.Buffer == nil {
			continue
		}
		at, err := r.p.driver.DeviceAddress(r.p.file, b.Handle)
		if err != nil {
			return err
		}
		base[b] = at
	}
	v := verifier{g: r.g, workers: r.o.Workers, read: func(id workload.TensorID) []byte { return r.peek(id, base) }}
	ok := true
	for i := range r.g.Ops {
		worst, err := v.op(&r.g.Ops[i])
		if err != nil {
			return err
		}
		r.rows[1+i].VerifyError = &worst
		if worst > 1 {
			ok = false
			r.failures = append(r.failures, fmt.Sprintf("%s: error is %.3g of its tolerance", r.g.Ops[i].Name, worst))
		}
	}
	r.verified = &ok
	return nil
}
