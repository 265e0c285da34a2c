package core

import (
	"github.com/presi-sim/presi/hw/abi"
)

// ArraySpec is one product for the array: Groups times M×K by K×N.
type ArraySpec struct {
	M, K, N    int64
	Groups     int64 // 0 is 1
	Taps       int64 // pixels of a convolution's window, which K counts; 0: a matrix product
	Line       int64 // rows of M that follow each other without a break (an image row's pixels); 0: all
	Type       abi.DType
	Dataflow   Dataflow
	Accumulate bool // onto partial sums that are in the scratchpad
}

// ArrayCost is what a product takes, in cycles, alone in the array.
type ArrayCost struct {
	Preload int64 // before the first row: the first weights
	Stream  int64 // rows pass
	Last    int64 // of Stream: the last fold, in which the next product may load its weights
	Drain   int64 // from the last row's entry to the last result
}

// Cycles returns the product's latency.
func (c ArrayCost) Cycles() int64 { return c.Preload + c.Stream + c.Drain }

// MACs returns the multiply-accumulates of the product.
func (s *ArraySpec) MACs() int64 { return max(s.Groups, 1) * s.M * s.K * s.N }

// extents returns the stationary operand's extents on rows and columns of the
// array, and how many vectors stream past it.
func (s *ArraySpec) extents() (sr, sc, t int64) {
	switch s.Dataflow {
	case abi.OutputStationary:
		return s.M, s.N, s.K
	case abi.InputStationary:
		return s.K, s.M, s.N
	}
	return s.K, s.N, s.M
}

// Cycles returns the latency of a product alone in the array.
//
// ScaleSim: with F folds of R×C, os F·(R+C+T−2)−1, ws and is F·(2R+C+T−2)−1
// (SCALE-Sim v3's closed forms).
//
// DoubleBuffered: shadow registers take the next fold's operand, one array row
// a cycle, while the present one computes: a fold takes max(T, R) cycles, the
// first is loaded in R before, and R+C−2 cycles after the last row the last sum
// has left the array. Output-stationary folds move their sums out the same way:
// R cycles, behind the next fold's back.
//
// A convolution's loop over its window adds TapCycles between folds. With
// TapFolds each tap of the window has folds of its own: its channels start at the
// array's first row, however few they are.
//
// A group of a grouped product is a product of its own: its folds follow those
// of the group before.
//
// Units arrays share a product in whichever way is quickest: each takes a part
// of the folds, or with one stationary operand in several of them each takes a
// part of the rows that stream (never with output-stationary folds, whose sums
// would have to be added up).
func (c *ArrayConfig) Cycles(s ArraySpec) int64 { return c.Cost(&s).Cycles() }

// Cost returns the phases of a product. It is a pure function.
func (c *ArrayConfig) Cost(s *ArraySpec) ArrayCost {
	sr, sc, t := s.extents()
	r, w := int64(c.Rows), int64(c.Cols)
	folds := ceilDiv(sr, r) * ceilDiv(sc, w)
	groups, rate := max(s.Groups, 1), c.rate(s.Type)
	if taps := max(s.Taps, 1); c.TapFolds && s.Dataflow == abi.WeightStationary {
		folds = taps * ceilDiv(sr/taps, r) * ceilDiv(sc, w)
	}
	if c.Overlap == ScaleSim {
		skew := r + w - 2
		if s.Dataflow != abi.OutputStationary {
			skew += r
		}
		one := folds*(skew+t*rate) - 1
		return ArrayCost{Stream: groups * one}
	}
	cost := ArrayCost{Preload: int64(c.SetupCycles) + r*rate, Drain: r + w - 2}
	cost.Stream, cost.Last = c.shared(s, groups*folds, t)
	if s.Dataflow == abi.OutputStationary {
		cost.Drain += r
		if !s.Accumulate {
			cost.Preload = int64(c.SetupCycles)
		}
	}
	return cost
}

// shared returns the cycles that folds of t vectors each take the arrays of the
// core, and the last fold's.
func (c *ArrayConfig) shared(s *ArraySpec, folds, t int64) (stream, last int64) {
	rate, units, turn := c.rate(s.Type), int64(max(c.Units, 1)), int64(0)
	if s.Taps > 0 {
		turn = int64(c.TapCycles)
	}
	for rows := int64(1); rows <= units; rows++ { // arrays that share a fold's rows
		each := units / rows
		if each*rows != units || rows > 1 && s.Dataflow == abi.OutputStationary {
			continue
		}
		one := c.stream(s, ceilDiv(t, rows)) * rate
		all := (ceilDiv(folds, each)-1)*(max(one, int64(c.Rows)*rate)+turn) + one
		if rows == 1 || all < stream {
			stream, last = all, one
		}
	}
	return stream, last
}

// Peak returns the multiply-accumulates a core's arrays do in a cycle at most.
func (c *ArrayConfig) Peak() int64 { return int64(c.Rows) * int64(c.Cols) * int64(max(c.Units, 1)) }

// PeakOf returns Peak with operands of type t.
func (c *ArrayConfig) PeakOf(t abi.DType) float64 { return float64(c.Peak()) / float64(c.rate(t)) }

// stream returns the cycles of t vectors passing a stationary operand: with
// weights in the array, each line is cut into instructions of BurstRows rows
// that take BurstCycles at least.
func (c *ArrayConfig) stream(s *ArraySpec, t int64) int64 {
	if s.Dataflow != abi.WeightStationary || c.BurstRows == 0 && c.BurstCycles == 0 {
		return t
	}
	line := t
	if s.Line > 0 && s.Line < t {
		line = s.Line
	}
	return t/line*c.bursts(line) + c.bursts(t%line)
}

func (c *ArrayConfig) bursts(rows int64) int64 {
	if rows == 0 {
		return 0
	}
	burst, least := int64(c.BurstRows), int64(c.BurstCycles)
	if burst == 0 {
		return max(rows, least)
	}
	n := rows / burst * max(burst, least)
	if rest := rows % burst; rest > 0 {
		n += max(rest, least)
	}
	return n
}

// rate returns the cycles a row of operands of type t takes.
func (c *ArrayConfig) rate(t abi.DType) int64 {
	if t == abi.F32 {
		return int64(c.F32Cycles)
	}
	return 1
}

// traffic returns the scratchpad bytes that a product moves: the stationary
// operand once, the streaming one once for each column of folds, and 4-byte sums
// once a product, in as well when it adds to earlier ones. Between folds sums
// stay with the adders below the array, as in TPU v1 and Gemmini.
func (c *ArrayConfig) traffic(s *ArraySpec) int64 {
	r, w := int64(c.Rows), int64(c.Cols)
	size := int64(s.Type.Size())
	a, b, sums := s.M*s.K*size, s.K*s.N*size, s.M*s.N*4
	if s.Accumulate {
		sums *= 2
	}
	switch s.Dataflow {
	case abi.OutputStationary:
		a, b = a*ceilDiv(s.N, w), b*ceilDiv(s.M, r)
	case abi.InputStationary:
		b *= ceilDiv(s.M, w)
	default:
		a *= ceilDiv(s.N, w)
	}
	return max(s.Groups, 1) * (a + b + sums)
}

// ceilDiv returns ⌈a/b⌉ for a ≥ 0, b > 0.
func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
