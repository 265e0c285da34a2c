package rt

import (
	"fmt"

	"github.com/presi-sim/presi/hw/abi"
)

// Device is an open accelerator.
type Device struct {
	// Info is what the device said of itself when it was opened.
	Info abi.DeviceInfo

	node Node
}

// Open asks the node for its device. The node is the device's from then on.
func Open(node Node) (*Device, error) {
	d := &Device{node: node}
	if err := query(d, abi.QueryDevice, &d.Info); err != nil {
		return nil, err
	}
	switch i := &d.Info; {
	case i.ABIVersion != abi.Version:
		return nil, fmt.Errorf("rt: the device's interface has version %d, want %d", i.ABIVersion, abi.Version)
	case i.NumCores == 0 || i.ArrayRows == 0 || i.ArrayCols == 0 || i.VectorLanes == 0 || i.ScratchpadSize == 0:
		return nil, fmt.Errorf("rt: the device reports %d cores of %d×%d with %d lanes and a scratchpad of %d bytes: want at least 1 of each",
			i.NumCores, i.ArrayRows, i.ArrayCols, i.VectorLanes, i.ScratchpadSize)
	}
	return d, nil
}

// Close closes the node: buffers, queues and syncobjs go with it. A buffer that is
// mapped keeps its memory until it is closed too.
func (d *Device) Close() error { return d.node.Close() }

// Telemetry reads the device's counters, latched together.
func (d *Device) Telemetry() (t abi.TelemetryInfo, err error) {
	err = query(d, abi.QueryTelemetry, &t)
	return t, err
}

// ResetInfo reads the device's state and how often it was reset.
func (d *Device) ResetInfo() (r abi.ResetInfo, err error) {
	err = query(d, abi.QueryReset, &r)
	return r, err
}

// query reads one struct of information.
func query[T any](d *Device, kind uint32, v *T) error {
	data := make([]byte, abi.SizeOf[T]())
	q := abi.Query{Type: kind, Size: uint32(len(data))}
	if err := call(d.node, "QUERY", abi.NrQuery, &q, Ref{8, data}); err != nil {
		return err
	}
	if int(q.Size) < len(data) {
		return fmt.Errorf("rt: QUERY %d gives %d bytes, want %d", kind, q.Size, len(data))
	}
	*v = abi.Load[T](data)
	return nil
}
