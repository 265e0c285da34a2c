package configs

import (
	"path/filepath"
	"strings"

	"github.com/presi-sim/presi/hw/host"
	"github.com/presi-sim/presi/hw/npu"
	"github.com/presi-sim/presi/mmu"
)

// Config is a whole machine: the device and the host around it. Each section is
// the Config of the block that it configures.
type Config struct {
	Base        string `toml:"base,omitempty" doc:"the machine this one starts from: a name, or a path beside the file" noset:"choose a machine with -c NAME or -c FILE"`
	Name        string `toml:"name,omitempty" doc:"what results call the machine; the file's name if it is not given"`
	Description string `toml:"description" doc:"one line for lists"`

	npu.Config // the sections of the device

	IOMMU mmu.IOMMUConfig `toml:"iommu"`
	Host  host.Config     `toml:"host"`
}

// Validate returns every fault of every section.
func (c *Config) Validate() []error {
	faults := c.Config.Validate()
	faults = append(faults, c.IOMMU.Validate()...)
	return append(faults, c.Host.Validate()...)
}

// Machine returns a shipped machine by name, or one from a file, with overrides
// "dram.channels=8" applied. The error is Faults.
func Machine(nameOrPath string, sets ...string) (*Config, error) {
	var c Config
	if err := Resolve(nameOrPath, &c, sets...); err != nil {
		return nil, err
	}
	if c.Name == "" {
		c.Name = strings.TrimSuffix(filepath.Base(nameOrPath), ".toml")
	}
	c.Base = "" // everything it gave is in c
	return &c, nil
}
