package configs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/presi-sim/presi/hw"
	"github.com/presi-sim/presi/sim"
)

// board has a field of every kind a configuration may have.
type board struct {
	Name    string         `toml:"name" doc:"What it is called."`
	Note    string         `toml:"note,omitempty"`
	DRAM    dram           `toml:"dram"`
	Links   []link         `toml:"link,omitempty"`
	Corner  [2]int         `toml:"corner,omitempty"`
	Ratios  []float64      `toml:"ratios,omitempty"`
	Windows []sim.Time     `toml:"windows,omitempty"`
	Free    map[string]any `toml:"free"`
	Cost    struct {
		IRQ sim.Time `toml:"irq" doc:"One interrupt."`
	} `toml:"cost,omitempty"`
	common
	hidden int
	Skip   func() `toml:"-"`
}

type common struct {
	Seed   uint8  `toml:"seed,omitempty"`
	Signed int8   `toml:"signed,omitempty"`
	Wide   uint64 `toml:"wide,omitempty"`
}

type dram struct {
	Channels int       `toml:"channels" doc:"Independent channels." unit:"channels"`
	Size     sim.Bytes `toml:"size" doc:"Capacity."`
	Clock    sim.Hertz `toml:"clock"`
	Peak     sim.Rate  `toml:"peak"`
	Refresh  bool      `toml:"refresh"`
	Margin   float32   `toml:"margin"`
	Policy   policy    `toml:"policy"`
}

type link struct {
	Lanes int    `toml:"lanes"`
	Name  string `toml:"name"`
}

// policy is an enumeration that reads itself.
type policy string

func (p *policy) UnmarshalText(b []byte) error {
	if s := string(b); s != "open" && s != "closed" {
		return fmt.Errorf("want open or closed")
	}
	*p = policy(b)
	return nil
}

func (b *board) Validate() (errs []error) {
	if n := b.DRAM.Channels; n < 1 || n&(n-1) != 0 {
		errs = append(errs, hw.BadConfig("dram.channels", n, "a power of two from 1 to %d", 32))
	}
	if b.DRAM.Size < sim.MiB {
		errs = append(errs, hw.BadConfig("dram.size", b.DRAM.Size, "at least 1MiB"))
	}
	for i, l := range b.Links {
		if l.Lanes > 16 {
			errs = append(errs, hw.BadConfig(fmt.Sprintf("link[%d].lanes", i), l.Lanes, "at most 16"))
		}
	}
	if b.hidden != 0 {
		errs = append(errs, errors.New("hidden is set"))
	}
	return errs
}

const good = `# A board.
name = "b"
ratios = [1, 2.5]
corner = [3, 4]
windows = ["1us",
  "2us"]   # the second

[dram]
channels = 4
size = "2GiB"
clock = "1.6GHz"
peak = "51.2GB/s"
refresh = true
margin = 0.25
policy = "open"

[[link]]
lanes = 4
name = "up"

[[link]]
lanes = 8
name = "down"

[free]
"a.b" = 1
`

func loadGood(t *testing.T, sets ...string) board {
	t.Helper()
	var b board
	require.NoError(t, Load("good.toml", []byte(good), &b, sets...))
	return b
}

func TestLoadFillsEveryKind(t *testing.T) {
	b := loadGood(t)
	assert.Equal(t, dram{4, 2 * sim.GiB, 1600e6, 51.2e9, true, 0.25, "open"}, b.DRAM)
	assert.Equal(t, []link{{4, "up"}, {8, "down"}}, b.Links)
	assert.Equal(t, [2]int{3, 4}, b.Corner)
	assert.Equal(t, []float64{1, 2.5}, b.Ratios)
	assert.Equal(t, []sim.Time{sim.Microsecond, 2 * sim.Microsecond}, b.Windows)
	assert.Equal(t, map[string]any{"a.b": int64(1)}, b.Free)
}

