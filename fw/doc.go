// Package fw is the accel framework: what Linux drivers/accel and the DRM core
// give to drivers of compute devices. A driver registers a Device and gets a
// character node with ioctl dispatch, files with handle tables, buffer objects
// with mmap offsets and export, syncobjs with timelines, fences, a job
// scheduler, managed resources, and unplug protection.
//
// It sees a hw.Kernel (clock, threads) and structs of hw/abi, nothing of the
// simulation: as a C framework sees its kernel. Errors are errnos
// (golang.org/x/sys/unix), wrapped where a text helps.
package fw

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// errnof is an errno with a text for logs; errors.Is finds the errno.
func errnof(errno unix.Errno, format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errno)...)
}

// Errno returns the errno in err, 0 for nil and EIO for an error without one.
func Errno(err error) unix.Errno {
	if err == nil {
		return 0
	}
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}
