package batch

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/presi-sim/presi/hw/abi"
	"github.com/presi-sim/presi/hw/core"
	"github.com/presi-sim/presi/sim"
)

// convColumns are a convolution's geometry, as in SCALE-Sim's topologies: no
// padding beside what the input already has.
var convColumns = []Column{
	{Name: "ifmap_h", Optional: true, Doc: "rows of the input"},
	{Name: "ifmap_w", Optional: true, Doc: "columns of the input"},
	{Name: "filt_h", Optional: true, Doc: "rows of the window"},
	{Name: "filt_w", Optional: true, Doc: "columns of the window"},
	{Name: "channels", Optional: true, Doc: "of the input, of all groups together"},
	{Name: "num_filt", Optional: true, Doc: "filters, of all groups together"},
	{Name: "stride_h", Optional: true, Doc: "step from row to row, of a mapping's window as well; 1 if not given"},
	{Name: "stride_w", Optional: true, Doc: "step from column to column; that of the rows if not given"},
}

// maxDerived is of a product's rows and depth where they follow from a geometry.
const maxDerived = 1 << 48

// multiply returns the product of numbers above 0, and whether it is at most
// maxDerived.
func multiply(factors ...int64) (n int64, ok bool) {
	n = 1
	for _, f := range factors {
		if f > maxDerived/n {
			return 0, false
		}
		n *= f
	}
	return n, true
}

// convolution makes a product of a convolution's geometry: a row of M a pixel
// of the output, counted as SCALE-Sim counts them (rounded up). Each group is a
// product of its share of the channels and filters.
func convolution(r *Row, s *core.ArraySpec) {
	at := func(column string) int64 { return r.Int(column, 1, maxExtent) }
	h, w, fh, fw := at("ifmap_h"), at("ifmap_w"), at("filt_h"), at("filt_w")
	sh := r.Or("stride_h", 1, 1, maxExtent)
	sw := r.Or("stride_w", sh, 1, maxExtent)
	if (fh > h || fw > w) && !r.spoiltIn("ifmap_h", "ifmap_w", "filt_h", "filt_w") {
		r.Bad("filt_h", "a window that fits the input of %d×%d", h, w)
	}
	channels, filters := at("channels"), at("num_filt")
	if channels%s.Groups != 0 || filters%s.Groups != 0 {
		r.Bad("groups", "a divisor of channels and num_filt, %d and %d", channels, filters)
	}
	if r.Err() != nil {
		return
	}
	p, q := (h-fh+2*sh-1)/sh, (w-fw+2*sw-1)/sw
	depth, ok := multiply(fh, fw, channels/s.Groups)
	if !ok {
		r.Bad("channels", "a window of at most %d elements in all channels of a group: %d × %d × %d are more", int64(maxDerived), fh, fw, channels/s.Groups)
	}
	s.M, s.K, s.N, s.Taps, s.Line = p*q, depth, filters/s.Groups, fh*fw, q
}

// A mapping is Timeloop's short form, as ONNXim's tests have it: the problem,
// the outer loop counts, the inner tile; N images (of a matrix product: rows), C
// input channels (depth), M filters (columns), P and Q rows and columns of the
// output, S and R of the window. What is left out is 1.
const (
	mappingForm = "as [T] N1 C64 M64 P56 Q56 S3 R3 - [O] N1 C1 M8 P4 Q4 S1 R1 - [I] N1 C64 M8 P15 Q17 S3 R3"
	axes        = "NCMPQSR"
	window      = 5 // axes from here on are the window's
)

var mapping = regexp.MustCompile(`^\[T\]((?: [NCMPQSR]\d+)+) - \[O\]((?: [NCMPQSR]\d+)+) - \[I\]((?: [NCMPQSR]\d+)+)$`)

// maxTiles of a row.
const maxTiles = 1 << 20

// extent is a number for each of the axes.
type extent [len(axes)]int64

func parseExtent(text string) (e extent, err error) {
	for i := range e {
		e[i] = 1
	}
	for _, word := range strings.Fields(text) {
		v, err := strconv.ParseInt(word[1:], 10, 64)
		if err != nil || v < 1 || v > maxExtent {
			return e, fmt.Errorf("extents from 1 to %d, not %s", maxExtent, word)
		}
		e[strings.IndexByte(axes, word[0])] = v
	}
	return e, nil
}

