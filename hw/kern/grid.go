package kern

// tile is a range of rows and columns of an output.
type tile struct{ m0, m1, n0, n1 int }

func (t tile) empty() bool { return t.m0 >= t.m1 || t.n0 >= t.n1 }

// What a part must be worth, in multiply-adds, to give each worker one (a few
// microseconds of work) or two (so that a worker who comes late finds some).
const (
	smallPart  = 1 << 18
	largePart  = 1 << 24
	vectorWork = 32 // multiply-adds that an element of a vector kernel counts for
)

// partsOf returns into how many parts to cut m×n outputs of k multiply-adds
// each: a power of two.
func partsOf(workers, m, n, k int) int {
	if m == 0 || n == 0 {
		return 0
	}
	parts, work := 1, float64(m)*float64(n)*float64(max(k, 1))
	for parts < workers && work >= 2*smallPart || parts > 1 && parts < 2*workers && work >= 2*largePart {
		parts, work = 2*parts, work/2
	}
	return parts
}

// partOf returns part i of parts, a power of two: the longer side of the m×n
// outputs is halved first. Ranges begin at multiples of mStep and nStep.
func partOf(i, parts, m, n, mStep, nStep int) tile {
	rows, cols := 1, 1
	for rows*cols < parts {
		if m/rows >= n/cols {
			rows *= 2
		} else {
			cols *= 2
		}
	}
	r, c := i/cols, i%cols
	return tile{
		share(r, rows, m, mStep), share(r+1, rows, m, mStep),
		share(c, cols, n, nStep), share(c+1, cols, n, nStep),
	}
}

// rowsOf returns part i of parts of m rows.
func rowsOf(i, parts, m int) (m0, m1 int) {
	return share(i, parts, m, 1), share(i+1, parts, m, 1)
}

// share returns where part i of parts begins in n: a multiple of step, or n.
func share(i, parts, n, step int) int {
	steps := (n + step - 1) / step
	return min(i*steps/parts*step, n)
}