func TestLoadKeepsWhatIsNotGiven(t *testing.T) {
	b := board{Name: "old", DRAM: dram{Channels: 2, Size: sim.GiB}}
	require.NoError(t, Load("x", []byte("[dram]\nchannels = 8"), &b))
	assert.Equal(t, board{Name: "old", DRAM: dram{Channels: 8, Size: sim.GiB}}, b)
}

func TestSetsGoThroughTheSameChecks(t *testing.T) {
	b := loadGood(t, "dram.channels=16", "dram.size=4GiB", `dram.clock = "2GHz"`, "dram.refresh=false", "name=other one",
		"link[1].lanes=2", "ratios=[0.5, 1]", "windows=5ns", "corner=1,2", "seed=0x10", "cost.irq=700ns", "dram.margin=1",
		"note=", "dram.channels=32", "free.x=2", "free.y=z")
	assert.Equal(t, map[string]any{"a.b": int64(1), "x": int64(2), "y": "z"}, b.Free)
	assert.Equal(t, 32, b.DRAM.Channels)
	assert.Equal(t, 4*sim.GiB, b.DRAM.Size)
	assert.EqualValues(t, 2e9, b.DRAM.Clock)
	assert.False(t, b.DRAM.Refresh)
	assert.Equal(t, "other one", b.Name)
	assert.Equal(t, 2, b.Links[1].Lanes)
	assert.Equal(t, []float64{0.5, 1}, b.Ratios)
	assert.Equal(t, []sim.Time{5 * sim.Nanosecond}, b.Windows)
	assert.Equal(t, [2]int{1, 2}, b.Corner)
	assert.Equal(t, uint8(16), b.Seed)
	assert.Equal(t, 700*sim.Nanosecond, b.Cost.IRQ)
	assert.Equal(t, float32(1), b.DRAM.Margin)
}

