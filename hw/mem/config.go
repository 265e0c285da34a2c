package mem

import (
	"fmt"
	"slices"
	"strings"

	"github.com/presi-sim/presi/sim"
)

// Config describes device memory: [dram] in a machine's file. Zero values
// take the default that their comment names.
type Config struct {
	Device        string           `toml:"device"`         // a preset of Devices()
	Channels      int              `toml:"channels"`       // how many of that device, side by side; 1
	Size          sim.Bytes        `toml:"size"`           // bytes in use; all there are
	Map           string           `toml:"map"`            // address map; "robabgracoch"
	Policy        string           `toml:"policy"`         // "open" or "closed" rows; "open"
	CloseAfter    int              `toml:"close_after"`    // closed policy: columns before a row is closed; 4
	Refresh       string           `toml:"refresh"`        // "all-bank", "per-bank" or "none"; "all-bank"
	ReadEntries   int              `toml:"read_entries"`   // read buffer a channel; the preset's
	WriteEntries  int              `toml:"write_entries"`  // write buffer a channel; the preset's
	HighWatermark float64          `toml:"high_watermark"` // fill of the write buffer that starts draining; 0.8
	LowWatermark  float64          `toml:"low_watermark"`  // fill that ends it; 0.2
	Timing        map[string]int64 `toml:"timing"`         // overrides of the preset in memory clocks: nRCDRD = 14
}

// Refresh modes.
const (
	refreshAllBank = "all-bank"
	refreshPerBank = "per-bank"
	refreshNone    = "none"
)

func (c Config) withDefaults() Config {
	setDefault(&c.Channels, 1)
	setDefault(&c.Map, "robabgracoch")
	setDefault(&c.Policy, "open")
	setDefault(&c.CloseAfter, 4)
	setDefault(&c.Refresh, refreshAllBank)
	setDefault(&c.HighWatermark, 0.8)
	setDefault(&c.LowWatermark, 0.2)
	if d := deviceNamed(c.Device); d != nil {
		setDefault(&c.ReadEntries, d.entries[0])
		setDefault(&c.WriteEntries, d.entries[1])
		setDefault(&c.Size, d.capacity(c.Channels))
	}
	return c
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// capacity returns the bytes of n such devices.
func (d *device) capacity(n int) sim.Bytes {
	bits := d.rank[0] + d.rank[1] + d.bits[0] + d.bits[1] + d.bits[2] + d.bits[3]
	return sim.Bytes(int64(n) * int64(d.channels) * d.tx << bits)
}

// peak returns the nominal data rate of n such devices.
func (d *device) peak(n int) sim.Rate {
	return sim.Rate(int64(n) * int64(d.channels) * d.rate * 1e6 * d.width / 8)
}

// maxChannels bounds what a configuration can ask for.
const maxChannels = 1024

// Validate returns every fault of the configuration, each beginning with its
// key as in the file.
func (c Config) Validate() (faults []error) {
	c = c.withDefaults()
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("dram."+key+": "+format, args...))
	}
	d := deviceNamed(c.Device)
	if d == nil {
		bad("device", "%q is no memory device; choose one of %s", c.Device, strings.Join(Devices(), ", "))
	}
	if !slices.Contains([]string{"open", "closed"}, c.Policy) {
		bad("policy", "%q is no row policy; use \"open\" or \"closed\"", c.Policy)
	}
	if c.CloseAfter < 1 {
		bad("close_after", "%d columns: at least 1", c.CloseAfter)
	}
	if !slices.Contains([]string{refreshAllBank, refreshPerBank, refreshNone}, c.Refresh) {
		bad("refresh", "%q is no refresh; use \"all-bank\", \"per-bank\" or \"none\"", c.Refresh)
	}
	if !(c.LowWatermark > 0 && c.LowWatermark < c.HighWatermark) {
		bad("low_watermark", "%g must lie between 0 and high_watermark (%g)", c.LowWatermark, c.HighWatermark)
	}
	if !(c.HighWatermark <= 1) {
		bad("high_watermark", "%g must not exceed 1", c.HighWatermark)
	}
	if c.Channels < 1 || c.Channels > maxChannels {
		bad("channels", "%d: between 1 and %d", c.Channels, maxChannels)
	} else if d != nil {
		faults = append(faults, c.validateWith(d)...)
	}
	return faults
}

