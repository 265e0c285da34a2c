// Package refs is the data that models are held against: measurements and
// results of simulators, models and devices that are not part of this project.
// README.md says for each file where it comes from.
package refs

import (
	"embed"
	"errors"
	"io/fs"
	"os"
)

//go:embed dram/*.csv pcie/*.csv iommu/*.jsonl.gz systolic/*.csv gemmini/*.csv
var shipped embed.FS

// Files are references by name, as "dram/ramulator2.csv".
type Files struct{ dir fs.FS }

// In returns the shipped files, over which those of a folder of the same layout
// take precedence; it may have more. Without a folder the name is empty.
func In(dir string) (Files, error) {
	if dir == "" {
		return Files{}, nil
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a folder")}
	}
	return Files{os.DirFS(dir)}, err
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