// tiling is the extents of a problem, the counts of its outer loops and its tile.
type tiling struct{ total, outer, inner extent }

func parseTiling(text string) (t tiling, err error) {
	m := mapping.FindStringSubmatch(text)
	if m == nil {
		return t, fmt.Errorf("a tiling %s", mappingForm)
	}
	for i, e := range []*extent{&t.total, &t.outer, &t.inner} {
		if *e, err = parseExtent(m[1+i]); err != nil {
			return t, err
		}
	}
	tiles := int64(1)
	for i, n := range t.outer {
		if tiles *= n; tiles > maxTiles {
			return t, fmt.Errorf("at most %d tiles", maxTiles)
		}
		switch {
		case i >= window && (n > 1 || t.inner[i] != t.total[i]):
			return t, fmt.Errorf("the whole window, %c%d, in the tile", axes[i], t.total[i])
		case n*t.inner[i] < t.total[i]:
			return t, fmt.Errorf("tiles that cover %c%d, not %d of %d", axes[i], t.total[i], n, t.inner[i])
		}
	}
	e := t.inner
	_, rows := multiply(e[0], e[3], e[4])
	_, depth := multiply(e[1], e[5], e[6])
	if !rows || !depth {
		return t, fmt.Errorf("tiles with N × P × Q and C × S × R of at most %d each", int64(maxDerived))
	}
	return t, nil
}

// fits notes a tile whose operands the machine's scratchpad has no room for.
func (t *tiling) fits(r *Row, machine *core.Config, element int64) {
	sh := r.Or("stride_h", 1, 1, maxExtent)
	sw := r.Or("stride_w", sh, 1, maxExtent)
	if t.total[window]*t.total[window+1] == 1 {
		sh, sw = 1, 1 // pixels between are not loaded
	}
	var e extent
	for i := range e {
		e[i] = min(t.inner[i], t.total[i])
	}
	ok := true // else a slot is beyond any scratchpad
	n, c, m, p, q, fw, fh := e[0], e[1], e[2], e[3], e[4], e[5], e[6]
	slots := []int64{
		abi.SlotBytes(&ok, n, (p-1)*sh+fh, (q-1)*sw+fw, c, element),
		abi.SlotBytes(&ok, fh*fw, c, m, element),
		abi.SlotBytes(&ok, n, p, q, m, 4),
	}
	take := fmt.Sprintf("%d, %d and %d bytes", slots[0], slots[1], slots[2])
	if !ok {
		take = fmt.Sprintf("more than %v", sim.Bytes(abi.MaxTileWork))
	}
	if slots[0]+slots[1]+slots[2] > int64(machine.Scratchpad.Size) {
		r.Bad("mapping", "a tile whose operands fit the scratchpad: input, weights and sums take %s, and the scratchpad has %v (scratchpad.size)",
			take, machine.Scratchpad.Size)
	}
}

// tiled returns a product a tile of a row's mapping, clipped at the edges. The
// longer side of the tile is what the array streams without a break.
func tiled(r *Row, s core.ArraySpec, machine *core.Config) (specs []core.ArraySpec) {
	t, err := parseTiling(r.Text("mapping"))
	if err != nil {
		r.Bad("mapping", "%v", err)
		return nil
	}
	if machine.Scratchpad.Size > 0 {
		t.fits(r, machine, int64(s.Type.Size()))
	}
	taps := t.inner[window] * t.inner[window+1]
	product := slices.Max(t.total[3:]) == 1
	if !product {
		s.Taps = taps
	}
	for at := (extent{}); at[0] < t.outer[0]; t.next(&at) {
		var part extent
		for i := range part {
			part[i] = max(0, min(t.inner[i], t.total[i]-at[i]*t.inner[i]))
		}
		n, c, m, p, q := part[0], part[1], part[2], part[3], part[4]
		if s.Line = max(q, 1); t.inner[3] > t.inner[4] {
			s.Line = p
		}
		if product {
			s.Line = n
		}
		if s.M, s.K, s.N = n*p*q, c*taps, m; min(s.M, s.K, s.N) > 0 {
			specs = append(specs, s)
		}
	}
	return specs
}

// next counts the outer loops on, the last of them fastest.
func (t *tiling) next(at *extent) {
	for i := window - 1; ; i-- {
		if at[i]++; at[i] < t.outer[i] || i == 0 {
			return
		}
		at[i] = 0
	}
}
