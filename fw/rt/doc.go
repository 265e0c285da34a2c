// Package rt is the user-mode runtime: what a program links to use the
// accelerator. It speaks the uAPI of hw/abi through a Node and nothing else, so
// the same code drives an in-process device (OpenIn, Local) and a real /dev/accel
// node (OpenPath).
//
// # Use
//
//	dev, err := rt.OpenPath("/dev/accel/accel0") // or rt.OpenIn(class, …), rt.Open(node)
//	lib := dev.Library(rt.Options{})
//	q, err := dev.NewQueue(rt.Compute, rt.PriorityNormal, 0)
//	x, err := dev.NewBuffer(bytes, abi.BODevice)
//	kernels, err := lib.Gemm(&rt.Gemm{M: m, N: n, K: k, A: a, B: b, C: c})
//	cmd := q.Commands()
//	cmd.Kernels(kernels, 0)
//	t, err := q.Submit(&rt.Job{Commands: cmd, Buffers: []*rt.Buffer{x}})
//	err = q.Wait(t, deadline)
//
// # Processes and goroutines
//
// An in-process device lives in a simulation. A program that runs as a process of
// it uses the node of Local as it is, and the same program gets the same answers at
// the same nanosecond every time. Programs that are ordinary goroutines of a test or
// a server wrap that node in Served, while another goroutine serves the simulation:
// each call then runs as a process, and any number of goroutines may use one device
// at once. When their calls land depends on the machine and its scheduler: times are
// not reproducible, results are. Of one Device all methods may be called together;
// a Queue, its Commands and a Buffer's first Map are for one goroutine at a time.
//
// # Layers
//
// Device, Buffer, Queue and Syncobj are the uAPI with types. Commands builds a
// command buffer: packets first, the kernel descriptors that they name behind
// them, in a buffer object that is used again when its job is done. Library
// turns operations on tensors into kernel descriptors (abi.Kernel) and has the
// mapper choose their tiles.
//
// # Mapping
//
// A descriptor says how a kernel uses the scratchpad: tile sizes, loop order,
// how many cores share it and along which axis, slots an operand, and where they
// lie. The mapper tries all cores, and fewer and fewer: they have less of the memory
// each, and load the operand that they do not split again. It
// looks through tiles whose sizes are balanced parts of the extents, rounded to
// the array's, keeps those that fit by the slot rule of the descriptor's
// definition, and takes the one with the least estimated time: the greatest of
// array, vector unit and memory time, and the first loads and last stores that
// nothing hides. The estimate counts what is loaded again for want of slots,
// edge tiles, the core with the largest share, and short runs of memory. All of
// it is integer arithmetic in a fixed order: the same shape gives the same
// descriptor everywhere. See DEVIATIONS.md for what the estimate leaves out.
//
// Weights are stored as networks have them, [K, N] row by row: a tile narrower
// than N is loaded in runs of its width, and the estimate charges the short runs.
// A program that lets the mapper choose (FreeB, FreeF) stores them as the
// descriptor then says: in panels of a tile's columns (abi.KernelPanels).
//
// # Errors
//
// Ioctl errors wrap the errno (errors.Is(err, unix.ETIME)). An operation that no
// descriptor expresses, or that cannot fit the scratchpad, wraps ErrUnsupported
// and says what was found and what would be right. Nothing is approximated.
package rt
