package workload

import "slices"

// Kind is an operator; each becomes one kernel on a device.
type Kind uint8

const (
	KindGemm      Kind = iota // Op.Gemm: C = act(scale·A·B + bias + residual)
	KindConv                  // Op.Conv: NHWC convolution with the same epilogue
	KindMaxPool               // Op.Pool
	KindAvgPool               // Op.Pool; never padded
	KindAdd                   // Op.Rows: Out = X + Y; a Y of fewer rows goes to each block of as many
	KindMul                   // Op.Rows: Out = X · Y, element by element
	KindRelu                  // Op.Rows from here on: Out = max(X, 0)
	KindRelu6                 // min(max(X, 0), 6)
	KindGelu                  // X/2·(1 + erf(X/√2))
	KindGeluTanh              // X/2·(1 + tanh(√(2/π)·(X + 0.044715·X³)))
	KindSilu                  // X / (1 + exp(-X))
	KindSigmoid               // 1 / (1 + exp(-X))
	KindTanh                  // tanh(X)
	KindExp                   // exp(X)
	KindSoftmax               // rows of exp(Scale·X) over the first columns ([Rows.Columns]), normalised; the rest 0
	KindLayerNorm             // rows: (X - mean)/√(var + Eps)·gamma + beta, var biased
	KindRMSNorm               // rows: X/√(mean(X²) + Eps)·gamma
	KindBatchNorm             // columns: X·gamma + beta, mean and variance folded into them
	KindReduce                // rows: sum, mean or max over the columns, to one column
	KindTranspose             // Rows×Cols to Cols×Rows
	KindGather                // Out row i = row Y[i] of X; Y is the index tensor
	KindCopy                  // Out = X, with views on both sides
	kindCount
)

// String is the operator's name as network files and shorthands write it.
func (k Kind) String() string { return kinds[k].name }

// Act is a function applied element by element at the end of a GEMM or
// convolution; the formulas are those of the kinds with the same names.
type Act uint8

const (
	NoAct Act = iota
	Relu
	Relu6
	Gelu
	GeluTanh
	Silu
	Sigmoid
	Tanh
	Exp
)