// One fault each, with its whole message.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"nmae = \"x\"", `x.toml:1: nmae = "x": no such key; did you mean name?`},
		{"[dram]\n\nchanels = 4", `x.toml:3: dram.chanels = 4: no such key; did you mean dram.channels?`},
		{"channels = 4", `x.toml:1: channels = 4: no such key here; there is dram.channels`},
		{"[cost]\nwhatever = 4", `x.toml:2: cost.whatever = 4: no such key; [cost] has irq`},
		{"dram.clok = 1", `x.toml:1: dram.clok = 1: no such key; did you mean dram.clock?`},
		{"[darm]\nchannels = 4", `x.toml:1: darm = {…}: no such key; did you mean dram?`},
		{"\n[[link]]\nlanes = 1\n[[link]]\nlane = 2", `x.toml:5: link[1].lane = 2: no such key; did you mean link[1].lanes?`},
		{"link = [{lanes = 1},\n {lanes = 1,\n lane = 2}]", `x.toml:3: link[1].lane = 2: no such key; did you mean link[1].lanes?`},
		{"[dram]\nsize = 64", `x.toml:2: dram.size = 64: want a size with its unit, in quotes, such as "64KiB"`},
		{"dram.clock = 1.5", `x.toml:1: dram.clock = 1.5: want a frequency with its unit, in quotes, such as "1.2GHz"`},
		{"dram = {size = \"64K\"}", `x.toml:1: dram.size = "64K": not a size: unknown unit K (one of TiB, GiB, MiB, KiB, TB, GB, MB, kB, B); write it like "64KiB"`},
		{"dram.peak = \"fast\"", `x.toml:1: dram.peak = "fast": not a bandwidth: unknown unit fast (one of TB/s, GB/s, MB/s, kB/s, GiB/s, MiB/s, KiB/s, B/s); write it like "900GB/s"`},
		{"windows = [\n\"1us\",\n\"1\"]", `x.toml:3: windows[1] = "1": not a duration: the unit is missing; write it like "350ns"`},
		{"dram.policy = \"ajar\"", `x.toml:1: dram.policy = "ajar": want open or closed`},
		{"dram.policy = 3", `x.toml:1: dram.policy = 3: want open or closed`},
		{"dram.policy = true", `x.toml:1: dram.policy = true: want text, in quotes`},
		{"dram.channels = \"4\"", `x.toml:1: dram.channels = "4": want an integer`},
		{"dram.channels = 4.0", `x.toml:1: dram.channels = 4.0: want an integer`},
		{"seed = 256", `x.toml:1: seed = 256: want an integer from 0 to 255`},
		{"seed = -1", `x.toml:1: seed = -1: want an integer from 0 to 255`},
		{"signed = 128", `x.toml:1: signed = 128: want an integer from -128 to 127`},
		{"wide = -1", `x.toml:1: wide = -1: want an integer of 0 or more`},
		{"dram.refresh = 1", `x.toml:1: dram.refresh = 1: want true or false`},
		{"dram.margin = \"1\"", `x.toml:1: dram.margin = "1": want a number`},
		{"ratios = [1, nan]", `x.toml:1: ratios[1] = NaN: want a number`},
		{"name = 1979-05-27", `x.toml:1: name = a date: want text, in quotes`},
		{"ratios = 3", `x.toml:1: ratios = 3: want a list of numbers, in brackets`},
		{"corner = [1]", `x.toml:1: corner = [1]: want 2 elements, not 1`},
		{"dram = 3", `x.toml:1: dram = 3: want a table, [dram]`},
		{"[[dram]]\nchannels = 1", `x.toml:1: dram = [[…]]: want a table, [dram]`},
		{"free = 3", `x.toml:1: free = 3: want a table, [free]`},
		{"name = \"" + strings.Repeat("x", 99) + "\"\nname2 = 1", `x.toml:2: name2 = 1: no such key; did you mean name?`},
		{"[dram]\nchannels = 3", `x.toml:2: dram.channels = 3: want a power of two from 1 to 32`},
		{"dram.size = \"1kB\"", `x.toml:1: dram.size = "1kB": want at least 1MiB`},
		{"[[link]]\nlanes = 1\n\n[[link]]\nlanes = 17", `x.toml:5: link[1].lanes = 17: want at most 16`},
		{"name = \"\"\"\nlong\n\"\"\" # x\nseed = 999", `x.toml:4: seed = 999: want an integer from 0 to 255`},
		{"name = \"a\"\n\nname = \"b\"", `x.toml:3: not TOML: Key 'name' has already been defined.`},
		{"\ndram.size = 5GiB", `x.toml:2: not TOML: expected a top-level item to end with a newline, comment, or EOF, but got 'G' instead; text and quantities need quotes, as in "64KiB"`},
		{"name = \"a\"\nseed = ", `x.toml:2: not TOML: expected value but found '\n' instead`},
	} {
		b := board{DRAM: dram{Channels: 1, Size: sim.GiB}}
		err := Load("x.toml", []byte(c.text+"\n"), &b)
		assert.EqualErrorf(t, err, c.want, "%s", c.text)
	}
}

func TestFaultsOfSets(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"dram.chanels=4", "no such key; did you mean dram.channels?"},
		{"dram", "want key=value, such as dram.channels=8"},
		{"=4", "want key=value, such as dram.channels=8"},
		{"dram.channels=x", "want an integer"},
		{"dram.channels=010", "want an integer"},
		{"dram.channels=1#2", "want an integer"},
		{"dram.size=64", `not a size: the unit is missing; write it like "64KiB"`},
		{"dram.refresh=yes", "want true or false"},
		{"dram=4", "a table; set one of its keys: channels, size, clock, peak, refresh, margin, policy"},
		{"dram.channels.x=4", "no such key; dram.channels is no table"},
		{"link[2].lanes=4", "link has 2 elements, counted from 0"},
		{"link[x].lanes=4", "link has 2 elements, counted from 0"},
		{"name[0]=4", "name is no list"},
		{"free.x.y=4", "no such key; free.x is no table"},
		{"corner=1", "corner = [1]: want 2 elements, not 1"},
		{"windows=1ns,2", `windows[1] = "2": not a duration: the unit is missing; write it like "350ns"`},
		{"dram.channels=3", "want a power of two from 1 to 32"},
		{"dram.size=1B", "want at least 1MiB"},
		{"link[0].lanes=99", "want at most 16"},
	} {
		var b board
		err := Load("good.toml", []byte(good), &b, c.set)
		want := strings.TrimPrefix(c.want, "corner = [1]: ")
		assert.EqualErrorf(t, err, "--set "+c.set+": "+want, "%s", c.set)
	}
}

