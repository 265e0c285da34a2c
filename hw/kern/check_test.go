package kern

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawer draws the fields of a task: mostly small, sometimes negative or huge.
type drawer struct{ *rapid.T }

func (d drawer) n(name string) int {
	switch rapid.IntRange(0, 99).Draw(d.T, name+" kind") {
	case 99:
		return rapid.SampledFrom([]int{-1, math.MinInt, math.MaxInt, 1 << 31, 1 << 40}).Draw(d.T, name)
	case 98, 97, 96, 95:
		return 0
	}
	return rapid.IntRange(1, 4).Draw(d.T, name)
}

func (d drawer) stride(name string) int {
	switch rapid.IntRange(0, 99).Draw(d.T, name+" kind") {
	case 99:
		return d.n(name)
	case 98, 97, 96, 95:
		return rapid.IntRange(0, 20).Draw(d.T, name)
	}
	return rapid.IntRange(20, 60).Draw(d.T, name)
}

func (d drawer) bytes(name string) []byte {
	return make([]byte, rapid.SampledFrom([]int{0, 40, 400, 3000, 3000, 3000, 3000, 3000, 3000, 3000, 3000}).Draw(d.T, name))
}

func (d drawer) typ(name string) DType {
	return rapid.SampledFrom([]DType{F32, F32, F32, F32, BF16, BF16, I8, I8, I32, F64, I32 + 1}).Draw(d.T, name)
}

func (d drawer) view(name string) View {
	return View{Data: d.bytes(name), LD: d.stride(name + " ld"), Type: d.typ(name + " type"), Scale: 0.5}
}

func (d drawer) vector(name string) []byte {
	if rapid.Bool().Draw(d.T, name+" nil") {
		return nil
	}
	return d.bytes(name)
}

