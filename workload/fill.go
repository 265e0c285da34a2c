package workload

import "math"

// Fill writes a tensor's initial contents into out (t.Bytes() long): the values
// the network ships, else a stream that depends on the seed and the tensor's
// name alone, so that neither order nor neighbours matter. Weights, parameters,
// inputs and caches are Gaussian with the moments of t.Range; index tensors
// follow t.Index. Activations and outputs are cleared.
func Fill(t Tensor, seed uint64, out []byte) { FillUntil(func() bool { return false }, t, seed, out) }

// FillUntil is Fill that asks now and then whether to stop, and says whether it
// came to its end.
func FillUntil(stop func() bool, t Tensor, seed uint64, out []byte) bool {
	switch {
	case !t.Role.HostFilled():
		clear(out[:t.Bytes()])
	case t.Values != nil:
		Encode(t, t.Values, out)
	default:
		return fillStream(stop, t, seed^hash(t.Name), out)
	}
	return !stop()
}

// fillStream encodes the stream in pieces that stay in the cache.
func fillStream(stop func() bool, t Tensor, seed uint64, out []byte) bool {
	var values [1024]float32
	if t.DType == I32 {
		fillIndices(t, seed, out)
		return true
	}
	size := t.DType.Size()
	total := int(t.Elems())
	for at := 0; at < total; at += len(values) {
		if stop() {
			return false
		}
		part := values[:min(len(values), total-at)]
		for i := range part {
			part[i] = float32(t.Range.Mean + float64(t.Range.Std*normal(seed, uint64(at+i))))
		}
		Encode(t, part, out[at*size:(at+len(part))*size])
	}
	return true
}

// fillIndices writes int32 elements by the tensor's rule.
func fillIndices(t Tensor, seed uint64, out []byte) {
	r := t.Index
	for i := range int(t.Elems()) {
		v := uint64(r.First)
		if r.Period > 0 {
			v += uint64(i % r.Period)
		} else {
			v = mix(seed, uint64(i)) % uint64(max(r.Limit, 1))
		}
		for b := range 4 {
			out[4*i+b] = byte(v >> (8 * b))
		}
	}
}

// mix is element i of the splitmix64 stream of a seed (Steele, Lea, Flood,
// "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
func mix(seed, i uint64) uint64 {
	z := seed + (i+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// normalStd is the deviation of a sum of four uniform 16-bit integers.
var normalStd = math.Sqrt(4 * (65536.0*65536.0 - 1) / 12)

// normal is a variate of mean 0 and deviation 1, close to Gaussian and bounded
// by ±3.4642: the sum of the four 16-bit parts of one word (Irwin–Hall).
func normal(seed, i uint64) float64 {
	z := mix(seed, i)
	sum := z&0xffff + z>>16&0xffff + z>>32&0xffff + z>>48
	return (float64(sum) - 2*65535) / normalStd
}

// hash is FNV-1a of a name.
func hash(name string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return h
}
