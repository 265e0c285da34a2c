// Package npudrv is the reference driver: the presi accelerator behind the
// accel framework. It reaches the device through hw.Bus alone, as a driver in C
// reaches its hardware through the kernel.
//
// Its tracepoints, with their arguments: submit (queue, sequence number,
// bytes), complete (queue, sequence number, status, offset in the commands), map
// (address, bytes, physical address), unmap (address, bytes), evict (address in
// device memory, bytes, bus address), mailbox (command, status), reset (count, of
// them limited).
//
// Each engine and priority has one hardware ring, fed by a scheduler; queues of
// programs are entities of it. Each open file is a context (ASID) with page
// tables of its own in device memory.
package npudrv

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/alloc"
)

// Device is the driver's state of one accelerator.
type Device struct {
	*fw.Device
	bus  hw.Bus
	info abi.DeviceInfo
	log  func(format string, args ...any)

	windowSize uint64 // of BAR2
	ringLog2   uint32
	maxASID    uint32

	memory   *alloc.Ranges // device memory, beyond what BAR2 keeps for tables
	tables   *alloc.Ranges // device memory for page tables, visible in BAR2
	contexts uint64        // device address of the context table
	asids    []bool
	spaces   []*space // of the contexts that are attached, by ASID
	mmuLock  hw.Mutex // one invalidation at a time
	invSeqno uint32

	tableBytes uint64
	pages      []*table // page tables, by the page of device memory that they take

	scrub scrubber

	residency hw.Mutex        // over where buffers lie
	locked    fw.Reservations // of the submission under way, which holds residency
	touched   []*fw.Object    // by it
	raw       []byte          // its arrays
	points    []syncPoint
	objects   []*fw.Object // buffers made for device memory, oldest first
	jobs      uint64       // clock of their use

	rings    []*ring
	faults   *hw.DMA
	faultLog uint32
	faultSeq uint32 // free-running head of the fault ring

	resets     abi.ResetInfo
	recoveries recoveries
	frozen     bool         // between an error of the bus, or a reset of somebody else, and its end
	prepared   bool         // frozen for a reset of somebody else
	dark       bool         // in a function-level reset of the driver's own
	thawed     hw.WaitQueue // woken when frozen or dark ends
	silent     bool         // the management controller's heartbeat stands still
	lastBeat   uint32       // where it does
	resetLock  hw.Mutex
	mailLock   hw.Mutex
	vectors    int
}

const (
	faultRingLog2 = 6
	tableShare    = 16 // 1/16 of BAR2's window holds page tables
	minTables     = 1 << 20
	dmaBits       = 52
)

var driver = &fw.Driver{
	Name: "presi", Desc: "presi accelerator", Date: "20261122", Major: 1,
	Features: fw.FeatureAccel | fw.FeatureGEM | fw.FeatureSyncobj,
	Open:     open, PostClose: postClose, OpenObject: openObject, CloseObject: closeObject, FDInfo: fdInfo,
}

func init() { driver.Ioctls = ioctls }

// Probe binds the driver to a device: on success its node is open to programs.
// Any failure undoes what was done before it. logf takes the driver's messages;
// nil drops them.
func Probe(class *fw.Class, bus hw.Bus, logf func(format string, args ...any)) (*Device, error) {
	if logf == nil {
		logf = func(string, ...any) {}
	}
	base, err := class.NewDevice(driver, bus.Address())
	if err != nil {
		return nil, err
	}
	d := &Device{Device: base, bus: bus, log: logf, resetLock: bus.NewMutex(), mmuLock: bus.NewMutex(), mailLock: bus.NewMutex(), residency: bus.NewMutex(), thawed: bus.NewWaitQueue()}
	base.Private = d
	d.EnablePower(d.powerOps()) // before the first interrupt: its handler takes a reference and gives it back
	for _, step := range []func() error{d.enable, d.identify, d.boot, d.resetCompute, d.initMemory, d.initScrubber, d.initFaults, d.initInterrupts, d.initRings, d.handleErrors, d.register} {
		if err := step(); err != nil {
			d.Unbind()
			d.Put()
			return nil, fmt.Errorf("probe of %s: %w", bus.Address(), err)
		}
	}
	return d, nil
}

