package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommittedSourceIsCurrent(t *testing.T) {
	committed, err := os.ReadFile("../../kernels_amd64.s")
	require.NoError(t, err)
	require.Equal(t, string(Source()), string(committed), "run go generate ./hw/kern")
}