func TestAllFaultsAtOnceInOrder(t *testing.T) {
	var b board
	err := Load("x.toml", []byte(`seed = 300
[dram]
channels = 3
size = 12
clok = "1GHz"
`), &b, "dram.margin=wide", "nam=x")
	var faults Faults
	require.ErrorAs(t, err, &faults)
	var fault *Fault
	require.ErrorAs(t, err, &fault)
	assert.Equal(t, "seed", fault.Key)
	assert.Equal(t, strings.TrimSpace(`
x.toml:1: seed = 300: want an integer from 0 to 255
x.toml:3: dram.channels = 3: want a power of two from 1 to 32
x.toml:4: dram.size = 12: want a size with its unit, in quotes, such as "64KiB"
x.toml:5: dram.clok = "1GHz": no such key; did you mean dram.clock?
--set dram.margin=wide: want a number
--set nam=x: no such key; did you mean name?`), err.Error(), "and nothing of what Validate says of dram.size, which could not be read")
}

func TestAMisspeltKeyIsOneFault(t *testing.T) {
	b := board{DRAM: dram{Size: sim.GiB}}
	err := Load("x.toml", []byte("dram.chanels = 4"), &b)
	assert.EqualError(t, err, "x.toml:1: dram.chanels = 4: no such key; did you mean dram.channels?")
}

func TestFaultsWithoutAKeyNameTheFile(t *testing.T) {
	b := board{hidden: 1, DRAM: dram{Channels: 1, Size: 1}}
	assert.EqualError(t, Load("x.toml", nil, &b), "x.toml: hidden is set\nx.toml: dram.size = \"1B\": want at least 1MiB")
	err := Load("x.toml", []byte("\n[dram]\nchannels = 2"), &b)
	assert.ErrorContains(t, err, "x.toml:2: dram.size = \"1B\": want at least 1MiB", "the table's line")
}

func TestSourcesOverrideEachOther(t *testing.T) {
	var b board
	err := LoadAll(&b, []Source{{"base.toml", []byte(good)}, {"top.toml", []byte("[dram]\nchannels = 3\n[[link]]\nlanes = 1\nname = \"only\"")}},
		[]string{"dram.size=1B"}, true)
	assert.EqualError(t, err, "top.toml:2: dram.channels = 3: want a power of two from 1 to 32\n--set dram.size=1B: want at least 1MiB")
	assert.Equal(t, []link{{1, "only"}}, b.Links, "a list is replaced whole")
	assert.EqualValues(t, 1600e6, b.DRAM.Clock)
}

func TestCompleteWantsEveryKey(t *testing.T) {
	b := board{}
	err := LoadAll(&b, []Source{{"x.toml", []byte("[[link]]\nlanes = 1\n[cost]\n")}}, nil, true)
	assert.EqualError(t, err, strings.TrimSpace(`
x.toml: dram: the table is missing; its keys: channels, size, clock, peak, refresh, margin, policy
x.toml: name: missing; text: What it is called.
x.toml:1: link[0].name: missing; text
x.toml:3: cost.irq: missing; duration: One interrupt.`))
	err = LoadAll(&b, []Source{{"x.toml", []byte("[dram]\nchannels = 1\nsize = \"1GiB\"\nclock = \"1Hz\"\npeak = \"1B/s\"\nrefresh = true\nmargin = 1")}},
		[]string{"name=x", "dram.policy=open"}, true)
	assert.NoError(t, err)
}

func TestEncodeRoundTrips(t *testing.T) {
	want := loadGood(t)
	var text bytes.Buffer
	require.NoError(t, Encode(&text, want))
	assert.Contains(t, text.String(), `size = "2GiB"`)
	assert.Contains(t, text.String(), `peak = "51200MB/s"`)
	var got board
	require.NoErrorf(t, Load("again", text.Bytes(), &got), "%s", &text)
	assert.Equal(t, want, got)
}

