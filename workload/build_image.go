package workload

// conv builds a convolution over an NHWC image. Its weights are [R, S, C/groups, K].
func (b *builder) conv(s *spec) {
	x, n, h, w, c, ok := b.image(s)
	if !ok {
		return
	}
	r := s.need("r", "height of the filter")
	v := &Conv{N: n, H: h, W: w, C: c, K: s.need("k", "output channels"), R: r, S: s.int("s", r, 1),
		Stride: s.pair("stride", 1, 1), Pad: s.pair("pad", 0, 0), Dilation: s.pair("dilation", 1, 1),
		Groups: s.int("groups", 1, 1), X: x}
	if v.C%v.Groups != 0 || v.K%v.Groups != 0 {
		s.errorf("groups", "%d does not divide the %d input and %d output channels", v.Groups, v.C, v.K)
		return
	}
	if v.P = s.window("r", h, v.R, v.Stride[0], v.Pad[0], v.Dilation[0]); v.P == 0 {
		return
	}
	if v.Q = s.window("s", w, v.S, v.Stride[1], v.Pad[1], v.Dilation[1]); v.Q == 0 {
		return
	}
	if v.F, ok = b.filter(s, v); !ok {
		return
	}
	if v.Y, ok = b.whole(s, n, v.P, v.Q, v.K); !ok {
		return
	}
	if b.epilogue(s, &v.Epilogue, v.K, View{RowStride: v.K}) {
		b.emit(s, Op{Conv: v})
	}
}

// filter is the convolution's weight: a new tensor, or the one that is named.
func (b *builder) filter(s *spec, v *Conv) (TensorID, bool) {
	if s.has("weight") {
		return b.find(s, "weight", s.text("weight", ""))
	}
	id := b.weight(s, "weight", v.R, v.S, v.C/v.Groups, v.K)
	return id, id >= 0
}

// image finds an operand of four dimensions.
func (b *builder) image(s *spec) (id TensorID, n, h, w, c int, ok bool) {
	ids, ok := b.inputs(s, 1)
	if !ok {
		return
	}
	t := b.g.Tensors[ids[0]]
	if len(t.Shape) != 4 {
		s.errorf("in", "%s is %s; %s wants an image [N, H, W, C]", t.Name, t.ShapeString(), s.kind)
		return None, 0, 0, 0, 0, false
	}
	return ids[0], t.Shape[0], t.Shape[1], t.Shape[2], t.Shape[3], true
}

// whole is a destination that is a tensor of its own, not a view.
func (b *builder) whole(s *spec, shape ...int) (TensorID, bool) {
	if _, table := s.attrs["out"].(map[string]any); table {
		s.errorf("out", "%s writes whole tensors; want a name", s.kind)
		return None, false
	}
	v, ok := b.destination(s, shape)
	return v.Tensor, ok
}

// window is the number of places a filter of size has along one axis; 0 after a
// fault.
func (s *spec) window(key string, in, size, stride, pad, dilation int) int {
	span := dilation*(size-1) + 1
	if in+2*pad < span {
		s.errorf(key, "a window of %d does not fit into %d with padding %d", span, in, pad)
		return 0
	}
	return (in+2*pad-span)/stride + 1
}

// pool builds max or average pooling. An average without r is global.
func (b *builder) pool(s *spec) {
	x, n, h, w, c, ok := b.image(s)
	if !ok {
		return
	}
	p := &Pool{N: n, H: h, W: w, C: c, R: h, S: w, X: x}
	if s.kind == KindMaxPool || s.has("r") {
		p.R = s.need("r", "height of the window")
		p.S = s.int("s", p.R, 1)
	}
	p.Stride, p.Pad = s.pair("stride", p.R, 1), s.pair("pad", 0, 0)
	if p.Pad[0] >= p.R || p.Pad[1] >= p.S {
		s.errorf("pad", "%v is as large as the window %d×%d; want less", p.Pad, p.R, p.S)
		return
	}
	if p.P = s.window("r", h, p.R, p.Stride[0], p.Pad[0], 1); p.P == 0 {
		return
	}
	if p.Q = s.window("s", w, p.S, p.Stride[1], p.Pad[1], 1); p.Q == 0 {
		return
	}
	if p.Y, ok = b.whole(s, n, p.P, p.Q, c); ok {
		b.emit(s, Op{Pool: p})
	}
}
