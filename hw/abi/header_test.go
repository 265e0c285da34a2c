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

// wire pairs a struct of presi_accel.h with its Go twin, field by field in order.
type wire struct {
	name   string
	fields string
	twin   any
}

var wires = []wire{
	{"presi_query", "type size ptr pad", abi.Query{}},
	{"presi_device_info", "hw_version abi_version platform num_cores num_queues num_dma_channels array_rows array_cols " +
		"vector_lanes va_bits dtypes mem_size mem_available scratchpad_size core_clock_hz timestamp_hz va_start va_end page_sizes pad", abi.DeviceInfo{}},
	{"presi_bo_create", "size flags handle device_addr pad", abi.BOCreate{}},
	{"presi_bo_info", "handle flags size device_addr mmap_offset resident pad", abi.BOInfo{}},
	{"presi_queue_create", "engine priority core_mask flags queue pad", abi.QueueCreate{}},
	{"presi_queue_destroy", "queue pad", abi.QueueDestroy{}},
	{"presi_sync", "syncobj flags point", abi.Sync{}},
	{"presi_submit", "queue flags command_bo num_bos offset length bos in_syncs out_syncs num_in_syncs num_out_syncs timeout_ns seqno", abi.Submit{}},
	{"presi_queue_status", "queue error last_submitted last_completed failed_seqno guilty reset_count", abi.QueueStatus{}},
	{"presi_reset_info", "reset_count engine_resets state last_error last_reset_ns pad", abi.ResetInfo{}},
	{"presi_telemetry", "timestamp_ns core_busy_ns dma_busy_ns link_rx_bytes link_tx_bytes mem_read_bytes mem_write_bytes " +
		"jobs_completed jobs_failed tlb_hits tlb_misses faults ecc_corrected ecc_uncorrected power_mw temperature_mc pad", abi.TelemetryInfo{}},
}

var constants = []struct {
	name  string
	value int64
}{
	{"PRESI_QUERY", abi.NrQuery - abi.CommandBase}, {"PRESI_BO_CREATE", abi.NrBOCreate - abi.CommandBase},
	{"PRESI_BO_INFO", abi.NrBOInfo - abi.CommandBase}, {"PRESI_QUEUE_CREATE", abi.NrQueueCreate - abi.CommandBase},
	{"PRESI_QUEUE_DESTROY", abi.NrQueueDestroy - abi.CommandBase}, {"PRESI_SUBMIT", abi.NrSubmit - abi.CommandBase},
	{"PRESI_QUEUE_STATUS", abi.NrQueueStatus - abi.CommandBase},
	{"PRESI_QUERY_DEVICE", abi.QueryDevice}, {"PRESI_QUERY_TELEMETRY", abi.QueryTelemetry}, {"PRESI_QUERY_RESET", abi.QueryReset},
	{"PRESI_DTYPE_F32", int64(abi.F32)}, {"PRESI_DTYPE_F64", int64(abi.F64)}, {"PRESI_DTYPE_BF16", int64(abi.BF16)},
	{"PRESI_DTYPE_I8", int64(abi.I8)}, {"PRESI_DTYPE_I32", int64(abi.I32)},
	{"PRESI_BO_DEVICE", abi.BODevice}, {"PRESI_BO_HOST", abi.BOHost}, {"PRESI_BO_COMMAND", abi.BOCommand},
	{"PRESI_BO_READ_ONLY", abi.BOReadOnly}, {"PRESI_BO_UNCACHED", abi.BOUncached},
	{"PRESI_SUBMIT_NONBLOCK", abi.SubmitNonblock},
}

// cProgram prints a line for each size, offset and constant.
func cProgram() string {
	var b strings.Builder
	b.WriteString("#include <stddef.h>\n#include <stdio.h>\n#include \"presi_accel.h\"\nint main(void)\n{\n")
	for _, w := range wires {
		fmt.Fprintf(&b, "\tprintf(\"%s %%zu\\n\", sizeof(struct %s));\n", w.name, w.name)
		for _, f := range strings.Fields(w.fields) {
			fmt.Fprintf(&b, "\tprintf(\"%s.%s %%zu %%zu\\n\", offsetof(struct %s, %s), sizeof(((struct %s *)0)->%s));\n",
				w.name, f, w.name, f, w.name, f)
		}
	}
	for _, c := range constants {
		fmt.Fprintf(&b, "\tprintf(\"%s %%lld\\n\", (long long)%s);\n", c.name, c.name)
	}
	b.WriteString("\treturn 0;\n}\n")
	return b.String()
}

// goLines is what the C program has to print, by the Go structs.
func goLines(t *testing.T) string {
	var b strings.Builder
	for _, w := range wires {
		ty := reflect.TypeOf(w.twin)
		names := strings.Fields(w.fields)
		require.Equal(t, ty.NumField(), len(names), "%s: a field is missing on one side", w.name)
		require.Zero(t, ty.Size()%8, "%s is no multiple of 8 bytes", w.name)
		fmt.Fprintf(&b, "%s %d\n", w.name, ty.Size())
		end := uintptr(0)
		for i, n := range names {
			f := ty.Field(i)
			require.Equal(t, end, f.Offset, "%s.%s has padding before it", w.name, n)
			end = f.Offset + f.Type.Size()
			fmt.Fprintf(&b, "%s.%s %d %d\n", w.name, n, f.Offset, f.Type.Size())
		}
		require.Equal(t, end, ty.Size(), "%s has padding at its end", w.name)
	}
	for _, c := range constants {
		fmt.Fprintf(&b, "%s %d\n", c.name, c.value)
	}
	return b.String()
}

// compiler returns the C compiler, and skips the test where there is none.
func compiler(t *testing.T) string {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler (cc) on this machine to read presi_accel.h with")
	}
	return cc
}

func TestHeaderAgreesWithGo(t *testing.T) {
	want := goLines(t)
	cc := compiler(t)
	dir := t.TempDir()
	source, program := filepath.Join(dir, "print.c"), filepath.Join(dir, "print")
	require.NoError(t, os.WriteFile(source, []byte(cProgram()), 0o644))
	out, err := exec.Command(cc, "-std=gnu11", "-Wall", "-Wextra", "-Wpadded", "-Werror", "-I.", "-o", program, source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	got, err := exec.Command(program).Output()
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// Every struct and constant of the header is compared: none is added unseen.
func TestHeaderIsComparedWhole(t *testing.T) {
	text, err := os.ReadFile("presi_accel.h")
	require.NoError(t, err)
	structs, defines := map[string]bool{}, map[string]bool{}
	for _, w := range wires {
		structs[w.name] = true
	}
	for _, c := range constants {
		defines[c.name] = true
	}
	for _, line := range strings.Split(string(text), "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) >= 3 && f[0] == "struct" && f[2] == "{":
			require.True(t, structs[f[1]], "struct %s is not compared", f[1])
		case len(f) >= 3 && f[0] == "#define":
			require.True(t, defines[f[1]], "%s is not compared", f[1])
		}
	}
}
