package abi

import "golang.org/x/sys/unix"

// Status is the code in a completion entry and in a queue's ERR_CODE register.
type Status uint16

// Statuses.
const (
	StatusOK            Status = iota
	StatusBadOpcode            // undefined packet or ring opcode
	StatusBadPacket            // length, alignment or reserved field of a packet
	StatusBadDescriptor        // a kernel descriptor that does not fit or makes no sense
	StatusStaleEntry           // the ring entry's index is not the one expected
	StatusRingOverrun          // doorbell tail beyond the ring's depth
	StatusBadEntry             // reserved field or size of a ring entry
	StatusPageFault            // no translation
	StatusPermFault            // a translation that does not allow the access
	StatusBusError             // the bus refused or the completer failed
	StatusMemoryError          // uncorrectable error of device memory
	StatusBusTimeout           // no completion came back
	StatusWatchdog             // the entry's watchdog ran out
	StatusAborted              // ended by a reset
	NumStatus
)

// statusTable is the one place that says what a status is called and what the
// driver makes of it: the errno of the job's fence.
var statusTable = [NumStatus]struct {
	name  string
	errno unix.Errno
	text  string
}{
	StatusOK:            {"OK", 0, "finished"},
	StatusBadOpcode:     {"BAD_OPCODE", unix.EINVAL, "undefined opcode"},
	StatusBadPacket:     {"BAD_PACKET", unix.EINVAL, "packet with a bad length, alignment or reserved field"},
	StatusBadDescriptor: {"BAD_DESCRIPTOR", unix.EINVAL, "kernel descriptor that does not fit"},
	StatusStaleEntry:    {"STALE_ENTRY", unix.EIO, "ring entry with the wrong index: a write barrier is missing"},
	StatusRingOverrun:   {"RING_OVERRUN", unix.EIO, "doorbell beyond the ring's depth"},
	StatusBadEntry:      {"BAD_ENTRY", unix.EINVAL, "ring entry with a bad field"},
	StatusPageFault:     {"PAGE_FAULT", unix.EFAULT, "address without translation"},
	StatusPermFault:     {"PERM_FAULT", unix.EFAULT, "translation that does not allow the access"},
	StatusBusError:      {"BUS_ERROR", unix.EIO, "bus refused the access"},
	StatusMemoryError:   {"MEMORY_ERROR", unix.EIO, "uncorrectable memory error"},
	StatusBusTimeout:    {"BUS_TIMEOUT", unix.EIO, "no completion from the bus"},
	StatusWatchdog:      {"WATCHDOG", unix.ETIME, "watchdog ran out"},
	StatusAborted:       {"ABORTED", unix.ECANCELED, "ended by a reset"},
}

func (s Status) String() string {
	if s >= NumStatus {
		return "UNKNOWN"
	}
	return statusTable[s].name
}

// Errno returns the errno of a job's fence that ended with s.
func (s Status) Errno() unix.Errno {
	if s >= NumStatus {
		return unix.EIO
	}
	return statusTable[s].errno
}

// Text says what happened, for people.
func (s Status) Text() string {
	if s >= NumStatus {
		return "unknown status"
	}
	return statusTable[s].text
}
