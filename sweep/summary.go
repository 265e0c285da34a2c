package sweep

import (
	"cmp"
	"math"
	"slices"
)

// Ranking is the points of one workload, type and batch, the fastest first.
type Ranking struct {
	Workload string
	DType    string
	Batch    int
	Points   []Ranked // without those that failed or have not run
	Planned  int
	Failed   int
}

// Ranked is a point with its result.
type Ranked struct {
	Point    *Point
	Result   *Result
	Slowdown float64 // time over the fastest point's
}

// Rankings compares what can be compared: machines at the same work. Points of
// equal time stay in the plan's order.
func (o *Outcome) Rankings() []Ranking {
	var out []Ranking
	for i, res := range o.Results {
		pt := &o.Plan.Points[i]
		r := ranking(&out, pt)
		r.Planned++
		switch {
		case res == nil:
		case res.Error != "":
			r.Failed++
		default:
			r.Points = append(r.Points, Ranked{Point: pt, Result: res})
		}
	}
	for i := range out {
		out[i].rank()
	}
	return out
}

// ranking returns the list that a point belongs to. Points of one list follow
// each other in a plan.
func ranking(out *[]Ranking, pt *Point) *Ranking {
	if n := len(*out); n > 0 {
		if last := &(*out)[n-1]; last.Workload == pt.Workload && last.DType == pt.DType && last.Batch == pt.Batch {
			return last
		}
	}
	*out = append(*out, Ranking{Workload: pt.Workload, DType: pt.DType, Batch: pt.Batch})
	return &(*out)[len(*out)-1]
}

func (r *Ranking) rank() {
	slices.SortStableFunc(r.Points, func(a, b Ranked) int { return cmp.Compare(a.Result.SimTime, b.Result.SimTime) })
	for i := range r.Points {
		r.Points[i].Slowdown = float64(r.Points[i].Result.SimTime) / float64(max(r.Points[0].Result.SimTime, 1))
	}
}

// Effect is what a value of an axis does on the whole.
type Effect struct {
	Axis, Value string
	Points      int     // that have a time
	Mean        float64 // geometric mean of their slowdowns against each workload's fastest point
	Least       float64 // of those slowdowns; 1 if the fastest point of a workload has this value
}

// Effects is one line a value, in the order of the file. A value without a
// single finished point has no mean.
func (o *Outcome) Effects() (out []Effect) {
	rankings := o.Rankings()
	for k, a := range o.Plan.Axes {
		for v, label := range a.Labels {
			e := Effect{Axis: a.Name, Value: label, Least: math.Inf(1)}
			sum := 0.0
			for _, r := range rankings {
				for _, p := range r.Points {
					if p.Point.Choice[k] == v {
						e.Points++
						sum += math.Log(p.Slowdown)
						e.Least = min(e.Least, p.Slowdown)
					}
				}
			}
			e.Mean = math.Exp(sum / float64(e.Points))
			out = append(out, e)
		}
	}
	return out
}
