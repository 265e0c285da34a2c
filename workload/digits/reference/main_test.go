package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStoredPredictions runs the program again: its answer is the stored file.
func TestStoredPredictions(t *testing.T) {
	stored, err := os.ReadFile(filepath.Join("..", "data", "predictions.csv"))
	require.NoError(t, err)
	var now bytes.Buffer
	predict(&now)
	assert.Equal(t, string(stored), now.String(), "run go run ./workload/digits/reference after training")
}

func TestBest(t *testing.T) {
	class, margin := best([]float64{-3, 2, 5, 4.5})
	assert.Equal(t, 2, class)
	assert.Equal(t, 0.5, margin)
}
