package configs

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

// Object returns a configuration as a JSON object of its sections, quantities as
// text with their units: what is stored with a result.
func Object(v any) (map[string]any, error) {
	var text bytes.Buffer
	if err := Encode(&text, v); err != nil {
		return nil, err
	}
	var m map[string]any
	if _, err := toml.Decode(text.String(), &m); err != nil {
		return nil, fmt.Errorf("resolved configuration: %w", err)
	}
	return m, nil
}