// Remove unbinds the driver: no program gets in any more, the hardware is quiet,
// pending fences end with ENODEV. What files hold goes when they are closed. A
// function-level reset leaves nothing of programs' data in the device.
func (d *Device) Remove() {
	d.PowerGet() // for good: what follows touches the hardware
	d.Unplug()
	if err := d.resetCompute(); err != nil {
		d.log("presi %s: remove: %v", d.Address, err)
	}
	d.Unbind()
	if err := d.bus.ResetFunction(); err != nil {
		d.log("presi %s: remove: %v", d.Address, err)
	}
	d.Put()
}

// PCI configuration space that a driver touches.
const (
	pciVendor     = 0x00
	pciCommand    = 0x04
	commandMemory = 1 << 1
	commandMaster = 1 << 2
)

// enable turns on memory decoding and bus mastering.
func (d *Device) enable() error {
	if id := d.bus.ConfigRead(pciVendor, 4); id != abi.DeviceID<<16|abi.VendorID {
		return fmt.Errorf("device %08x is not %04x:%04x: %w", id, abi.VendorID, abi.DeviceID, unix.ENODEV)
	}
	d.bus.ConfigWrite(pciCommand, 2, commandMemory|commandMaster)
	d.ManageBound(func() { d.bus.ConfigWrite(pciCommand, 2, 0) })
	if err := d.bus.SetDMAMask(dmaBits); err != nil {
		return fmt.Errorf("%w: %w", err, unix.EIO)
	}
	return nil
}

// identify checks versions and reads the capabilities.
func (d *Device) identify() error {
	if id := d.read(regID); id != abi.DeviceID<<16|abi.VendorID {
		return fmt.Errorf("registers answer %08x: %w", id, unix.ENODEV)
	}
	if v := d.read(regABIVersion); v != abi.Version {
		return fmt.Errorf("register interface %d, this driver knows %d: %w", v, abi.Version, unix.ENODEV)
	}
	missing := false
	capability := func(off uint64) uint32 {
		v := d.read(off)
		missing = missing || v == ^uint32(0)
		return v
	}
	wide := func(off uint64) uint64 {
		v := d.read64(off)
		missing = missing || v == ^uint64(0)
		return v
	}
	array := capability(regArray)
	d.info = abi.DeviceInfo{
		HWVersion: capability(regHWVersion), ABIVersion: abi.Version, Platform: capability(regPlatform),
		NumCores: capability(regCores), NumQueues: capability(regQueues), NumDMAChannels: capability(regDMA),
		ArrayRows: array & 0xffff, ArrayCols: array >> 16, VectorLanes: capability(regVector),
		VABits: capability(regVABits), DTypes: uint64(capability(regDTypes)), MemSize: wide(regMemSize),
		ScratchpadSize: wide(regSpadSize), CoreClockHz: wide(regCoreHz),
		TimestampHz: wide(regTimestampHz), PageSizes: uint64(capability(regPageSizes)),
		VAStart: vaStart, VAEnd: vaEnd,
	}
	d.windowSize = wide(regBAR2Size)
	d.ringLog2 = capability(regRingLog2)
	d.maxASID = capability(regContexts)
	if missing {
		return fmt.Errorf("a capability reads all ones: %w", unix.ENODEV)
	}
	return nil
}

// timeScale stretches time-outs where the device is slower than its clock says.
// An emulator's clock is the wall's; in simulation the clock that time-outs are
// measured by is the device's own.
func (d *Device) timeScale() int64 {
	if d.info.Platform == abi.PlatformEmulation {
		return 100
	}
	return 1
}

// bootTimeout is what silicon gets, in ns.
const bootTimeout = 2e9

// boot starts the management controller and waits until it is ready.
func (d *Device) boot() error {
	d.write(regBootCtrl, 1)
	return d.poll("boot of the management controller", bootTimeout*d.timeScale(), 1e6, func() (bool, error) {
		switch s := d.read(regBootStatus); s & 0xf {
		case abi.BootReady:
			return true, nil
		case abi.BootFailed:
			return false, fmt.Errorf("management controller failed to boot, code %d: %w", s>>16, unix.EIO)
		}
		return false, nil
	})
}

