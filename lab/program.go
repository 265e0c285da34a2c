package lab

import (
	"fmt"
	"math"

	"github.com/presi-sim/presi/fw/rt"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/workload"
)

// program is the workload as a program of the device: it knows the runtime and
// nothing below, which is the session's.
type program struct {
	dev   *rt.Device
	lib   *rt.Library
	queue *rt.Queue

	weights, state regionBuffer // in device memory
	staging        regionBuffer // in host memory: constants and caches on their way
	io             regionBuffer // in host memory: inputs and outputs
	places         []place      // of each tensor
	commands       []*rt.Commands
	inferences     int
	images         int // of the data set, 0 without one
}

// program is the whole life of the program.
func (r *run) program() (err error) {
	defer func() { err = r.explain(err) }()
	p := &r.p
	began := r.sys.Engine.Now()
	if err := r.open(); err != nil {
		return err
	}
	if err := r.place(); err != nil {
		return err
	}
	if err := r.lower(); err != nil {
		return err
	}
	if err := r.uploadWeights(); err != nil {
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
	if err := p.free(); err != nil {
		return err
	}
	return r.x.Close()
}

// open opens the device.
func (r *run) open() (err error) {
	if r.x, err = r.sys.Open(r.o.Log); err != nil {
		return err
	}
	r.p.dev, r.p.queue = r.x.Device, r.x.Queue
	r.p.lib = r.p.dev.Library(MapperOptions(r.o.Machine, r.sys.Device.DRAM(), r.p.queue.NumCores()))
	return nil
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
		r.layout(&r.g.Ops[i], workload.Panels(kernels))
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
	if r.g.Dataset != nil {
		p.images = r.g.Dataset.Len()
		p.inferences = (p.images + r.g.Batch - 1) / r.g.Batch
	}
	r.rows = append(r.rows, Layer{Name: "inputs", Op: "copy", Shape: tensors(len(r.perInference()))})
	for i := range r.g.Ops {
		o := &r.g.Ops[i]
		r.rows = append(r.rows, Layer{Name: o.Name, Op: o.Kind.String(), Shape: o.Shape()})
	}
	r.rows = append(r.rows, Layer{Name: "outputs", Op: "copy", Shape: tensors(len(r.g.Outputs))})
	r.bills = make([]hw.Bill, len(r.rows))
	r.track = r.sys.Engine.Track("layers")
	for i := range r.rows {
		r.labels = append(r.labels, r.sys.Engine.Label(r.rows[i].Name))
	}
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
	if err := r.writeInputs(n); err != nil {
		return err
	}
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
		bytes += t.Bytes() // of device memory, of the link and of host memory, each once
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

// free gives the buffers back, as a program that ends does.
func (p *program) free() error {
	for _, b := range p.buffers() {
		if err := b.Close(); err != nil {
			return err
		}
	}
	return nil
}
