package configs

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/presi-sim/presi/configs/lines"
)

//go:embed machines
var shipped embed.FS

// names of the files that a machine file may start with.
type heading struct {
	Base        string `toml:"base"`
	Description string `toml:"description"`
}

// Summary is one line of the list of machines.
type Summary struct {
	Name        string
	Description string
}

// List returns the shipped machines by name.
func List() []Summary {
	entries, err := fs.ReadDir(shipped, "machines")
	if err != nil {
		panic(err) // it is embedded
	}
	list := make([]Summary, 0, len(entries))
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".toml")
		text, _ := Text(name)
		list = append(list, Summary{name, head(text).Description})
	}
	return list
}

// Text returns the file of a shipped machine, with its comments.
func Text(name string) ([]byte, bool) {
	text, err := fs.ReadFile(shipped, "machines/"+name+".toml")
	return text, err == nil
}

// Resolve reads a machine into a struct: a shipped one by its name, or a file.
// A file may begin with base = "edge" (a name, or a path beside it): what it
// does not say comes from there. Without a base it says everything.
func Resolve(nameOrPath string, into any, sets ...string) error {
	sources, lost := chain(nameOrPath)
	return load(into, sources, sets, true, lost).err()
}

// chain returns a machine's sources, the innermost base first, and what is wrong
// with one that cannot be had.
func chain(nameOrPath string) (sources []Source, lost Faults) {
	source, err := open(nameOrPath, "")
	if err != nil {
		return nil, Faults{{File: nameOrPath, Msg: err.Error()}}
	}
	sources = []Source{source}
	defer func() { slices.Reverse(sources) }()
	for {
		base := head(source.Text).Base
		if base == "" {
			return sources, nil
		}
		at := Fault{File: source.Name, Line: lines.Of(string(source.Text))["base"], Key: "base", Found: quoted(base)}
		source, err = open(base, filepath.Dir(source.Name))
		if err == nil && slices.ContainsFunc(sources, func(s Source) bool { return s.Name == source.Name }) {
			err = fmt.Errorf("%s is built on this file", source.Name)
		}
		if err != nil {
			at.Msg = err.Error()
			return sources, Faults{&at}
		}
		sources = append(sources, source)
	}
}

// open finds a machine: one of ours by name, else a file, beside dir if the
// path is relative.
func open(nameOrPath, dir string) (Source, error) {
	if text, ok := Text(nameOrPath); ok {
		return Source{nameOrPath + ".toml (shipped)", text}, nil
	}
	file := nameOrPath
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	text, err := os.ReadFile(file)
	if err == nil {
		return Source{file, text}, nil
	}
	if strings.HasSuffix(nameOrPath, ".toml") || strings.ContainsRune(nameOrPath, filepath.Separator) {
		return Source{}, fmt.Errorf("cannot read it: %w", err)
	}
	var ours []string
	for _, m := range List() {
		ours = append(ours, m.Name)
	}
	msg := "no such machine"
	if near := nearest(nameOrPath, ours); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return Source{}, fmt.Errorf("%s; there are %s, or give a TOML file", strings.TrimSuffix(msg, ";"), strings.Join(ours, ", "))
}

// head reads what is needed before the machine itself. Mistakes in it are
// reported when the whole file is loaded.
func head(text []byte) heading {
	var tree map[string]any
	if _, err := toml.Decode(string(text), &tree); err != nil {
		return heading{}
	}
	base, _ := tree["base"].(string)
	description, _ := tree["description"].(string)
	return heading{base, description}
}