var drawTasks = map[string]func(d drawer) Task{
	"gemm": func(d drawer) Task {
		return &Gemm{M: d.n("M"), N: d.n("N"), K: d.n("K"), A: d.bytes("A"), B: d.bytes("B"), C: d.bytes("C"), LDA: d.stride("LDA"),
			LDB: d.stride("LDB"), LDC: d.stride("LDC"), In: d.typ("In"), TransB: rapid.Bool().Draw(d.T, "TransB")}
	},
	"conv": func(d drawer) Task {
		return &Conv{IH: 8 + d.n("IH"), IW: 8 + d.n("IW"), C: d.n("C"), N: d.n("N"), R: d.n("R"), S: d.n("S"), OH: d.n("OH"), OW: d.n("OW"),
			StrideH: d.n("strideH"), StrideW: d.n("strideW"), DilH: d.n("dilH"), DilW: d.n("dilW"), X: d.bytes("X"), XRow: 4 * d.stride("XRow"),
			XPixel: d.stride("XPixel"), W: d.bytes("W"), LDW: d.stride("LDW"), Acc: d.bytes("Acc"), LDAcc: d.stride("LDAcc"), In: d.typ("In")}
	},
	"depthwise": func(d drawer) Task {
		return &Depthwise{IH: 8 + d.n("IH"), IW: 8 + d.n("IW"), C: d.n("C"), R: d.n("R"), S: d.n("S"), OH: d.n("OH"), OW: d.n("OW"),
			StrideH: d.n("strideH"), StrideW: d.n("strideW"), DilH: d.n("dilH"), DilW: d.n("dilW"), X: d.bytes("X"), XRow: 4 * d.stride("XRow"),
			XPixel: d.stride("XPixel"), W: d.bytes("W"), LDW: d.stride("LDW"), Acc: d.bytes("Acc"), LDAcc: d.stride("LDAcc"), In: d.typ("In")}
	},
	"pool": func(d drawer) Task {
		return &Pool2D{Op: PoolOp(rapid.IntRange(0, 3).Draw(d.T, "op")), IH: 8 + d.n("IH"), IW: 8 + d.n("IW"), C: d.n("C"), OH: d.n("OH"), OW: d.n("OW"),
			R: d.n("R"), S: d.n("S"), StrideH: d.n("strideH"), StrideW: d.n("strideW"), Top: d.n("top"), Left: d.n("left"), Type: d.typ("type"),
			X: d.bytes("X"), XRow: 4 * d.stride("XRow"), XPixel: d.stride("XPixel"), Out: d.bytes("Out"), OutRow: d.stride("OutRow"), OutPixel: d.stride("OutPixel")}
	},
	"epilogue": func(d drawer) Task {
		return &Epilogue{Rows: d.n("rows"), Cols: d.n("cols"), Acc: d.bytes("Acc"), LDAcc: d.stride("LDAcc"), AccType: d.typ("AccType"),
			ScaleVec: d.vector("ScaleVec"), Bias: d.vector("Bias"), Residual: d.view("Residual"), Act: Act(rapid.IntRange(0, 9).Draw(d.T, "act")), Out: d.view("Out")}
	},
	"unary": func(d drawer) Task {
		return &Unary{Op: Act(rapid.IntRange(0, 9).Draw(d.T, "op")), Rows: d.n("rows"), Cols: d.n("cols"), X: d.view("X"), Out: d.view("Out")}
	},
	"binary": func(d drawer) Task {
		return &Binary{Op: BinaryOp(rapid.IntRange(0, 5).Draw(d.T, "op")), Rows: d.n("rows"), Cols: d.n("cols"), X: d.view("X"), Y: d.view("Y"), Out: d.view("Out")}
	},
	"scale-shift": func(d drawer) Task {
		return &ScaleShift{Rows: d.n("rows"), Cols: d.n("cols"), X: d.view("X"), Out: d.view("Out"), Scale: d.vector("Scale"), Shift: d.vector("Shift")}
	},
	"softmax": func(d drawer) Task {
		return &Softmax{Rows: d.n("rows"), Cols: d.n("cols"), Valid: d.n("valid"), ValidStep: d.n("step"), First: d.n("first"), Period: d.n("period"), X: d.view("X"), Out: d.view("Out")}
	},
	"norm": func(d drawer) Task {
		return &Norm{Kind: NormKind(rapid.IntRange(0, 2).Draw(d.T, "kind")), Rows: d.n("rows"), Cols: d.n("cols"), X: d.view("X"), Out: d.view("Out"),
			Gamma: d.vector("Gamma"), Beta: d.vector("Beta")}
	},
	"reduce": func(d drawer) Task {
		return &Reduce{Op: ReduceOp(rapid.IntRange(0, 3).Draw(d.T, "op")), Down: rapid.Bool().Draw(d.T, "down"), Rows: d.n("rows"), Cols: d.n("cols"),
			X: d.view("X"), Out: d.view("Out")}
	},
	"transpose": func(d drawer) Task {
		return &Transpose{Rows: d.n("rows"), Cols: d.n("cols"), Elem: rapid.SampledFrom([]int{0, 1, 2, 4, 8}).Draw(d.T, "elem"), X: d.bytes("X"), Out: d.bytes("Out"), LDX: d.stride("LDX"), LDOut: d.stride("LDOut")}
	},
	"gather": func(d drawer) Task {
		return &Gather{Rows: d.n("rows"), RowBytes: d.n("bytes"), Table: d.bytes("Table"), TableRows: d.n("table rows"), LDTable: d.stride("LDTable"),
			LDOut: d.stride("LDOut"), Index: d.bytes("Index"), Out: d.bytes("Out")}
	},
}

// Whatever passes Check runs without a panic, in one part and in many: a caller
// may hand on what it was told.
func TestCheckIsEnough(t *testing.T) {
	passed := 0
	for name, draw := range drawTasks {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				task := draw(drawer{t})
				if err := task.Check(); err != nil {
					return
				}
				if task.Parts(8) > 0 {
					passed++
				}
				var s Scratch
				for parts := 1; task.Parts(8) > 0 && parts <= 4; parts *= 4 {
					for i := range parts {
						task.Run(i, parts, &s)
					}
				}
			})
		})
	}
	require.Greater(t, passed, 10*len(drawTasks)/2, "too few of the drawn tasks pass Check for this to say much")
}
