package mydrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/reg"
)

// Device is the driver's state: one queue, for entries that do nothing.
type Device struct {
	*fw.Device
	bus    hw.Bus
	log    func(format string, args ...any)
	lock   hw.Mutex // one entry at a time
	sq, cq *hw.DMA
	sent   uint32 // since ENABLE
	pings  uint32
}

// Ping has the device complete an empty entry (8 B).
type Ping struct {
	Pings uint32 // out: how many came back
	Pad   uint32
}

// NrPing is the number of the driver's ioctl.
const NrPing = abi.CommandBase

var driver = &fw.Driver{
	Name: "mydrv", Desc: "a driver that pings", Date: "20261130", Major: 1, Features: fw.FeatureAccel,
	Ioctls: map[uint32]fw.Ioctl{NrPing: {Name: "MYDRV_PING", Size: abi.SizeOf[Ping](), Fn: ping}},
}

// Probe binds the driver to a device.
func Probe(class *fw.Class, bus hw.Bus, logf func(format string, args ...any)) (*Device, error) {
	base, err := class.NewDevice(driver, bus.Address())
	if err != nil {
		return nil, err
	}
	d := &Device{Device: base, bus: bus, log: logf, lock: bus.NewMutex()}
	base.Private = d
	for _, step := range []func() error{d.boot, d.makeQueue, d.Register} {
		if err := step(); err != nil {
			d.Unbind()
			d.Put()
			return nil, err
		}
	}
	return d, nil
}

// Remove unbinds it.
func (d *Device) Remove() {
	d.Unplug()
	d.Unbind()
	d.Put()
}

func (d *Device) boot() error {
	d.ManageBound(func() { d.bus.ConfigWrite(0x04, 2, 0) })
	return bringUp(d.bus)
}

const depthLog2 = 4

func (d *Device) makeQueue() (err error) {
	if d.sq, err = d.bus.AllocDMA(abi.SubmissionSize << depthLog2); err != nil {
		return err
	}
	d.ManageBound(func() { d.bus.FreeDMA(d.sq) })
	if d.cq, err = d.bus.AllocDMA(abi.CompletionSize << depthLog2); err != nil {
		return err
	}
	d.ManageBound(func() { d.bus.FreeDMA(d.cq) })
	d.enable()
	d.ManageBound(d.disable)
	return nil
}

// enable starts the queue on empty rings.
func (d *Device) enable() {
	clear(d.cq.Bytes)
	d.sent = 0
	d.bus.WriteBarrier()
	d.write(&abi.Queue, "SQ_BASE_LO", uint32(d.sq.Addr))
	d.write(&abi.Queue, "SQ_BASE_HI", uint32(d.sq.Addr>>32))
	d.write(&abi.Queue, "SQ_LOG2", depthLog2)
	d.write(&abi.Queue, "CQ_BASE_LO", uint32(d.cq.Addr))
	d.write(&abi.Queue, "CQ_BASE_HI", uint32(d.cq.Addr>>32))
	d.write(&abi.Queue, "CQ_LOG2", depthLog2)
	d.write(&abi.Queue, "CTRL", 1)
}

// disable returns when the queue uses its rings no more.
func (d *Device) disable() {
	d.write(&abi.Queue, "CTRL", 0)
	for s := d.read(&abi.Queue, "STATE"); s != abi.QueueDisabled && s != ^uint32(0); s = d.read(&abi.Queue, "STATE") {
		d.bus.Sleep(1000)
	}
}

func (d *Device) read(t *reg.Table, name string) uint32 {
	return d.bus.Read32(abi.BARRegisters, abi.Offset(t, name))
}

func (d *Device) write(t *reg.Table, name string, v uint32) {
	d.bus.Write32(abi.BARRegisters, abi.Offset(t, name), v)
}

func ping(f *fw.File, arg []byte) error {
	d := f.Dev.Private.(*Device)
	if !d.Enter() {
		return unix.ENODEV
	}
	defer d.Exit()
	d.lock.Lock()
	defer d.lock.Unlock()
	if err := d.roundTrip(); err != nil {
		d.log("mydrv %s: %v", d.Address, err)
		d.disable() // whatever the queue is at
		d.enable()
		return err
	}
	d.pings++
	abi.Store(arg, &Ping{Pings: d.pings})
	return nil
}

// roundTrip sends an entry and waits until it is completed.
func (d *Device) roundTrip() error {
	const patience = 1e6 // ns
	slot, phase := d.sent%(1<<depthLog2), d.sent>>depthLog2&1 == 0
	entry := abi.Submission{Op: abi.RingNop, Flags: abi.SubmitTrusted, Index: d.sent, Seqno: uint64(d.sent) + 1}
	entry.Encode(d.sq.Bytes[slot*abi.SubmissionSize:])
	d.bus.WriteBarrier()
	d.sent++
	d.write(&abi.Doorbell, "SQ_TAIL", d.sent)
	for deadline := d.bus.Now() + patience; ; d.bus.Sleep(1000) {
		var c abi.Completion
		c.Decode(d.cq.Bytes[slot*abi.CompletionSize:])
		if c.Phase == phase {
			d.bus.ReadBarrier()
			c.Decode(d.cq.Bytes[slot*abi.CompletionSize:])
			d.write(&abi.Doorbell, "CQ_HEAD", d.sent)
			if errno := c.Status.Errno(); errno != 0 {
				return fmt.Errorf("entry %d: %s: %w", d.sent, c.Status, errno)
			}
			return nil
		}
		if d.bus.Now() > deadline {
			return fmt.Errorf("entry %d does not come back: %w", d.sent, unix.ETIME)
		}
	}
}
