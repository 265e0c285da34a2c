package fwtest_test

import (
	"fmt"
	"testing"

	"github.com/presi-sim/presi/configs"
	"github.com/presi-sim/presi/fw/fwtest"
)

// The portable suite holds whatever delays the rules allow.
func TestPortableSuiteUnderChaos(t *testing.T) {
	for seed := range uint64(4) {
		open := fwtest.InProcess(fwtest.Config(func(c *configs.Config) { c.Chaos.Seed = seed + 1 }))
		for _, s := range fwtest.Statements {
			for _, x := range s.Tests {
				if x.Mark == fwtest.WhiteBox {
					continue
				}
				t.Run(fmt.Sprintf("%d/%s", seed+1, x.Name), func(t *testing.T) { x.Execute(t, open) })
			}
		}
	}
}
