package pcie

import (
	"fmt"
	"math/bits"
	"strconv"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// Config is the link, [pcie] in a machine's file.
type Config struct {
	Generation int       `toml:"gen" doc:"generation of the link, 1 to 6; 6 (flit mode) is unvalidated"`
	Lanes      int       `toml:"lanes" doc:"width of the link: 1, 2, 4, 8 or 16"`
	MPS        sim.Bytes `toml:"mps" doc:"maximum payload of a TLP, 128B to 4KiB; typically 256B"`
	MRRS       sim.Bytes `toml:"mrrs" doc:"maximum read request, 128B to 4KiB; typically 512B"`
	RCB        sim.Bytes `toml:"rcb" doc:"read completion boundary, 64B to 512B"`
	RCBChunks  bool      `toml:"rcb_chunks" doc:"the host sends completions in pieces of rcb rather than of mps"`

	Tags              Limit `toml:"tags" doc:"read requests outstanding, or \"unlimited\"; 256 with 8-bit tags, 768 with 10-bit tags"`
	PostedCredits     Limit `toml:"posted_credits" doc:"write TLPs the receiver has room for, a direction, or \"unlimited\""`
	NonPostedCredits  Limit `toml:"nonposted_credits" doc:"read TLPs the root complex has room for, or \"unlimited\""`
	CompletionCredits Limit `toml:"completion_credits" doc:"completion TLPs the device has room for, or \"unlimited\""`

	Latency           sim.Time `toml:"latency" doc:"one way from the end of serialisation, through PHYs and root complex; 150ns to 300ns"`
	MMIORead          sim.Time `toml:"mmio_read" doc:"what CPU and root complex add to the round trip of a read"`
	MMIOWrite         sim.Time `toml:"mmio_write" doc:"time of the CPU to issue a posted write"`
	MMIOWriteRate     sim.Rate `toml:"mmio_write_rate" doc:"rate of write-combined stores behind the first"`
	CompletionTimeout sim.Time `toml:"completion_timeout" doc:"when a read whose completion is lost is given up; 50us to 64s"`
}

// DefaultConfig returns a Gen4 x8 link. Sources of its times: DMA reads of 64
// bytes take about 550 ns on real hosts (Neugebauer et al., from memory, not checked), of which
// two times Latency is the link's; a P100 answers MMIO reads in 0.88–1.76 µs
// and takes 98 ns a posted write, 10.26 GB/s write-combined (gdrcopy README).
func DefaultConfig() Config {
	return Config{
		Generation: 4, Lanes: 8, MPS: 256, MRRS: 512, RCB: 64,
		Tags: 256, PostedCredits: Unlimited, NonPostedCredits: Unlimited, CompletionCredits: Unlimited,
		Latency:  200 * sim.Nanosecond,
		MMIORead: 450 * sim.Nanosecond, MMIOWrite: 98 * sim.Nanosecond, MMIOWriteRate: 10_260_000_000,
		CompletionTimeout: 50 * sim.Millisecond,
	}
}

// Limit is a number of tags or credits: positive, or Unlimited.
type Limit int64

// Unlimited is no limit.
const Unlimited Limit = -1

// UnmarshalText reads "unlimited" or a decimal number.
func (l *Limit) UnmarshalText(p []byte) error {
	if string(p) == "unlimited" {
		*l = Unlimited
		return nil
	}
	n, err := strconv.ParseInt(string(p), 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is no number of tags or credits: write one like 256, or \"unlimited\"", p)
	}
	*l = Limit(n)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

func (l Limit) String() string {
	if l == Unlimited {
		return "unlimited"
	}
	return strconv.FormatInt(int64(l), 10)
}

// check is one condition of Validate.
type check struct {
	ok    bool
	key   string
	found any
	want  string
}

// Validate returns every fault of the configuration, nil when there is none.
func (c *Config) Validate() []error {
	checks := []check{
		{c.Generation >= 1 && c.Generation < len(generations), "pcie.gen", c.Generation, "a generation from 1 to 6"},
		{knownWidth(c.Lanes), "pcie.lanes", c.Lanes, "1, 2, 4, 8 or 16 lanes"},
		{powerIn(c.MPS, 128, 4096), "pcie.mps", c.MPS, "a power of two from 128B to 4KiB"},
		{powerIn(c.MRRS, 128, 4096), "pcie.mrrs", c.MRRS, "a power of two from 128B to 4KiB"},
		{powerIn(c.RCB, 64, 512), "pcie.rcb", c.RCB, "a power of two from 64B to 512B"},
		{c.RCB <= c.MPS || !powerIn(c.MPS, 128, 4096), "pcie.rcb", c.RCB, "no more than pcie.mps"},
		{c.Tags.valid(), "pcie.tags", c.Tags, "at least 1 or \"unlimited\": without a tag nothing can be read"},
		{c.PostedCredits.valid(), "pcie.posted_credits", c.PostedCredits,
			"at least 1 or \"unlimited\": without a credit nothing can be written"},
		{c.NonPostedCredits.valid(), "pcie.nonposted_credits", c.NonPostedCredits,
			"at least 1 or \"unlimited\": without a credit nothing can be read"},
		{c.CompletionCredits.valid(), "pcie.completion_credits", c.CompletionCredits,
			"at least 1 or \"unlimited\": without a credit nothing can be read"},
		{c.Latency >= 0 && c.Latency <= sim.Millisecond, "pcie.latency", c.Latency, "0ps to 1ms"},
		{c.MMIORead >= 0 && c.MMIORead <= sim.Millisecond, "pcie.mmio_read", c.MMIORead, "0ps to 1ms"},
		{c.MMIOWrite >= 0 && c.MMIOWrite <= sim.Millisecond, "pcie.mmio_write", c.MMIOWrite, "0ps to 1ms"},
		{c.MMIOWriteRate > 0, "pcie.mmio_write_rate", c.MMIOWriteRate, "a positive rate"},
		{c.CompletionTimeout >= 50*sim.Microsecond && c.CompletionTimeout <= 64*sim.Second,
			"pcie.completion_timeout", c.CompletionTimeout, "50us to 64s (section 2.8)"},
	}
	var faults []error
	for _, k := range checks {
		if !k.ok {
			faults = append(faults, hw.BadConfig(k.key, k.found, "%s", k.want))
		}
	}
	if c.CompletionTimeout <= 2*c.Latency && faults == nil {
		faults = append(faults, &hw.ConfigFault{Key: "pcie.completion_timeout", Found: c.CompletionTimeout, With: []string{"pcie.latency"},
			Want: fmt.Sprintf("more than %v, twice pcie.latency: before that no completion can come", 2*c.Latency)})
	}
	if len(faults) == 0 && c.CompletionCredits != Unlimited && int64(c.CompletionCredits) < c.oneRead() {
		faults = append(faults, hw.BadConfig("pcie.completion_credits", c.CompletionCredits,
			"at least %d, the completions of one read of pcie.mrrs", c.oneRead()))
	}
	return faults
}

// oneRead is how many completions answer one read request of full size.
func (c *Config) oneRead() int64 { return pieces(0, int64(c.MRRS), c.chunk()) }

func (l Limit) valid() bool { return l > 0 || l == Unlimited }

func knownWidth(lanes int) bool {
	for _, w := range widths {
		if w.lanes == lanes {
			return true
		}
	}
	return false
}

func powerIn(v, low, high sim.Bytes) bool {
	return v >= low && v <= high && bits.OnesCount64(uint64(v)) == 1
}
