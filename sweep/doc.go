// Package sweep explores a space of designs: a file names axes of the
// configuration and workloads; every point of their grid is one deterministic
// simulation.
//
// A sweep goes three ways in order: Load reads the file (Spec), Plan makes its
// points and checks each of them, Plan.Run simulates those that are not in the
// journal yet, one a processor, and appends a line as each finishes. The journal
// is all that there is between two runs: stopping a sweep, at any moment and by
// any means, loses no point that had finished.
//
// # Sweep files
//
//	base      = "edge"                            # a shipped machine, or a file beside this one
//	workloads = ["resnet18", "gemm:512x512x512"]  # networks, network files, shorthands
//	dtype     = ["bf16", "int8"]                  # not given: each workload's own
//	batch     = [1, 8]                            # not given: each workload's own
//
//	[axes]                                        # each combination is a machine
//	"dram.channels" = [1, 2, 4]
//	"array.rows,array.cols" = [8, 16, [16, 32]]   # one axis of several keys; one value is for all of them
//
//	[set]                                         # the same everywhere
//	"dram.size" = "2GiB"                          # what a single channel can have
//
// Points leave values out (timing-only), which changes no time; functional = true
// computes them.
package sweep
