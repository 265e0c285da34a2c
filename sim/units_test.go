package sim

import (
	"encoding"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseUnits(t *testing.T) {
	for text, want := range map[string]Bytes{
		"0B": 0, "64KiB": 65536, "1.5 KiB": 1536, "1GB": 1e9, "16GiB": 16 * GiB, "1_024B": 1024,
		" 3MiB ": 3 * MiB, ".5kB": 500, "8TiB": 8 << 40, "0.000001MB": 1,
	} {
		got, err := ParseBytes(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	hz, err := ParseHertz("1.2GHz")
	require.NoError(t, err)
	assert.Equal(t, Hertz(1_200_000_000), hz)
	rate, err := ParseRate("900GB/s")
	require.NoError(t, err)
	assert.Equal(t, Rate(900e9), rate)
	for text, want := range map[string]Time{"350ns": 350000, "1.5us": 1500000, "2µs": 2000000, "7.8125ms": 7812500000, "3s": 3 * Second, "9ps": 9} {
		got, err := ParseTime(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestParseUnitsRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"64":         "the unit is missing",
		"":           "the unit is missing",
		"KiB":        "no decimal number stands before the unit",
		"64KB":       "unknown unit KB (one of TiB, GiB, MiB, KiB, TB, GB, MB, kB, B)",
		"1.5B":       "it is not a whole number of B that fits 63 bits",
		"9000000TiB": "it is not a whole number of B that fits 63 bits",
		"-1KiB":      "no decimal number stands before the unit",
		"1e3B":       "no decimal number stands before the unit",
		"4/2B":       "no decimal number stands before the unit",
		"0x10B":      "no decimal number stands before the unit",
		"1.2.3B":     "no decimal number stands before the unit",
		".B":         "no decimal number stands before the unit",
		"_1B":        "no decimal number stands before the unit",
	} {
		_, err := ParseBytes(text)
		assert.EqualError(t, err, `"`+text+`" is not a size: `+why+`; write it like "64KiB"`, text)
	}
	_, err := ParseRate("900Gbps")
	assert.ErrorContains(t, err, "is not a bandwidth: unknown unit Gbps")
	_, err = ParseHertz("1GB")
	assert.ErrorContains(t, err, "is not a frequency")
	_, err = ParseTime("0.5ps")
	assert.ErrorContains(t, err, "is not a duration")
}

func TestUnitsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64Range(0, int64(Never)).Draw(t, "v") >> rapid.IntRange(0, 62).Draw(t, "shift")
		v -= v % rapid.SampledFrom([]int64{1, 1000, 1e6, 1e9, 1024, 1 << 20, 1 << 30}).Draw(t, "round")
		b, h, r, d := Bytes(v), Hertz(v), Rate(v), Time(v)
		var b2 Bytes
		var h2 Hertz
		var r2 Rate
		var d2 Time
		roundTrip(t, b, &b2)
		roundTrip(t, h, &h2)
		roundTrip(t, r, &r2)
		roundTrip(t, d, &d2)
		assert.Equal(t, []any{b, h, r, d}, []any{b2, h2, r2, d2})
	})
}

func roundTrip(t require.TestingT, from encoding.TextMarshaler, to encoding.TextUnmarshaler) {
	text, err := from.MarshalText()
	require.NoError(t, err)
	require.NoError(t, to.UnmarshalText(text), string(text))
}

func TestUnitsFormatIsShort(t *testing.T) {
	for want, v := range map[string]interface{ String() string }{
		"64KiB": 64 * KiB, "1500kB": Bytes(1500000), "1kB": Bytes(1000), "1023B": Bytes(1023), "0B": Bytes(0), "2GiB": 2 * GiB,
		"940MHz": Hertz(940e6), "900GB/s": Rate(900e9), "1KiB/s": Rate(1024), "350ns": 350 * Nanosecond, "2us": 2 * Microsecond,
		"1063ps": Time(1063), "-5ns": -5 * Nanosecond,
	} {
		assert.Equal(t, want, v.String())
	}
}

// FuzzParseBytes looks for text that parses, and does not mean what it prints.
func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"64KiB", "1.5 GB", "1__0B", "9223372036854775807B", "1e99999999B", "..B", "٣B", "0.0000001TiB"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBytes(s)
		if err != nil {
			assert.Zero(t, b)
			assert.True(t, strings.HasSuffix(err.Error(), `write it like "64KiB"`))
			return
		}
		again, err := ParseBytes(b.String())
		require.NoError(t, err)
		assert.Equal(t, b, again)
		assert.GreaterOrEqual(t, b, Bytes(0))
	})
}

func TestTimeIsANumberInJSON(t *testing.T) {
	b, err := json.Marshal(struct {
		T Time `json:"sim_time_ps"`
	}{1500})
	require.NoError(t, err)
	require.Equal(t, `{"sim_time_ps":1500}`, string(b))
	var back Time
	require.NoError(t, json.Unmarshal([]byte("1500"), &back))
	require.EqualValues(t, 1500, back)
	require.ErrorContains(t, json.Unmarshal([]byte(`"1500ps"`), &back), "picoseconds")
}
