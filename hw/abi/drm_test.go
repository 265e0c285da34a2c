package abi_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/abi"
)

// The core's structs, against the layouts of include/uapi/drm/drm.h: size and
// the offset of each field.
func TestCoreStructs(t *testing.T) {
	for _, c := range []struct {
		v       any
		size    uintptr
		offsets []uintptr
	}{
		{abi.VersionInfo{}, 64, []uintptr{0, 4, 8, 12, 16, 24, 32, 40, 48, 56}},
		{abi.GetCap{}, 16, []uintptr{0, 8}},
		{abi.GemClose{}, 8, []uintptr{0, 4}},
		{abi.PrimeHandle{}, 12, []uintptr{0, 4, 8}},
		{abi.SyncobjCreate{}, 8, []uintptr{0, 4}},
		{abi.SyncobjHandle{}, 24, []uintptr{0, 4, 8, 12, 16}},
		{abi.SyncobjWait{}, 40, []uintptr{0, 8, 16, 20, 24, 28, 32}},
		{abi.SyncobjTimelineWait{}, 48, []uintptr{0, 8, 16, 24, 28, 32, 36, 40}},
		{abi.SyncobjArray{}, 16, []uintptr{0, 8, 12}},
		{abi.SyncobjTimelineArray{}, 24, []uintptr{0, 8, 16, 20}},
		{abi.SyncobjTransfer{}, 32, []uintptr{0, 4, 8, 16, 24, 28}},
		{abi.SyncobjEventfd{}, 24, []uintptr{0, 4, 8, 16, 20}},
	} {
		ty := reflect.TypeOf(c.v)
		require.Equal(t, c.size, ty.Size(), ty.Name())
		require.Len(t, c.offsets, ty.NumField(), ty.Name())
		for i, off := range c.offsets {
			require.Equal(t, off, ty.Field(i).Offset, "%s.%s", ty.Name(), ty.Field(i).Name)
		}
	}
}

// Where the kernel's own header is installed its ioctl numbers are compared too:
// direction, size, type and number.
func TestCoreNumbers(t *testing.T) {
	const header = "/usr/include/drm/drm.h"
	text, err := os.ReadFile(header)
	if err != nil {
		t.Skip("the kernel's headers (drm/drm.h) are not installed")
	}
	both := uint32(abi.IoctlRead | abi.IoctlWrite)
	numbers := []struct {
		name  string
		value uint32
	}{
		{"DRM_IOCTL_VERSION", abi.RequestOf[abi.VersionInfo](abi.NrVersion)},
		{"DRM_IOCTL_GET_CAP", abi.RequestOf[abi.GetCap](abi.NrGetCap)},
		{"DRM_IOCTL_GEM_CLOSE", abi.Request(abi.IoctlWrite, abi.NrGemClose, 8)},
		{"DRM_IOCTL_GET_MAGIC", abi.Request(abi.IoctlRead, abi.NrGetMagic, 4)},
		{"DRM_IOCTL_SET_MASTER", abi.Request(abi.IoctlNone, abi.NrSetMaster, 0)},
		{"DRM_IOCTL_DROP_MASTER", abi.Request(abi.IoctlNone, abi.NrDropMaster, 0)},
		{"DRM_IOCTL_PRIME_HANDLE_TO_FD", abi.RequestOf[abi.PrimeHandle](abi.NrPrimeHandleToFD)},
		{"DRM_IOCTL_PRIME_FD_TO_HANDLE", abi.RequestOf[abi.PrimeHandle](abi.NrPrimeFDToHandle)},
		{"DRM_IOCTL_SYNCOBJ_CREATE", abi.RequestOf[abi.SyncobjCreate](abi.NrSyncobjCreate)},
		{"DRM_IOCTL_SYNCOBJ_DESTROY", abi.RequestOf[abi.SyncobjCreate](abi.NrSyncobjDestroy)},
		{"DRM_IOCTL_SYNCOBJ_RESET", abi.RequestOf[abi.SyncobjArray](abi.NrSyncobjReset)},
		{"DRM_IOCTL_SYNCOBJ_SIGNAL", abi.RequestOf[abi.SyncobjArray](abi.NrSyncobjSignal)},
		{"DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL", abi.RequestOf[abi.SyncobjTimelineArray](abi.NrSyncobjTimeSignal)},
		{"DRM_IOCTL_SYNCOBJ_QUERY", abi.RequestOf[abi.SyncobjTimelineArray](abi.NrSyncobjQuery)},
		{"DRM_IOCTL_SYNCOBJ_TRANSFER", abi.RequestOf[abi.SyncobjTransfer](abi.NrSyncobjTransfer)},
		{"DRM_CAP_PRIME", abi.CapPrime}, {"DRM_CAP_SYNCOBJ", abi.CapSyncobj},
		{"DRM_CAP_SYNCOBJ_TIMELINE", abi.CapSyncobjTimeline},
		{"DRM_COMMAND_BASE", abi.CommandBase}, {"DRM_COMMAND_END", abi.CommandEnd},
	}
	// Structs that have grown since are compared without their size.
	grown := []struct {
		name  string
		value uint32
	}{
		{"DRM_IOCTL_SYNCOBJ_WAIT", abi.Request(both, abi.NrSyncobjWait, 0)},
		{"DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT", abi.Request(both, abi.NrSyncobjTimeWait, 0)},
		{"DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD", abi.Request(both, abi.NrSyncobjHandleToFD, 0)},
		{"DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE", abi.Request(both, abi.NrSyncobjFDToHandle, 0)},
		{"DRM_IOCTL_SYNCOBJ_EVENTFD", abi.Request(both, abi.NrSyncobjEventfd, 0)},
	}
	var b, want strings.Builder
	b.WriteString("#include <stdio.h>\n#include <drm/drm.h>\nint main(void)\n{\n")
	add := func(name, mask string, value uint32) {
		if strings.Contains(string(text), name) {
			fmt.Fprintf(&b, "\tprintf(\"%s %%#x\\n\", (unsigned)(%s) & %s);\n", name, name, mask)
			fmt.Fprintf(&want, "%s %#x\n", name, value)
		}
	}
	for _, n := range numbers {
		add(n.name, "~0u", n.value)
	}
	for _, n := range grown {
		add(n.name, "0xc000ffffu", n.value)
	}
	b.WriteString("\treturn 0;\n}\n")
	cc := compiler(t)
	dir := t.TempDir()
	source, program := filepath.Join(dir, "print.c"), filepath.Join(dir, "print")
	require.NoError(t, os.WriteFile(source, []byte(b.String()), 0o644))
	out, err := exec.Command(cc, "-Wall", "-Werror", "-o", program, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	got, err := exec.Command(program).Output()
	require.NoError(t, err)
	require.Equal(t, want.String(), string(got))
}
