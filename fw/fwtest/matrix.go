package fwtest

// Cell is a kind of fault under a workload.
type Cell struct{ Kind, Workload string }

// CellReport is the outcome of a cell.
type CellReport struct {
	Kind     string   `json:"kind"`
	Workload string   `json:"workload"`
	Outcome  string   `json:"outcome"`
	Status   string   `json:"status"`
	Log      []string `json:"log,omitempty"`
}

// Cells returns the matrix: every kind under every workload.
func Cells() []Cell { return nil }

func (c Cell) conform(Opener) CellReport { return CellReport{Kind: c.Kind, Workload: c.Workload} }
