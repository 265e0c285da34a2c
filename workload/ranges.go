package workload

import "math"

// Values are predicted, not measured: weights are drawn so that every layer's
// result keeps a standard deviation near 1 (the idea of Xavier and He
// initialisation, with the moments of the operand put in), moments are carried
// through each operator as if elements were independent and Gaussian, and an
// int8 tensor's scale covers the range that follows. tails is how many
// standard deviations that range is: a Gaussian hardly has anything beyond
// four, but channels differ, and a few of them are twice as wide.
const tails = 5

// drawn is the largest magnitude of the stream's unit variates (see normal).
const drawn = 3.4642

// gains: standard deviation of a GEMM's or convolution's accumulators. A
// rectifier halves the second moment, so what goes into one has 2; a residual
// branch stays below its trunk, or dozens of them would grow it.
const (
	gainLinear   = 1.0
	gainRectify  = math.Sqrt2
	gainResidual = 0.5
)

// predict fills in the ranges and int8 scales of all tensors.
func (g *Graph) predict() {
	p := predictor{g: g, known: make([]bool, len(g.Tensors)), fixed: make([]bool, len(g.Tensors))}
	for i := range g.Tensors {
		t := &g.Tensors[i]
		switch {
		case t.Range.Max > 0: // measured by those who ship the network
			p.known[i], p.fixed[i] = true, true
		case t.Values != nil:
			p.set(TensorID(i), measure(t.Values))
		case t.Role == Input || t.Role == Cache:
			p.set(TensorID(i), gaussian(0, 1))
		}
	}
	for i := range g.Ops {
		p.op(&g.Ops[i])
	}
	for i := range g.Tensors {
		t := &g.Tensors[i]
		if t.DType == I8 && t.Range.Max > 0 {
			t.Scale = float32(t.Range.Max / 127)
		}
	}
}

type predictor struct {
	g     *Graph
	known []bool // the range is set
	fixed []bool // and stays
}

// gaussian is the range of a normal variate.
func gaussian(mean, std float64) Range {
	return Range{Mean: mean, Std: std, Max: math.Abs(mean) + tails*std}
}

// square is the second moment.
func (r Range) square() float64 { return r.Mean*r.Mean + r.Std*r.Std }

// measure takes the range of given values.
func measure(values []float32) (r Range) {
	n := float64(len(values))
	var sum, squares float64
	for _, v := range values {
		sum += float64(v)
		squares += float64(v) * float64(v)
		r.Max = max(r.Max, math.Abs(float64(v)))
	}
	r.Mean = sum / n
	r.Std = math.Sqrt(max(squares/n-r.Mean*r.Mean, 0))
	return r
}

// set gives a tensor its range; one with several writers takes the widest.
func (p *predictor) set(id TensorID, r Range) {
	t := &p.g.Tensors[id]
	if p.fixed[id] || p.known[id] && t.Range.Max >= r.Max {
		return
	}
	t.Range, p.known[id] = r, true
}

// need gives a tensor's range, after setting it if nothing has.
func (p *predictor) need(id TensorID, def Range) Range {
	if !p.known[id] {
		p.set(id, def)
	}
	return p.g.Tensors[id].Range
}

// unit is what a weight is drawn as: no tail beyond drawn deviations.
func unit(std float64) Range { return Range{Std: std, Max: drawn * std} }

func (p *predictor) op(o *Op) {
	switch {
	case o.Gemm != nil:
		m := o.Gemm
		acc := p.product(m.A.Tensor, m.B.Tensor, float64(m.K), &m.Epilogue)
		p.set(m.C.Tensor, p.epilogue(acc, &m.Epilogue))
	case o.Conv != nil:
		c := o.Conv
		taps := covered(c.H, c.P, c.R, c.Stride[0], c.Pad[0], c.Dilation[0]) *
			covered(c.W, c.Q, c.S, c.Stride[1], c.Pad[1], c.Dilation[1])
		acc := p.product(c.X, c.F, max(taps, 1e-3)*float64(c.C/c.Groups), &c.Epilogue)
		p.set(c.Y, p.epilogue(acc, &c.Epilogue))
	case o.Pool != nil:
		p.set(o.Pool.Y, pooled(o.Kind, o.Pool, p.g.Tensors[o.Pool.X].Range))
	default:
		p.set(o.Rows.Out.Tensor, p.rows(o.Kind, o.Rows))
	}
}

// product is the range of sums of k products; a weight without a range is drawn
// to give them the deviation that the epilogue wants.
func (p *predictor) product(a, b TensorID, k float64, e *Epilogue) Range {
	x := p.g.Tensors[a].Range
	gain := gainLinear
	switch {
	case e.Residual.Tensor != None:
		gain = gainResidual
	case e.Act >= Relu && e.Act <= Silu:
		gain = gainRectify
	}
	y := p.need(b, unit(gain/(float64(e.Scale)*math.Sqrt(k*max(x.square(), 1e-12)))))
	mean := k * x.Mean * y.Mean
	variance := k * max(x.square()*y.square()-x.Mean*x.Mean*y.Mean*y.Mean, 0)
	return gaussian(mean*float64(e.Scale), math.Sqrt(variance)*float64(e.Scale))
}

// covered is how many of a filter's taps along one axis lie inside the image,
// on average over the output: padding contributes nothing.
func covered(in, out, size, stride, pad, dilation int) float64 {
	inside := 0
	for t := range size {
		first := t*dilation - pad // input position of output 0
		low := max(0, (-first+stride-1)/stride)
		high := min(out-1, (in-1-first)/stride)
		if in-1-first >= 0 && high >= low {
			inside += high - low + 1
		}
	}
	return float64(inside) / float64(out)
}

