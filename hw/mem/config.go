package mem

import (
	"fmt"
	"slices"
	"strings"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Config describes device memory: [dram] in a machine's file. Zero values
// take the default that their description names.
type Config struct {
	Device        string           `toml:"device" doc:"preset of a memory device, such as LPDDR5_6400"`
	Channels      int              `toml:"channels" doc:"channels of that device, side by side"`
	Size          sim.Bytes        `toml:"size" doc:"bytes in use"`
	Map           string           `toml:"map" doc:"address map, fields from the most to the least significant, such as robabgracoch; ^ba is hashed with the row, ^ch with all bits above it"`
	Policy        string           `toml:"policy" doc:"rows stay open or are closed: open, closed"`
	CloseAfter    int              `toml:"close_after" doc:"columns before a row is closed, with policy closed"`
	Refresh       string           `toml:"refresh" doc:"all-bank, per-bank or none"`
	ReadEntries   int              `toml:"read_entries" doc:"read buffer of a channel; 0: the preset's"`
	WriteEntries  int              `toml:"write_entries" doc:"write buffer of a channel; 0: the preset's"`
	HighWatermark float64          `toml:"high_watermark" doc:"fill of the write buffer that starts draining, 0 to 1"`
	LowWatermark  float64          `toml:"low_watermark" doc:"fill of the write buffer that ends draining"`
	Timing        map[string]int64 `toml:"timing" doc:"overrides of the preset in memory clocks, such as nRCDRD = 14"`
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
	bad := func(key string, found any, want string, args ...any) {
		faults = append(faults, hw.BadConfig("dram."+key, found, want, args...))
	}
	d := deviceNamed(c.Device)
	if d == nil {
		bad("device", c.Device, "one of %s", strings.Join(Devices(), ", "))
	}
	if !slices.Contains([]string{"open", "closed"}, c.Policy) {
		bad("policy", c.Policy, `"open" or "closed"`)
	}
	if c.CloseAfter < 1 {
		bad("close_after", c.CloseAfter, "at least 1 column")
	}
	if !slices.Contains([]string{refreshAllBank, refreshPerBank, refreshNone}, c.Refresh) {
		bad("refresh", c.Refresh, `"all-bank", "per-bank" or "none"`)
	}
	if !(c.LowWatermark > 0 && c.LowWatermark < c.HighWatermark) {
		bad("low_watermark", c.LowWatermark, "more than 0 and less than high_watermark, %g", c.HighWatermark)
	}
	if !(c.HighWatermark <= 1) {
		bad("high_watermark", c.HighWatermark, "at most 1")
	}
	if c.Channels < 1 || c.Channels > maxChannels {
		bad("channels", c.Channels, "1 to %d", maxChannels)
	} else if d != nil {
		faults = append(faults, c.validateWith(d)...)
	}
	return faults
}

// validateWith checks what depends on the device.
func (c Config) validateWith(d *device) (faults []error) {
	bad := func(key string, found any, want string, args ...any) {
		faults = append(faults, hw.BadConfig("dram."+key, found, want, args...))
	}
	if c.ReadEntries < 1 || c.ReadEntries > maxEntries {
		bad("read_entries", c.ReadEntries, "1 to %d", maxEntries)
	}
	if c.WriteEntries < 2 || c.WriteEntries > maxEntries {
		bad("write_entries", c.WriteEntries, "2 to %d", maxEntries)
	}
	if all := d.capacity(c.Channels); c.Size < sim.Bytes(d.tx) || c.Size > all || int64(c.Size)%d.tx != 0 {
		faults = append(faults, &hw.ConfigFault{Key: "dram.size", Found: c.Size, With: []string{"dram.channels", "dram.device"},
			Want: fmt.Sprintf("at most %v, what %d × %s hold, in units of %d bytes", all, c.Channels, d.name, d.tx)})
	}
	if _, err := parseMap(c.Map, d, d.channels*c.Channels); err != nil {
		bad("map", c.Map, "the fields ro, ba, bg, ra, co and ch, from the most to the least significant, such as robabgracoch: %v", err)
	}
	t, unknown := c.timing(d)
	return append(append(faults, unknown...), t.validate(c, d)...)
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
			faults = append(faults, hw.BadConfig("dram.timing."+k, c.Timing[k], "another key: there are %s", paramNames()))
			continue
		}
		p := params[i].at(&t)
		if *p == 0 {
			faults = append(faults, hw.BadConfig("dram.timing."+k, c.Timing[k], "it left out: %s has no such rule", d.name))
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

// orders are pairs of parameters of which the first is at most the second, in
// every standard that has both.
var orders = []struct {
	low, high, why string
	refreshed      bool // only where there is refresh
}{
	{low: "nRAS", high: "nRC", why: "a row cannot stay open longer than its cycle"},
	{low: "nRCDRD", high: "nRAS", why: "the row would be closed before its first read"},
	{low: "nRCDWR", high: "nRAS", why: "the row would be closed before its first write"},
	{low: "nRTP", high: "nRAS", why: "a read does not keep its row open longer than the cells need"},
	{low: "nBL", high: "nCCDS", why: "a burst would begin before the last one ends"},
	{low: "nCCDS", high: "nCCDL", why: "another group is never slower than the same"},
	{low: "nCCDS", high: "nCCDR", why: "another stack is never faster than the same"},
	{low: "nRRDS", high: "nRRDL", why: "another group is never slower than the same"},
	{low: "nRRDS", high: "nFAW", why: "of four rows the second is not opened later than the fifth"},
	{low: "nRRDL", high: "nFAW", why: "of four rows the second is not opened later than the fifth"},
	{low: "nWTRS", high: "nWTRL", why: "another group is never slower than the same"},
	{low: "nRFCpb", high: "nRFC", why: "one bank is never refreshed slower than all"},
	{low: "nREFIpb", high: "nREFI", why: "banks one at a time are refreshed no less often than all at once"},
	{low: "nCL", high: "nREFI", why: "no access would end between two refreshes", refreshed: true},
	{low: "nCWL", high: "nREFI", why: "no access would end between two refreshes", refreshed: true},
	{low: "nCCDL", high: "nREFI", why: "no two accesses would fit between two refreshes", refreshed: true},
	{low: "nFAW", high: "nREFI", why: "no five rows could be opened between two refreshes", refreshed: true},
	{low: "nWR", high: "nREFI", why: "no row that was written could be closed between two refreshes", refreshed: true},
	{low: "nWTRL", high: "nREFI", why: "no read could follow a write between two refreshes", refreshed: true},
	{low: "nRTW", high: "nREFI", why: "no write could follow a read between two refreshes", refreshed: true},
	{low: "nPPD", high: "nRP", why: "two banks are closed at least as fast as one bank is closed and opened"},
}

// validate finds what no device can be. A rule is broken by the first of its
// parameters that the configuration overrides: the preset keeps them all.
func (t *timing) validate(c Config, d *device) (faults []error) {
	blamed := map[string]bool{} // once a key
	bad := func(want string, keys ...string) {
		var set []string
		for _, k := range keys {
			if _, ok := c.Timing[k]; ok {
				set = append(set, "dram.timing."+k)
			}
		}
		if len(set) == 0 {
			set = []string{"dram.timing." + keys[0]}
		}
		if blamed[set[0]] {
			return
		}
		blamed[set[0]] = true
		faults = append(faults, &hw.ConfigFault{Key: set[0], Found: *t.named(strings.TrimPrefix(set[0], "dram.timing.")), Want: want, With: set[1:]})
	}
	for _, p := range params {
		if v := *p.at(t); v < 0 || v > 1<<20 || v == 0 && *p.at(&d.t) != 0 {
			bad(fmt.Sprintf("1 to %d clocks", 1<<20), p.name)
		}
	}
	if len(faults) > 0 {
		return faults
	}
	for _, r := range orders {
		low, high := *t.named(r.low), *t.named(r.high)
		if low > high && high != 0 && !(r.refreshed && c.Refresh == refreshNone) {
			bad(fmt.Sprintf("%s (%d) at most %s (%d): %s", r.low, low, r.high, high, r.why), r.low, r.high)
		}
	}
	if c.Refresh == refreshAllBank && t.RFC+t.RP+t.RAS >= t.REFI {
		bad(fmt.Sprintf("time left between refreshes: nRFC + nRP + nRAS (%d + %d + %d) below nREFI (%d)", t.RFC, t.RP, t.RAS, t.REFI),
			"nRFC", "nRP", "nRAS", "nREFI")
	}
	if c.Refresh == refreshPerBank {
		interval := t.REFIpb << (d.rank[0] + d.rank[1] + d.bits[0] + d.bits[1])
		if t.REFIpb == 0 {
			faults = append(faults, hw.BadConfig("dram.refresh", c.Refresh, "\"all-bank\" or \"none\": %s has no per-bank refresh", d.name))
		} else if t.RFCpb+t.RP+t.RAS >= interval {
			bad(fmt.Sprintf("time left between refreshes of a bank: nRFCpb + nRP + nRAS (%d + %d + %d) below nREFIpb of all banks (%d)",
				t.RFCpb, t.RP, t.RAS, interval), "nRFCpb", "nRP", "nRAS", "nREFIpb")
		}
	}
	return faults
}

// named returns the parameter of a name.
func (t *timing) named(name string) *int64 {
	return params[slices.IndexFunc(params, func(p param) bool { return p.name == name })].at(t)
}
