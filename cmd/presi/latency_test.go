package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLatency(t *testing.T) {
	got := in(t, "latency -c tiny")
	require.Zero(t, got.code, got.err)
	assert.Contains(t, got.out, "ring entry fetched")
	assert.Contains(t, got.out, "the job ")

	got = in(t, "latency -c tiny --json")
	require.Zero(t, got.code)
	var stages []struct {
		Name string `json:"name"`
		Time int64  `json:"time_ps"`
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &stages))
	var sum int64
	for _, s := range stages {
		sum += s.Time
	}
	assert.Greater(t, len(stages), 5)
	assert.Positive(t, sum)

	got = in(t, "latency -c huge")
	assert.Equal(t, 2, got.code)
	assert.Contains(t, got.err, "no such machine")
}
