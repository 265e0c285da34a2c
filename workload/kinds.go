package workload

import (
	"slices"
	"strings"
)

// kinds is the table of operators: the name in files and shorthands, the keys
// an operator takes beside name, op, in, out and dtype, and what builds it.
var kinds [kindCount]struct {
	name  string
	keys  []string
	build func(b *builder, s *spec)
}

// operandKeys and epilogueKeys are shared by several operators.
var (
	commonKeys   = []string{"name", "op", "in", "out", "dtype"}
	epilogueKeys = []string{"bias", "act", "residual", "scale"}
	poolKeys     = []string{"r", "s", "stride", "pad"}
)

// init fills kinds: the builders refer to the table through Kind.String.
func init() {
	set := func(k Kind, name string, build func(*builder, *spec), keys ...string) {
		kinds[k].name, kinds[k].build, kinds[k].keys = name, build, append(keys, commonKeys...)
	}
	set(KindGemm, "gemm", (*builder).gemm, append([]string{"batch", "m", "n", "k", "a", "b", "trans_b"}, epilogueKeys...)...)
	set(KindConv, "conv", (*builder).conv, append([]string{"k", "r", "s", "stride", "pad", "dilation", "groups", "weight"}, epilogueKeys...)...)
	set(KindMaxPool, "maxpool", (*builder).pool, poolKeys...)
	set(KindAvgPool, "avgpool", (*builder).pool, poolKeys[:3]...)
	for k := KindAdd; k <= KindMul; k++ {
		set(k, []string{"add", "mul"}[k-KindAdd], (*builder).binary)
	}
	for k := KindRelu; k <= KindExp; k++ {
		set(k, k.Act().String(), (*builder).unary)
	}
	set(KindSoftmax, "softmax", (*builder).softmax, "scale", "valid", "valid_step", "period")
	set(KindLayerNorm, "layernorm", (*builder).norm, "eps")
	set(KindRMSNorm, "rmsnorm", (*builder).norm, "eps")
	set(KindBatchNorm, "batchnorm", (*builder).norm)
	set(KindReduce, "reduce", (*builder).reduce, "by")
	set(KindTranspose, "transpose", (*builder).transpose)
	set(KindGather, "gather", (*builder).gather, "table", "rows", "cols")
	set(KindCopy, "copy", (*builder).copy, "rows", "cols", "a")
}

// kindByName finds an operator.
func kindByName(name string) (Kind, bool) {
	for k := range kindCount {
		if kinds[k].name == name {
			return k, true
		}
	}
	return 0, false
}

// kindNames lists the operators for messages.
func kindNames() string {
	names := make([]string, 0, kindCount)
	for k := range kindCount {
		names = append(names, kinds[k].name)
	}
	return strings.Join(names, ", ")
}

// takes says whether an operator knows a key.
func (k Kind) takes(key string) bool { return slices.Contains(kinds[k].keys, key) }
