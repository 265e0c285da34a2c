package fw

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/hw/abi"
)

// maxIoctlSize bounds the struct of an ioctl: what its number can say.
const maxIoctlSize = 1<<14 - 1

// Ioctl runs an ioctl as the system call does: request is its encoded number,
// arg the address of its struct in the caller's memory. A struct that is shorter
// than the kernel's is extended with zeros, the tail of a longer one is left
// alone (drm_ioctl).
func (f *File) Ioctl(request uint32, arg uint64) error {
	if err := f.begin(); err != nil {
		return err
	}
	defer f.end()
	x := f.Dev.class.enter(f)
	defer f.Dev.class.leave(x)
	return f.ioctl(request, arg)
}

// ioctl is Ioctl between entering and leaving, apart so that the compiler can lay out
// the few returns of the one with its deferred calls.
func (f *File) ioctl(request uint32, arg uint64) error {
	d := f.Dev
	d.kernel.Charge(hw.CostIoctl)
	d.awaitSystem()
	if d.unplugged {
		return errnof(unix.ENODEV, "ioctl on %s", d.driver.Name)
	}
	if request>>8&0xff != abi.DRMType {
		return errnof(unix.ENOTTY, "ioctl type %#x", request>>8&0xff)
	}
	entry := d.ioctls[request&0xff]
	if entry == nil {
		return errnof(unix.EINVAL, "ioctl number %#x", request&0xff)
	}
	size := int(request >> 16 & maxIoctlSize)
	buf := f.takeStruct(max(size, entry.Size))
	defer f.giveStruct(buf)
	in := 0
	if request>>30&abi.IoctlWrite != 0 {
		if err := f.user.CopyIn(arg, buf[:size]); err != nil {
			return fmt.Errorf("%s: %w", entry.Name, err)
		}
		in = size
	}
	clear(buf[in:])
	if entry.wakes {
		d.PowerGet()
	}
	err := entry.Fn(f, buf[:entry.Size])
	if entry.wakes {
		d.PowerPut()
	}
	if request>>30&abi.IoctlRead != 0 {
		if fault := f.user.CopyOut(arg, buf[:size]); fault != nil {
			return fmt.Errorf("%s: %w", entry.Name, fault)
		}
	}
	return err
}

// smallStruct is the size of the buffers that calls use again.
const smallStruct = 128

// takeStruct returns a buffer for an ioctl's struct.
func (f *File) takeStruct(n int) []byte {
	last := len(f.structs) - 1
	if n > smallStruct || last < 0 {
		return make([]byte, max(n, smallStruct))
	}
	buf := f.structs[last]
	f.structs = f.structs[:last]
	return buf
}

func (f *File) giveStruct(buf []byte) {
	if len(buf) == smallStruct {
		f.structs = append(f.structs, buf)
	}
}

// dispatch is the table of a device: the core's ioctls and the driver's.
func (d *Driver) dispatch() *[256]*Ioctl {
	table := coreIoctls
	clear(table[abi.CommandBase:abi.CommandEnd])
	for nr, entry := range d.Ioctls {
		if nr >= abi.CommandBase && nr < abi.CommandEnd {
			entry.wakes = true
			table[nr] = &entry
		}
	}
	return &table
}

// requires wraps an ioctl that a feature must be claimed for.
func requires(feature uint32, fn func(*File, []byte) error) func(*File, []byte) error {
	return func(f *File, arg []byte) error {
		if f.Dev.driver.Features&feature == 0 {
			return unix.EOPNOTSUPP
		}
		return fn(f, arg)
	}
}

func refuse(errno unix.Errno) func(*File, []byte) error {
	return func(*File, []byte) error { return errno }
}

// coreIoctls is what the framework serves for every driver.
var coreIoctls [256]*Ioctl

