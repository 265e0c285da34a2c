package kern

import "fmt"

// Act is a unary function of float32 values.
type Act uint8

const (
	Identity Act = iota
	ReLU         // max(x, 0); NaN stays NaN
	ReLU6        // min(max(x, 0), 6)
	GELUTanh     // ½x(1 + tanh(√(2/π)(x + 0.044715x³))): GPT-2
	GELUErf      // ½x(1 + erf(x/√2)): BERT
	SiLU         // x/(1 + e⁻ˣ)
	Sigmoid      // 1/(1 + e⁻ˣ)
	Tanh
	Exp
)

var actNames = [...]string{
	Identity: "identity", ReLU: "relu", ReLU6: "relu6", GELUTanh: "gelu_tanh", GELUErf: "gelu_erf",
	SiLU: "silu", Sigmoid: "sigmoid", Tanh: "tanh", Exp: "exp",
}

// String returns the function's name.
func (a Act) String() string {
	if int(a) >= len(actNames) {
		return fmt.Sprintf("act(%d)", uint8(a))
	}
	return actNames[a]
}

func (a Act) check() error {
	if int(a) >= len(actNames) {
		return fmt.Errorf("%w: function %d", ErrType, a)
	}
	return nil
}

// apply replaces each element of row by its function value.
func (a Act) apply(row []float32) { active.rows.act[a](row) }

func each(f func(float32) float32) func([]float32) {
	return func(row []float32) {
		for i, x := range row {
			row[i] = f(x)
		}
	}
}

func reluRow(row []float32) {
	for i, x := range row {
		row[i] = max(x, 0)
	}
}

func relu6Row(row []float32) {
	for i, x := range row {
		row[i] = min(max(x, 0), 6)
	}
}
