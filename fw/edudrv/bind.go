package edudrv

import (
	"github.com/presi-sim/presi/fw"
	"github.com/presi-sim/presi/hw"
)

// Entry is the driver for a registry of drivers. logf is Probe's, for every device
// it binds.
func Entry(logf func(format string, args ...any)) fw.DriverEntry {
	return fw.DriverEntry{
		Name: driver.Name,
		IDs:  []fw.ID{{Vendor: vendorID, Device: deviceID}},
		Probe: func(c *fw.Class, bus hw.Bus) (fw.Bound, error) {
			d, err := Probe(c, bus, logf)
			if err != nil {
				return nil, err
			}
			return d, nil
		},
	}
}