// epilogue carries accumulators through bias, residual and activation.
func (p *predictor) epilogue(r Range, e *Epilogue) Range {
	if e.Bias != None {
		bias := p.need(e.Bias, unit(0.1*r.Std))
		r = sum(r, bias)
	}
	if e.Residual.Tensor != None {
		r = sum(r, p.g.Tensors[e.Residual.Tensor].Range)
	}
	return activated(e.Act, r)
}

// sum is the range of two independent variates' sum. It reaches at least as far
// as either: what comes out of a rectifier has a longer tail than a Gaussian.
func sum(a, b Range) Range {
	r := gaussian(a.Mean+b.Mean, math.Hypot(a.Std, b.Std))
	r.Max = max(r.Max, a.Max, b.Max)
	return r
}

// pooled is the range of a window's largest or average element. Neighbours in
// an image are alike, and channels have means of their own, so an average keeps
// the deviation.
func pooled(k Kind, p *Pool, r Range) Range {
	if k == KindMaxPool {
		shift := math.Sqrt(math.Log(float64(p.R * p.S)))
		return Range{Mean: r.Mean + 0.7*shift*r.Std, Std: r.Std, Max: r.Max}
	}
	return r
}

// rows is the range of a vector operator's result.
func (p *predictor) rows(k Kind, r *Rows) Range {
	table := unit(1)
	x := p.need(r.X.Tensor, table)
	switch k {
	case KindAdd:
		return sum(x, p.need(r.Y.Tensor, table))
	case KindMul:
		y := p.need(r.Y.Tensor, table)
		mean := x.Mean * y.Mean
		return gaussian(mean, math.Sqrt(max(x.square()*y.square()-mean*mean, 0)))
	case KindSoftmax:
		return softmaxed(x.Std*float64(r.Scale), r)
	case KindLayerNorm, KindRMSNorm, KindBatchNorm:
		return p.normed(k, r, x)
	case KindReduce:
		return reduced(r.By, float64(r.Cols), x)
	case KindTranspose, KindGather, KindCopy:
		return x
	}
	return activated(k.Act(), x)
}

// normed is the range after a norm; gamma is near 1, beta near 0.
func (p *predictor) normed(k Kind, r *Rows, x Range) Range {
	gamma := p.need(r.Gamma, Range{Mean: 1, Std: 0.1, Max: 1 + drawn*0.1})
	out := gaussian(0, math.Sqrt(gamma.square()))
	if k == KindBatchNorm {
		out = gaussian(x.Mean*gamma.Mean, x.Std*math.Sqrt(gamma.square()))
	}
	if r.Beta != None {
		out = sum(out, p.need(r.Beta, unit(0.1)))
	}
	return out
}

// softmaxed is the range of a softmax over logits of deviation s: over n of them
// the weights are log-normal with mean 1/n, but their squares sum to 1 at most.
// Where a mask leaves the first rows few logits, their weights may be beyond Max:
// it is that of a row with the average number of them.
func softmaxed(s float64, r *Rows) Range {
	const samples = 1024
	rows := r.Rows
	if r.Period > 0 {
		rows = min(rows, r.Period)
	}
	step := max(rows/samples, 1)
	var squares, logits, n float64
	for row := 0; row < rows; row += step {
		valid := float64(r.Columns(row))
		squares += min(math.Exp(min(s*s, 50))/valid, 1)
		logits += valid
		n++
	}
	cols := float64(r.Cols)
	mean := 1 / cols
	return Range{Mean: mean, Std: math.Sqrt(max(squares/n/cols-mean*mean, 0)),
		Max: min(1, math.Exp(tails*s-s*s/2)*n/logits)}
}

func reduced(by Reduction, n float64, x Range) Range {
	switch by {
	case ReduceSum:
		return gaussian(n*x.Mean, math.Sqrt(n)*x.Std)
	case ReduceMean:
		return gaussian(x.Mean, x.Std/math.Sqrt(n))
	}
	return x
}

// activated integrates an activation over a Gaussian.
func activated(a Act, r Range) Range {
	if a == NoAct {
		return r
	}
	const steps = 400
	var weight, first, second float64
	for i := range steps + 1 {
		z := tails * (2*float64(i)/steps - 1)
		w := math.Exp(-z * z / 2)
		y := a.Apply(r.Mean + z*r.Std)
		weight += w
		first += w * y
		second += w * y * y
	}
	mean := first / weight
	top := max(math.Abs(a.Apply(r.Max)), math.Abs(a.Apply(-r.Max)))
	return Range{Mean: mean, Std: math.Sqrt(max(second/weight-mean*mean, 0)), Max: top}
}

// Apply computes the activation in float64.
func (a Act) Apply(x float64) float64 {
	switch a {
	case Relu:
		return max(x, 0)
	case Relu6:
		return min(max(x, 0), 6)
	case Gelu:
		return x / 2 * (1 + math.Erf(x/math.Sqrt2))
	case GeluTanh:
		return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	case Silu:
		return x / (1 + math.Exp(-x))
	case Sigmoid:
		return 1 / (1 + math.Exp(-x))
	case Tanh:
		return math.Tanh(x)
	case Exp:
		return math.Exp(x)
	}
	return x
}