// Any configuration reads back as it was written.
func TestAnyConfigurationRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.IntRange(0, 3)
		want := board{
			Name: rapid.String().Draw(t, "name"), Note: rapid.StringMatching(`[\x20-\x7e\n\t]*`).Draw(t, "note"),
			DRAM: dram{
				Channels: 1 << rapid.IntRange(0, 5).Draw(t, "channels"), Size: sim.Bytes(rapid.Int64Min(int64(sim.MiB)).Draw(t, "size")),
				Clock: sim.Hertz(rapid.Int64Min(0).Draw(t, "clock")), Peak: sim.Rate(rapid.Int64Min(0).Draw(t, "peak")),
				Refresh: rapid.Bool().Draw(t, "refresh"), Margin: rapid.Float32Range(-1e30, 1e30).Draw(t, "margin"), Policy: "closed",
			},
			Corner: [2]int{rapid.Int().Draw(t, "x"), rapid.Int().Draw(t, "y")},
			common: common{Seed: rapid.Uint8().Draw(t, "seed"), Signed: rapid.Int8().Draw(t, "signed"), Wide: rapid.Uint64Max(math.MaxInt64).Draw(t, "wide")},
		}
		for range small.Draw(t, "links") {
			want.Links = append(want.Links, link{rapid.IntRange(-9, 16).Draw(t, "lanes"), rapid.String().Draw(t, "link")})
			want.Ratios = append(want.Ratios, rapid.Float64Range(-1e300, 1e300).Draw(t, "ratio"))
			want.Windows = append(want.Windows, sim.Time(rapid.Int64Min(0).Draw(t, "window")))
		}
		if n := small.Draw(t, "free"); n > 0 {
			want.Free = map[string]any{rapid.String().Draw(t, "key"): int64(n)}
		}
		var text bytes.Buffer
		require.NoError(t, Encode(&text, want))
		var got board
		require.NoErrorf(t, Load("again", text.Bytes(), &got), "%s", &text)
		require.Equalf(t, want, got, "%s", &text)
	})
}

func TestKeys(t *testing.T) {
	keys := Keys(&board{DRAM: dram{Channels: 4, Size: sim.GiB}, Windows: []sim.Time{1000}})
	byPath := map[string]Key{}
	for _, k := range keys {
		byPath[k.Path] = k
	}
	assert.Equal(t, Key{"dram.channels", "integer", "channels", "4", "Independent channels."}, byPath["dram.channels"])
	assert.Equal(t, Key{"dram.size", "size", "B, kB, KiB, MB, MiB, GB, GiB, TB, TiB", `"1GiB"`, "Capacity."}, byPath["dram.size"])
	assert.Equal(t, Key{"windows", "list of durations", "ps, ns, us, ms, s", `["1ns"]`, ""}, byPath["windows"])
	assert.Equal(t, "integer", byPath["link[].lanes"].Type)
	assert.Equal(t, "integer", byPath["seed"].Type, "of an embedded struct")
	assert.NotContains(t, byPath, "Skip")
	assert.Equal(t, "name", keys[0].Path, "in the order of the struct")
}

func TestReference(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Reference(&b, board{}))
	assert.Contains(t, b.String(), "## `[dram]`\n\n| key | type | example | meaning |\n|---|---|---|---|\n| `channels` | integer (channels) | `0` | Independent channels. |\n")
	assert.Contains(t, b.String(), "## `[[link]]`")
	assert.True(t, strings.HasPrefix(b.String(), "## At the top\n"))
}

func TestOurOwnDefectsPanic(t *testing.T) {
	var noTag struct{ A int }
	assert.Panics(t, func() { _ = Load("x", []byte("a = 1"), &noTag) })
	var channel struct {
		A chan int `toml:"a"`
	}
	assert.Panics(t, func() { _ = Load("x", []byte("a = 1"), &channel) })
}
