package workload

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Options are what a run decides about a workload.
type Options struct {
	Batch int   // images, sequences or rows at once; 0 means 1
	DType DType // of weights and activations; DefaultDType is the network's choice
}

//go:embed networks/*.toml
var networkFiles embed.FS

// maxBatch bounds Options.Batch.
const maxBatch = 1 << 20

// Load makes a graph of a shipped network ("resnet50", see [List]), of a file
// (a name that ends in .toml; or in .csv, a topology of SCALE-Sim) or of a single
// operator ("gemm:256x1024x512", see [Parse]). A network's variables can be given behind
// its name: "gpt2-decode,context=1024". All faults are reported at once, each
// an [*Error], joined.
func Load(name string, opts Options) (*Graph, error) {
	if opts.Batch == 0 {
		opts.Batch = 1
	}
	if opts.Batch < 1 || opts.Batch > maxBatch {
		return nil, &Error{Source: name, Key: "batch", Msg: fmt.Sprintf("%d is out of range; want 1 to %d", opts.Batch, maxBatch)}
	}
	if opts.DType > I8 {
		return nil, &Error{Source: name, Key: "dtype", Msg: fmt.Sprintf("%s is no type for a network; want f32, bf16 or int8", opts.DType)}
	}
	if kind, _, ok := strings.Cut(name, ":"); ok && identifier(kind) == kind {
		return parse(name, opts)
	}
	base, vars, err := splitVars(name)
	if err != nil {
		return nil, err
	}
	g, err := loadFile(base, opts, vars)
	if err != nil {
		return nil, zeroed(name, base, opts, vars, err)
	}
	return g, nil
}

// zeroed turns what follows from a variable of 0 into one error, if the network
// can be read without it.
func zeroed(name, base string, opts Options, vars map[string]int, err error) error {
	others, zeros := map[string]int{}, []error{}
	for _, key := range slices.Sorted(maps.Keys(vars)) {
		if others[key] = vars[key]; vars[key] == 0 {
			delete(others, key)
			zeros = append(zeros, &Error{Source: name, Msg: key + " = 0: want 1 or more"})
		}
	}
	if len(zeros) == 0 {
		return err
	}
	if _, other := loadFile(base, opts, others); other != nil {
		return err
	}
	return errors.Join(zeros...)
}

// Parse makes a graph of one operator's shorthand, with batch 1 in bf16. A
// shorthand is the operator, its sizes, and options as key=value or a flag:
//
//	gemm:256x1024x512                      M×K×N
//	gemm:128x64x128,batch=12,trans_b       twelve products, B stored N×K
//	gemm:128x768x3072,bias,act=gelu        with an epilogue
//	conv:1x56x56x64,64x3x3,stride=2,pad=1  image N×H×W×C, filters K×R×S
//	conv:1x56x56x64,64x3x3,pad=1,groups=64 depthwise
//	maxpool:1x112x112x64,r=3,stride=2      image N×H×W×C
//	avgpool:1x7x7x2048                     global
//	softmax:1536x128,scale=0.125           rows × columns; likewise add, mul, the
//	                                       activations, layernorm, rmsnorm,
//	                                       batchnorm, reduce, transpose, copy
//	gather:30522x768,n=128                 table, rows taken
//
// Where two numbers differ by axis, they are written 2x1 (height, width). The
// options of an operator are its keys in network files, less those that name
// tensors.
func Parse(shorthand string) (*Graph, error) { return parse(shorthand, Options{Batch: 1}) }

// IsFile reports whether a workload's name, without its variables, is that of a file
// that Load reads.
func IsFile(name string) bool { return strings.HasSuffix(name, ".toml") || isTopology(name) }

func isTopology(name string) bool { return strings.HasSuffix(name, ".csv") }

func loadFile(name string, opts Options, vars map[string]int) (*Graph, error) {
	if isTopology(name) {
		return loadTopology(name, opts, vars)
	}
	if IsFile(name) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("workload %s: %w", name, err)
		}
		return readFile(name, string(text), opts, vars)
	}
	file := "networks/" + name + ".toml"
	text, err := fs.ReadFile(networkFiles, file)
	if err != nil {
		return nil, &Error{Source: name, Err: ErrUnknown, Msg: "is no network; want one of " + strings.Join(List(), ", ") +
			", a file that ends in .toml or .csv, or an operator such as gemm:256x1024x512"}
	}
	return readFile(path.Base(file), string(text), opts, vars)
}

// maxTopology bounds the size of a topology file.
const maxTopology = 1 << 24

func loadTopology(name string, opts Options, vars map[string]int) (*Graph, error) {
	if len(vars) > 0 {
		return nil, &Error{Source: name, Msg: "a topology has no variables; want the file's name alone"}
	}
	info, err := os.Stat(name)
	if err == nil && info.Size() > maxTopology {
		return nil, &Error{Source: name, Line: 1, Col: 1, Msg: fmt.Sprintf("is %d bytes long; want at most %d", info.Size(), maxTopology)}
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("workload %s: %w", name, err)
	}
	return readTopology(name, string(text), opts)
}

// splitVars takes "name,key=value,…" apart.
func splitVars(name string) (string, map[string]int, error) {
	parts := strings.Split(name, ",")
	vars := map[string]int{}
	for _, part := range parts[1:] {
		key, value, ok := strings.Cut(part, "=")
		if strings.HasPrefix(value, "-") && identifier(key) == key && key != "" {
			return "", nil, &Error{Source: name, Msg: key + " = " + value + ": want 1 or more"}
		}
		if ok && identifier(key) == key && key != "" && value != "" && strings.Trim(value, "0123456789") == "" {
			if n, err := strconv.Atoi(value); err != nil || n > maxDim {
				return "", nil, &Error{Source: name, Msg: fmt.Sprintf("%s = %s: want 1 to %d", key, value, maxDim)}
			}
		}
		v, err := env{}.eval(value)
		if !ok || err != nil || identifier(key) != key || key == "" {
			return "", nil, &Error{Source: name, Key: part,
				Msg: "is no variable; want name=number, for example gpt2-decode,context=1024"}
		}
		vars[key] = v
	}
	return parts[0], vars, nil
}

// List names the shipped networks in alphabetical order.
func List() []string {
	entries, err := networkFiles.ReadDir("networks")
	if err != nil {
		panic(err) // the directory is embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}
