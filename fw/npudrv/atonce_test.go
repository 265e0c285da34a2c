package npudrv_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Threads of two files of a program do at random what programs do, all at once,
// while a file is closed under them or the device is reset: what the fuzzer holds
// of one holds of them.
func TestRandomProgramsAtOnce(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			against(t, func(a *attacker) {
				var threads []interface{ Join() }
				for n := range uint64(5) {
					r := rand.New(rand.NewPCG(seed, n))
					threads = append(threads, a.d.Go("thread", func() {
						for range 8 {
							a.play(a.random(r))
							a.d.Bus.Sleep(1 + r.Int64N(50e3))
						}
					}))
				}
				r := rand.New(rand.NewPCG(seed, 99))
				threads = append(threads, a.d.Go("administrator", func() {
					for range 4 {
						a.d.Bus.Sleep(r.Int64N(2e6))
						switch seed % 4 {
						case 1:
							_ = a.files[0].Close() // once
						case 2:
							require.NoError(a, a.d.Class.Debug.Store("accel/"+a.d.Bus.Address()+"/reset", []byte("1")))
						case 3:
							a.d.Class.Signal(threads[r.IntN(4)])
						}
					}
				}))
				for _, x := range threads {
					x.Join()
				}
			})
		})
	}
	theRig.end()
}

// random is an input for play: that of a seed with some bytes changed, or any.
func (a *attacker) random(r *rand.Rand) []byte {
	in := []byte(submitting(seeds[r.IntN(len(seeds))]))
	for range r.IntN(8) {
		in[r.IntN(len(in))] = byte(r.Uint32())
	}
	for range r.IntN(200) {
		in = append(in, byte(r.Uint32()))
	}
	return in
}
