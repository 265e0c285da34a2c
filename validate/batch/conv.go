package batch

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/presi-sim/presi/hw/core"
)

// convColumns are a convolution's geometry, as in SCALE-Sim's topologies: no
// padding beside what the input already has.
var convColumns = []Column{
	{Name: "ifmap_h", Optional: true, Doc: "rows of the input"},
	{Name: "ifmap_w", Optional: true, Doc: "columns of the input"},
	{Name: "filt_h", Optional: true, Doc: "rows of the window"},
	{Name: "filt_w", Optional: true, Doc: "columns of the window"},
	{Name: "channels", Optional: true, Doc: "of the input"},
	{Name: "num_filt", Optional: true, Doc: "filters"},
	{Name: "stride_h", Optional: true, Doc: "step from row to row; 1 if not given"},
	{Name: "stride_w", Optional: true, Doc: "step from column to column; that of the rows if not given"},
}

// convolution makes a product of a convolution's geometry: a row of M a pixel
// of the output, counted as SCALE-Sim counts them (rounded up).
func convolution(r *Row, s *core.ArraySpec) {
	at := func(column string) int64 { return r.Int(column, 1, maxExtent) }
	h, w, fh, fw := at("ifmap_h"), at("ifmap_w"), at("filt_h"), at("filt_w")
	sh := r.Or("stride_h", 1, 1, maxExtent)
	sw := r.Or("stride_w", sh, 1, maxExtent)
	if fh > h || fw > w {
		r.Bad("filt_h", "a window that fits the input of %d×%d", h, w)
	}
	s.K, s.N = at("channels"), at("num_filt")
	if r.Err() != nil {
		return
	}
	p, q := (h-fh+2*sh-1)/sh, (w-fw+2*sw-1)/sw
	s.M, s.K, s.Line = p*q, fh*fw*s.K, q
}

// mapping is Timeloop's short form, as ONNXim's tests have it.
var mapping = regexp.MustCompile(`^\[T\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) S(\d+) R(\d+) - ` +
	`\[O\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) S1 R1 - \[I\] N1 C(\d+) M(\d+) P(\d+) Q(\d+) S(\d+) R(\d+)$`)

const mappingForm = "as [T] N1 C64 M64 P56 Q56 S3 R3 - [O] N1 C1 M8 P4 Q4 S1 R1 - [I] N1 C64 M8 P15 Q17 S3 R3"

// maxTiles of a row.
const maxTiles = 1 << 20

// tiling is the extents of a convolution (input channels, filters, rows and
// columns of the output), the counts of its outer loops and its tile.
type tiling struct {
	total, outer, inner [4]int64
	taps                int64
}

func parseTiling(text string) (t tiling, err error) {
	m := mapping.FindStringSubmatch(text)
	if m == nil {
		return t, fmt.Errorf("a tiling %s", mappingForm)
	}
	var v [16]int64
	for i := range v {
		if v[i], err = strconv.ParseInt(m[i+1], 10, 64); err != nil || v[i] < 1 || v[i] > maxExtent {
			return t, fmt.Errorf("extents from 1 to %d, not %s", maxExtent, m[i+1])
		}
	}
	copy(t.total[:], v[0:4])
	copy(t.outer[:], v[6:10])
	copy(t.inner[:], v[10:14])
	t.taps = v[14] * v[15]
	if v[4] != v[14] || v[5] != v[15] {
		return t, fmt.Errorf("the whole window, S%d R%d, in the tile", v[4], v[5])
	}
	if t.outer[0]*t.outer[1] > maxTiles || t.outer[0]*t.outer[1]*t.outer[2] > maxTiles ||
		t.outer[0]*t.outer[1]*t.outer[2]*t.outer[3] > maxTiles {
		return t, fmt.Errorf("at most %d tiles", maxTiles)
	}
	for i, n := range t.outer {
		if n*t.inner[i] < t.total[i] {
			return t, fmt.Errorf("tiles that cover %d, not %d of %d", t.total[i], n, t.inner[i])
		}
	}
	return t, nil
}

// tiled returns a product a tile of a row's mapping, clipped at the edges. Each
// tap of the window is a product over the tile's channels; the longer side of
// the tile is what the array streams without a break.
func tiled(r *Row, s core.ArraySpec) (specs []core.ArraySpec) {
	t, err := parseTiling(r.Text("mapping"))
	if err != nil {
		r.Bad("mapping", "%v", err)
		return nil
	}
	part := func(axis int, i int64) int64 { return min(t.inner[axis], t.total[axis]-i*t.inner[axis]) }
	for c := range t.outer[0] {
		for m := range t.outer[1] {
			for p := range t.outer[2] {
				for q := range t.outer[3] {
					cs, ms, ps, qs := part(0, c), part(1, m), part(2, p), part(3, q)
					if min(cs, ms, ps, qs) <= 0 {
						continue
					}
					s.Groups, s.Line = t.taps, qs
					if t.inner[2] > t.inner[3] {
						s.Line = ps
					}
					s.M, s.K, s.N = ps*qs, cs, ms
					specs = append(specs, s)
				}
			}
		}
	}
	return specs
}
