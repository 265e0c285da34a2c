// Package refs is the data that models are held against: measurements and
// results of simulators, models and devices that are not part of this project.
// README.md says for each file where it comes from.
package refs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

//go:embed dram/*.csv pcie/*.csv iommu/*.jsonl.gz systolic/*.csv gemmini/*.csv
var shipped embed.FS

// TPU is a reference that is not shipped, as it has no licence.
const TPU = "tpu_v4/gemm.csv"

// Names lists every file that is looked for.
func Names() (names []string) {
	err := fs.WalkDir(shipped, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		panic(err) // it is embedded
	}
	return append(names, TPU)
}

// Files are references by name, as "dram/ramulator2.csv".
type Files struct{ dir fs.FS }

// In returns the shipped files, over which those of a folder of the same layout
// take precedence; it may have more, and must have one. Without a folder the name
// is empty.
func In(dir string) (Files, error) {
	if dir == "" {
		return Files{}, nil
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return Files{}, fmt.Errorf("%s: is no folder: %w", dir, errors.Unwrap(err))
	case !info.IsDir():
		return Files{}, fmt.Errorf("%s: is no folder", dir)
	}
	files := Files{os.DirFS(dir)}
	if !slices.ContainsFunc(Names(), files.own) {
		return Files{}, fmt.Errorf("%s: has none of the files looked for: %s", dir, strings.Join(Names(), ", "))
	}
	return files, nil
}

// own reports a file of the folder.
func (f Files) own(name string) bool {
	_, err := fs.Stat(f.dir, name)
	return err == nil
}

// Open opens a file; the error of one that is nowhere is fs.ErrNotExist.
func (f Files) Open(name string) (fs.File, error) {
	if f.dir != nil {
		if file, err := f.dir.Open(name); !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return shipped.Open(name)
}

// Read returns a file's bytes.
func (f Files) Read(name string) ([]byte, error) {
	if f.dir != nil {
		if b, err := fs.ReadFile(f.dir, name); !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return shipped.ReadFile(name)
}

// Has reports whether there is such a file.
func (f Files) Has(name string) bool {
	file, err := f.Open(name)
	if err == nil {
		file.Close()
	}
	return err == nil
}
