package configs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// rig is a machine of two keys.
type rig struct {
	Base        string `toml:"base,omitempty"`
	Description string `toml:"description,omitempty"`
	Fast        struct {
		Lanes int `toml:"lanes"`
		Depth int `toml:"depth"`
	} `toml:"fast"`
}

// files writes files into a fresh folder and returns it.
func files(t *testing.T, contents map[string]string) string {
	dir := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

func TestResolveFollowsBases(t *testing.T) {
	dir := files(t, map[string]string{
		"root.toml":    "[fast]\nlanes = 1\ndepth = 1",
		"sub/mid.toml": "base = \"../root.toml\"\nfast.lanes = 2",
		"top.toml":     "# x\nbase = \"sub/mid.toml\"\n",
	})
	var r rig
	require.NoError(t, Resolve(filepath.Join(dir, "top.toml"), &r, "fast.depth=9"))
	assert.Equal(t, 2, r.Fast.Lanes)
	assert.Equal(t, 9, r.Fast.Depth)
}

func TestResolveFaults(t *testing.T) {
	dir := files(t, map[string]string{
		"half.toml":  "\n[fast]\nlanes = 1",
		"wrong.toml": "base = \"half.toml\"\n[fast]\nlanes = \"1\"",
		"lost.toml":  "\nbase = \"nowhere.toml\"",
		"typo.toml":  "base = \"egde\"",
		"odd.toml":   "base = 3",
		"a.toml":     "base = \"b.toml\"",
		"b.toml":     "base = \"./a.toml\"",
		"syntax":     "[fast\n",
	})
	for file, want := range map[string]string{
		"half.toml":  "DIR/half.toml:2: fast.depth: missing; integer",
		"wrong.toml": "DIR/wrong.toml:2: fast.depth: missing; integer\nDIR/wrong.toml:3: fast.lanes = \"1\": want an integer",
		"lost.toml":  "DIR/lost.toml:2: base = \"nowhere.toml\": cannot read it: open DIR/nowhere.toml: no such file or directory",
		"typo.toml":  "DIR/typo.toml:1: base = \"egde\": no such machine; did you mean edge?; there are " + machineNames() + ", or give a TOML file",
		"odd.toml":   "DIR/odd.toml: fast: the table is missing; its keys: lanes, depth\nDIR/odd.toml:1: base = 3: want text, in quotes",
		"a.toml":     "DIR/b.toml:1: base = \"./a.toml\": DIR/a.toml is built on this file",
		"syntax":     "DIR/syntax:1: not TOML: expected '.' or ']' to end table name, but got '\\n' instead",
		"none.toml":  "DIR/none.toml: cannot read it: open DIR/none.toml: no such file or directory",
	} {
		var r rig
		err := Resolve(filepath.Join(dir, file), &r)
		require.Errorf(t, err, "%s", file)
		assert.Equal(t, want, strings.ReplaceAll(err.Error(), dir, "DIR"), file)
	}
	var r rig
	assert.EqualError(t, Resolve("egde", &r), "egde: no such machine; did you mean edge?; there are "+machineNames()+", or give a TOML file")
}

// A machine file that forgot its base gets one message, beside what is wrong
// with the values that it has.
func TestMachineWithoutABase(t *testing.T) {
	dir := files(t, map[string]string{
		"x.toml":   "[dram]\nchannels = 3.5\n",
		"y.toml":   "base = \"edge\"\n[dram]\nchannels = 2\n",
		"all.toml": strings.ReplaceAll(string(mustText(t, "edge")), "[vector]", "[vektor]"),
	})
	_, err := Machine(filepath.Join(dir, "x.toml"))
	require.Error(t, err)
	lines := strings.Split(strings.ReplaceAll(err.Error(), dir, "DIR"), "\n")
	require.Len(t, lines, 2)
	assert.Regexp(t, `^DIR/x\.toml: no base and \d+ tables are missing \(core, array, \w+, …\): begin with base = "edge" to say only what differs$`, lines[0])
	assert.Equal(t, "DIR/x.toml:2: dram.channels = 3.5: want an integer", lines[1])
	_, err = Machine(filepath.Join(dir, "y.toml"))
	require.NoError(t, err)
	_, err = Machine(filepath.Join(dir, "all.toml"))
	require.ErrorContains(t, err, "no such key; did you mean vector?")
	assert.NotContains(t, err.Error(), "no base")
}

func mustText(t *testing.T, name string) []byte {
	text, ok := Text(name)
	require.True(t, ok)
	return text
}

func TestListNamesTheShippedMachines(t *testing.T) {
	var names []string
	for _, m := range List() {
		names = append(names, m.Name)
		assert.NotEmpty(t, m.Description)
	}
	assert.Subset(t, names, []string{"datacenter", "edge", "tiny"})
	assert.IsIncreasing(t, names)
	_, ok := Text("../machines/edge")
	assert.False(t, ok)
}

// Every value says where it comes from.
func TestEveryShippedValueHasItsSource(t *testing.T) {
	value := regexp.MustCompile(`^\w+ = (".*?"|[^ #"]+) +# \S+.*`)
	for _, m := range List() {
		text, ok := Text(m.Name)
		require.True(t, ok)
		for i, line := range strings.Split(string(text), "\n") {
			if line == "" || line[0] == '#' || line[0] == '[' {
				continue
			}
			assert.Regexpf(t, value, line, "%s.toml:%d", m.Name, i+1)
		}
	}
}

// machineNames lists the names of the shipped machines as messages do.
func machineNames() string {
	var names []string
	for _, m := range List() {
		names = append(names, m.Name)
	}
	return strings.Join(names, ", ")
}
