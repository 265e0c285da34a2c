// Package workload holds the work a machine is measured on: networks as data,
// single operators by shorthand, and the values of their tensors.
//
// A network is a TOML file (the shipped ones are in networks/, see [List]), a
// topology file of SCALE-Sim (.csv) or a shorthand such as "gemm:256x1024x512".
// [Load] turns each into a [Graph]:
// tensors with shapes and element types, and a list of operators in execution
// order, each of which becomes one kernel on a device. The package knows no
// hardware: tiles, mappings and addresses are somebody else's.
//
// # Network files
//
//	name   = "example"
//	title  = "one line for people"
//	source = "paper, table; reference code"
//	dtype  = "bf16"                   # of weights and activations, unless --dtype says else
//	outputs = ["fc"]                  # tensors the host reads at the end
//	tensors = [                       # what exists before the first operator
//	  { name = "image", role = "input", shape = ["$batch", 224, 224, 3] },
//	]
//
//	[set]                             # integers the file uses as $name
//	width = 64
//
//	[[template]]                      # operators to be used by several blocks
//	name = "basic"
//	ops = [
//	  { name = "conv1", op = "conv", k = "$w", r = 3, pad = 1, act = "relu" },
//	  { name = "conv2", op = "conv", k = "$w", r = 3, pad = 1, residual = "$in", act = "relu" },
//	]
//
//	[[block]]                         # blocks run in the order of the file
//	name = "layer1.$i"                # prefix of the names inside; $i counts
//	use = "basic"                     # a template, or ops = [...] in place
//	repeat = 2                        # copies, numbered from first (default 0)
//	set = { w = 64 }
//
// A number is an integer or an expression in a string: "4*$w", "($n-1)*768".
// $batch is the batch size. An operator reads the result of the one before it
// unless it says `in`; "$in" is what the block started from. A name is looked
// up in its own block first, then in the whole file. The keys of each operator
// are in the table of kinds (kinds.go); anything else is an error.
//
// A file that says only how it differs from a shipped network has a base and
// variables, and nothing else:
//
//	name   = "bert-long"
//	title  = "BERT-base, sequences of 512 tokens"
//	source = "as bert-base-128"
//	base   = "bert-base-128"
//
//	[set]
//	seq = 512
//
// # Topology files
//
// The first line of a topology is its header, the others are a layer each:
//
//	Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
//	Conv1, 224, 224, 11, 11, 3, 96, 4,
//
// or, for products,
//
//	Layer, M, N, K,
//	FF_A, 128, 512, 2048,
//
// Geometry is SCALE-Sim's: nothing is padded, output extents are rounded up, and
// a convolution with DP in its name is depthwise. The layers are not linked: each
// reads a tensor of its own, without bias or activation.
//
// # Values
//
// Operators are defined on real numbers. A tensor holds them in its element
// type; an int8 tensor holds round(value/Scale), saturated. So an int8 GEMM of
// operands a and b has accumulators worth a.Scale·b.Scale each, parameters stay
// f32 in real units, and gather, copy, transpose and max pool move bytes as they
// are where the scales of both sides are equal.
//
// # Layouts
//
// Images are NHWC. A convolution's weights are [R, S, C/groups, K] (HWIO), a
// GEMM's [K, N], so that both are a matrix with one column for each output
// channel. Views ([View]) address attention heads, cache rows and parts of a
// concatenation in place, without transposes or copies.
package workload