var activationNames = [...]string{"none", "relu", "relu6", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh", "exp"}

// String is the activation's name.
func (a Act) String() string { return activationNames[a] }

// ParseAct reads an activation's name.
func ParseAct(s string) (Act, bool) {
	i := slices.Index(activationNames[:], s)
	return Act(max(i, 0)), i >= 0
}

// Act is the function of an element-wise kind (relu … exp), and
// NoAct for all others.
func (k Kind) Act() Act {
	if k < KindRelu || k > KindExp {
		return NoAct
	}
	return Relu + Act(k-KindRelu)
}

// Reduction is what a reduce does with the columns of a row.
type Reduction uint8

const (
	ReduceSum Reduction = iota
	ReduceMean
	ReduceMax
)

var reductionNames = [...]string{"sum", "mean", "max"}

// String is the reduction's name.
func (r Reduction) String() string { return reductionNames[r] }

// Op is one operator. Exactly one of Gemm, Conv, Pool and Rows is set.
type Op struct {
	Name string // layer's name as in the network's paper or reference code
	Kind Kind
	Pos  string // file:line or shorthand it came from
	Gemm *Gemm
	Conv *Conv
	Pool *Pool
	Rows *Rows
}

// View is a strided window into a tensor; all fields count elements. Element
// (b0, b1, row, col) is at Offset + b0·BatchStride[0] + b1·BatchStride[1] +
// row·RowStride + col. A batch stride of 0 shares one matrix.
type View struct {
	Tensor      TensorID
	Offset      int
	RowStride   int
	BatchStride [2]int
}

// noView stands for an operand that is not there.
var noView = View{Tensor: None}

// Epilogue is what a GEMM or convolution does with an accumulator before it is
// stored: act(Scale·acc + bias + residual), in that order.
type Epilogue struct {
	Scale    float32  // 1 if there is none
	Bias     TensorID // f32, one for each column (output channel), or None
	Residual View     // same geometry and type as the output; Residual.Tensor may be None
	Act      Act      // last of all
}

// Gemm is Batch[0]·Batch[1] products of an M×K and a K×N matrix. B is stored
// K×N, or N×K with TransB.
type Gemm struct {
	Batch   [2]int // outer, inner; 1 where there is none
	M, N, K int
	A, B, C View
	TransB  bool
	Epilogue
}

// Conv is a 2-D convolution, X [N, H, W, C] with F [R, S, C/Groups, K] to
// Y [N, P, Q, K]. Output channel k belongs to group k/(K/Groups). Batch
// normalisation is folded into F and the bias. Residual is a contiguous tensor
// of Y's shape.
type Conv struct {
	N, H, W, C            int
	K, R, S               int
	P, Q                  int    // output height and width
	Stride, Pad, Dilation [2]int // height, width
	Groups                int
	X, F, Y               TensorID
	Epilogue
}

// Pool is max or average pooling of X [N, H, W, C] to Y [N, P, Q, C] in R×S
// windows. Padding (max pooling only) never wins and is never counted.
type Pool struct {
	N, H, W, C  int
	R, S        int
	P, Q        int
	Stride, Pad [2]int
	X, Y        TensorID
}

// Rows is the geometry of all other kinds: Rows × Cols elements of X, row by
// row. Batch strides of the views are 0.
type Rows struct {
	Rows, Cols  int
	X, Y, Out   View      // Y: second operand of add and mul, index of gather; else Y.Tensor is None
	Gamma, Beta TensorID  // norms: f32 vectors of Cols; else None
	Scale       float32   // softmax: multiplies X first
	Valid       int       // softmax: columns that count in row 0, at most Cols
	ValidStep   int       // softmax: columns that count more with each row, up to Cols; 1: a causal mask
	Period      int       // softmax: rows after which that starts over; 0: never
	Eps         float32   // layernorm and rmsnorm
	By          Reduction // reduce
}

// Columns is how many columns of a row count in a softmax: min(Cols, Valid +
// (row mod Period)·ValidStep).
func (r *Rows) Columns(row int) int {
	if r.Period > 0 {
		row %= r.Period
	}
	return int(min(int64(r.Valid)+int64(row)*int64(r.ValidStep), int64(r.Cols)))
}

// Reads lists the tensors the operator reads, each once, main operands first.
func (o *Op) Reads() []TensorID {
	var out []TensorID
	main, more := o.operands()
	for _, id := range append(main, more...) {
		if id != None && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// operands lists what the operator cannot do without, and what may be None.
func (o *Op) operands() (main, more []TensorID) {
	switch {
	case o.Gemm != nil:
		return []TensorID{o.Gemm.A.Tensor, o.Gemm.B.Tensor}, []TensorID{o.Gemm.Bias, o.Gemm.Residual.Tensor}
	case o.Conv != nil:
		return []TensorID{o.Conv.X, o.Conv.F}, []TensorID{o.Conv.Bias, o.Conv.Residual.Tensor}
	case o.Pool != nil:
		return []TensorID{o.Pool.X}, nil
	}
	r := o.Rows
	switch o.Kind {
	case KindAdd, KindMul, KindGather:
		return []TensorID{r.X.Tensor, r.Y.Tensor}, nil
	case KindLayerNorm, KindBatchNorm:
		return []TensorID{r.X.Tensor, r.Gamma, r.Beta}, nil
	case KindRMSNorm:
		return []TensorID{r.X.Tensor, r.Gamma}, nil
	}
	return []TensorID{r.X.Tensor}, nil
}

// Out is the tensor the operator writes, wholly or in part.
func (o *Op) Out() TensorID {
	switch {
	case o.Gemm != nil:
		return o.Gemm.C.Tensor
	case o.Conv != nil:
		return o.Conv.Y
	case o.Pool != nil:
		return o.Pool.Y
	}
	return o.Rows.Out.Tensor
}