func init() {
	core := func(name string, size int, fn func(*File, []byte) error) Ioctl {
		return Ioctl{Name: name, Size: size, Fn: fn}
	}
	sync := func(name string, size int, fn func(*File, []byte) error) Ioctl {
		return core(name, size, requires(FeatureSyncobj, fn))
	}
	gem := func(name string, size int, fn func(*File, []byte) error) Ioctl {
		return Ioctl{Name: name, Size: size, Fn: requires(FeatureGEM, fn), wakes: true}
	}
	master := func(name string, size int) Ioctl { return core(name, size, refuse(unix.EACCES)) }
	for nr, entry := range map[uint32]Ioctl{
		abi.NrVersion:           core("VERSION", abi.SizeOf[abi.VersionInfo](), version),
		abi.NrGetUnique:         core("GET_UNIQUE", 16, refuse(unix.EINVAL)),
		abi.NrGetMagic:          core("GET_MAGIC", 4, refuse(unix.EINVAL)),
		abi.NrGetCap:            core("GET_CAP", abi.SizeOf[abi.GetCap](), getCap),
		abi.NrSetClientCap:      core("SET_CLIENT_CAP", 16, refuse(unix.EOPNOTSUPP)),
		abi.NrAuthMagic:         master("AUTH_MAGIC", 4),
		abi.NrSetVersion:        master("SET_VERSION", 16),
		abi.NrModeSetCRTC:       master("MODE_SETCRTC", 104),
		abi.NrModePageFlip:      master("MODE_PAGE_FLIP", 24),
		abi.NrModeSetPlane:      master("MODE_SETPLANE", 48),
		abi.NrModeAtomic:        master("MODE_ATOMIC", 56),
		abi.NrSetMaster:         master("SET_MASTER", 0),
		abi.NrDropMaster:        master("DROP_MASTER", 0),
		abi.NrGemClose:          gem("GEM_CLOSE", abi.SizeOf[abi.GemClose](), gemClose),
		abi.NrSyncobjCreate:     sync("SYNCOBJ_CREATE", abi.SizeOf[abi.SyncobjCreate](), syncobjCreate),
		abi.NrSyncobjDestroy:    sync("SYNCOBJ_DESTROY", abi.SizeOf[abi.SyncobjCreate](), syncobjDestroy),
		abi.NrSyncobjWait:       sync("SYNCOBJ_WAIT", abi.SizeOf[abi.SyncobjWait](), syncobjWait),
		abi.NrSyncobjTimeWait:   sync("SYNCOBJ_TIMELINE_WAIT", abi.SizeOf[abi.SyncobjTimelineWait](), syncobjTimelineWait),
		abi.NrSyncobjReset:      sync("SYNCOBJ_RESET", abi.SizeOf[abi.SyncobjArray](), syncobjReset),
		abi.NrSyncobjSignal:     sync("SYNCOBJ_SIGNAL", abi.SizeOf[abi.SyncobjArray](), syncobjSignal),
		abi.NrSyncobjTimeSignal: sync("SYNCOBJ_TIMELINE_SIGNAL", abi.SizeOf[abi.SyncobjTimelineArray](), syncobjTimelineSignal),
		abi.NrSyncobjQuery:      sync("SYNCOBJ_QUERY", abi.SizeOf[abi.SyncobjTimelineArray](), syncobjQuery),
		abi.NrPrimeHandleToFD:   gem("PRIME_HANDLE_TO_FD", abi.SizeOf[abi.PrimeHandle](), primeHandleToFD),
		abi.NrPrimeFDToHandle:   gem("PRIME_FD_TO_HANDLE", abi.SizeOf[abi.PrimeHandle](), primeFDToHandle),
		abi.NrSyncobjHandleToFD: sync("SYNCOBJ_HANDLE_TO_FD", abi.SizeOf[abi.SyncobjHandle](), syncobjHandleToFD),
		abi.NrSyncobjFDToHandle: sync("SYNCOBJ_FD_TO_HANDLE", abi.SizeOf[abi.SyncobjHandle](), syncobjFDToHandle),
		abi.NrSyncobjEventfd:    sync("SYNCOBJ_EVENTFD", abi.SizeOf[abi.SyncobjEventfd](), syncobjEventfd),
		abi.NrSyncobjTransfer:   sync("SYNCOBJ_TRANSFER", abi.SizeOf[abi.SyncobjTransfer](), syncobjTransfer),
	} {
		coreIoctls[nr] = &entry
	}
}

// version reports full lengths even when the caller's buffers are shorter.
func version(f *File, arg []byte) error {
	a := abi.Load[abi.VersionInfo](arg)
	d := f.Dev.driver
	a.Major, a.Minor, a.Patch = d.Major, d.Minor, d.Patch
	for _, t := range []struct {
		text string
		size *uint64
		ptr  uint64
	}{{d.Name, &a.NameLen, a.Name}, {d.Date, &a.DateLen, a.Date}, {d.Desc, &a.DescLen, a.Desc}} {
		if n := min(*t.size, uint64(len(t.text))); n > 0 && t.ptr != 0 {
			if err := f.user.CopyOut(t.ptr, []byte(t.text[:n])); err != nil {
				return err
			}
		}
		*t.size = uint64(len(t.text))
	}
	abi.Store(arg, &a)
	return nil
}

func getCap(f *File, arg []byte) error {
	a := abi.Load[abi.GetCap](arg)
	has := func(feature uint32) uint64 {
		if f.Dev.driver.Features&feature != 0 {
			return 1
		}
		return 0
	}
	switch a.Capability {
	case abi.CapTimestampMonotonic:
		a.Value = 1
	case abi.CapPrime:
		a.Value = has(FeatureGEM) * (abi.PrimeImport | abi.PrimeExport)
	case abi.CapSyncobj, abi.CapSyncobjTimeline:
		a.Value = has(FeatureSyncobj)
	default:
		return errnof(unix.EOPNOTSUPP, "capability %#x", a.Capability)
	}
	abi.Store(arg, &a)
	return nil
}
