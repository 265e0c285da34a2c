package fwtest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/presi-sim/presi/fw/fwtest"
	"github.com/presi-sim/presi/hw/fault"
)

// dud is a system of which one means of its administrator does nothing, and says
// that it has.
type dud struct {
	fwtest.System
	means string
	used  bool
}

// works reports whether a means does what it should.
func (d *dud) works(means string) bool {
	d.used = d.used || means == d.means
	return means != d.means
}

// unarmed is a fault that never strikes.
type unarmed struct{}

func (unarmed) Struck() int { return 0 }
func (unarmed) Disarm()     {}

func (d *dud) Inject(f fault.Spec) (fwtest.Armed, error) {
	if d.works("Inject") {
		return d.System.Inject(f)
	}
	return unarmed{}, nil
}

func (d *dud) ResetDevice() error {
	if d.works("ResetDevice") {
		return d.System.ResetDevice()
	}
	return nil
}

func (d *dud) StoreDebug(name, text string) error {
	if d.works("StoreDebug") {
		return d.System.StoreDebug(name, text)
	}
	return nil
}

func (d *dud) StoreSys(name, text string) error {
	if d.works("StoreSys") {
		return d.System.StoreSys(name, text)
	}
	return nil
}

func (d *dud) Unbind() {
	if d.works("Unbind") {
		d.System.Unbind()
	}
}

// A test that asks for a fault, a reset, an unbind or a setting fails where that
// does nothing, and so does every cell of the matrix.
func TestDuds(t *testing.T) {
	for _, means := range []string{"Inject", "ResetDevice", "StoreDebug", "StoreSys", "Unbind"} {
		var last *dud
		open := func(t fwtest.TB) fwtest.System {
			last = &dud{System: fwtest.InProcess()(t), means: means}
			return last
		}
		for _, s := range fwtest.Statements {
			for _, x := range s.Tests {
				if x.Mark == fwtest.WhiteBox || x.Mark == fwtest.UAPI && means != "StoreSys" {
					continue // it cannot run here, or has no such means
				}
				r := fwtest.Execute(x.Name, func(t fwtest.TB) { x.Execute(t, open) })
				assert.True(t, r.Failed || !last.used, "%s passes though %s does nothing", x.Name, means)
			}
		}
		if means != "Inject" {
			continue
		}
		for _, x := range fwtest.Cells() {
			r := fwtest.Execute(x.Kind, func(t fwtest.TB) { x.Execute(t, open) })
			assert.True(t, r.Failed, "%v passes though no fault is injected", x)
			assert.NotContains(t, strings.Join(r.Log, "\n"), "panic")
		}
	}
}
