package core

import "math"

func f32at(b []byte, i int) float32 { return math.Float32frombits(le.Uint32(b[4*i:])) }