// poll calls done every interval until it says true; ETIME when the limit passes.
func (d *Device) poll(what string, limit, interval int64, done func() (bool, error)) error {
	for end := d.bus.Now() + limit; ; {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		if d.bus.Now() >= end {
			return fmt.Errorf("%s after %d ns: %w", what, limit, unix.ETIME)
		}
		d.bus.Sleep(interval)
	}
}

// initMemory splits device memory: page tables and the context table where the
// CPU sees them, the rest for buffers.
func (d *Device) initMemory() error {
	tables := max(minTables, min(d.windowSize, d.info.MemSize)/tableShare)
	if tables >= d.info.MemSize {
		return fmt.Errorf("%d bytes of device memory: %w", d.info.MemSize, unix.ENOSPC)
	}
	d.tableBytes = tables
	d.tables = alloc.New(0, tables)
	d.pages = make([]*table, tables/pageSize)
	d.memory = alloc.New(tables, d.info.MemSize)
	n := d.contextBytes()
	at, ok := d.tables.Take(n, pageSize)
	if !ok {
		return unix.ENOSPC
	}
	d.contexts = at
	d.asids, d.spaces = make([]bool, d.maxASID), make([]*space, d.maxASID)
	d.asids[0] = true // never valid
	d.bus.WriteBAR(abi.BARMemory, at, make([]byte, n))
	return nil
}

func (d *Device) contextBytes() uint64 { return uint64(d.maxASID) * abi.ContextSize }

// programMMU tells the device MMU where contexts and faults are.
func (d *Device) programMMU() {
	d.writePair(regContextLo, regContextHi, d.contexts|abi.DeviceBit)
	d.writePair(regFaultLo, regFaultHi, d.faults.Addr)
	d.write(regFaultLog2, faultRingLog2)
}

func (d *Device) initFaults() error {
	ring, err := d.bus.AllocDMA(abi.FaultSize << faultRingLog2)
	if err != nil {
		return fmt.Errorf("%w: %w", err, unix.ENOMEM)
	}
	d.faults = ring
	d.ManageBound(func() { d.bus.FreeDMA(ring) })
	d.programMMU()
	return nil
}

// initInterrupts takes a vector for events and one a ring, or fewer, shared.
func (d *Device) initInterrupts() error {
	n, err := d.bus.AllocVectors(1, 1+int(d.info.NumQueues))
	if err != nil {
		return fmt.Errorf("%w: %w", err, unix.ENOSPC)
	}
	d.ManageBound(d.bus.FreeVectors)
	d.ManageBound(func() { d.write(regMask, 0) })
	if err := d.bus.RequestIRQ(abi.VectorEvents, "presi-events", d.events); err != nil {
		return fmt.Errorf("%w: %w", err, unix.EIO)
	}
	for v := 1; v < n; v++ {
		if err := d.bus.RequestIRQ(v, fmt.Sprintf("presi-queue%d", v-1), func() { d.completions(v) }); err != nil {
			return fmt.Errorf("%w: %w", err, unix.EIO)
		}
	}
	d.vectors = n
	d.write(regMask, intrMask)
	return nil
}

// events is the handler of vector 0. With a single vector it serves the rings too.
func (d *Device) events() {
	if !d.EnterActive() {
		return
	}
	defer d.Exit()
	cause := d.read(regCause)
	d.write(regCause, cause)
	if cause&abi.CauseFault != 0 {
		d.readFaults()
	}
	d.healthEvents(cause)
	d.completions(abi.VectorEvents)
}

// readFaults empties the fault ring into the log. The read of the tail orders the
// loads of the records.
func (d *Device) readFaults() {
	const mask = 1<<faultRingLog2 - 1
	tail := d.read(regFaultTail)
	if tail == ^uint32(0) {
		return // the device is gone, or the read was lost: no record to take
	}
	tail &= mask
	for ; d.faultSeq&mask != tail; d.faultSeq++ {
		p := d.faults.Bytes[(d.faultSeq&mask)*abi.FaultSize:]
		var r abi.Fault
		r.Decode(p)
		d.log("presi %s: %s", d.Address, r)
		d.faultLog++
	}
	d.write(regFaultHead, d.faultSeq&mask)
	d.write(regFaultStat, 3)
}

// Faults returns how many records the driver took from the fault ring.
func (d *Device) Faults() int { return int(d.faultLog) }