// validateWith checks what depends on the device.
func (c Config) validateWith(d *device) (faults []error) {
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("dram."+key+": "+format, args...))
	}
	if c.ReadEntries < 1 || c.ReadEntries > maxEntries {
		bad("read_entries", "%d: between 1 and %d", c.ReadEntries, maxEntries)
	}
	if c.WriteEntries < 2 || c.WriteEntries > maxEntries {
		bad("write_entries", "%d: between 2 and %d", c.WriteEntries, maxEntries)
	}
	if all := d.capacity(c.Channels); c.Size < sim.Bytes(d.tx) || c.Size > all || int64(c.Size)%d.tx != 0 {
		bad("size", "%v does not fit: %d × %s hold %v, in units of %d bytes", c.Size, c.Channels, d.name, all, d.tx)
	}
	if _, err := parseMap(c.Map, d, d.channels*c.Channels); err != nil {
		bad("map", "%w", err)
	}
	t, faults2 := c.timing(d)
	faults = append(faults, faults2...)
	if len(faults2) == 0 {
		faults = append(faults, t.validate(c, d)...)
	}
	return faults
}

// maxEntries bounds a controller's buffers.
const maxEntries = 4096

// timing returns the device's parameters with the overrides put in.
func (c Config) timing(d *device) (t timing, faults []error) {
	t = d.t
	keys := make([]string, 0, len(c.Timing))
	for k := range c.Timing {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		i := slices.IndexFunc(params, func(p param) bool { return p.name == k })
		if i < 0 {
			faults = append(faults, fmt.Errorf("dram.timing.%s: no such parameter; there are %s", k, paramNames()))
			continue
		}
		p := params[i].at(&t)
		if *p == 0 {
			faults = append(faults, fmt.Errorf("dram.timing.%s: %s has no such rule", k, d.name))
			continue
		}
		*p = c.Timing[k]
	}
	return t, faults
}

func paramNames() string {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.name
	}
	return strings.Join(names, ", ")
}

// validate finds what no device can be: each rule names the key to change.
func (t *timing) validate(c Config, d *device) (faults []error) {
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("dram.timing."+key+": "+format, args...))
	}
	for _, p := range params {
		if v := *p.at(t); v < 0 || v > 1<<20 || v == 0 && *p.at(&d.t) != 0 {
			bad(p.name, "%d clocks: between 1 and %d", v, 1<<20)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	if t.RAS > t.RC {
		bad("nRAS", "%d exceeds nRC (%d): a row cannot stay open longer than its cycle", t.RAS, t.RC)
	}
	if t.RCDRD > t.RAS {
		bad("nRCDRD", "%d exceeds nRAS (%d): the row would be closed before its first read", t.RCDRD, t.RAS)
	}
	if t.CCDS > t.CCDL {
		bad("nCCDS", "%d exceeds nCCDL (%d): another group is never slower than the same", t.CCDS, t.CCDL)
	}
	if t.RRDS > t.FAW {
		bad("nFAW", "%d is below nRRDS (%d)", t.FAW, t.RRDS)
	}
	if c.Refresh == refreshAllBank && t.RFC+t.RP+t.RAS >= t.REFI {
		bad("nRFC", "%d leaves no time between refreshes every %d (nREFI)", t.RFC, t.REFI)
	}
	if c.Refresh == refreshPerBank {
		if t.REFIpb == 0 {
			faults = append(faults, fmt.Errorf("dram.refresh: %s has no per-bank refresh", d.name))
		} else if t.RFCpb+t.RP+t.RAS >= t.REFIpb<<(d.rank[0]+d.rank[1]+d.bits[0]+d.bits[1]) {
			bad("nRFCpb", "%d leaves no time between refreshes of a bank", t.RFCpb)
		}
	}
	return faults
}
