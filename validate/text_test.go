package validate

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var some = []Table{
	{Name: "fine", Source: "theirs", Points: 12, MeanPct: 0.25, P90Pct: 1.5, WorstPct: 2, WorstPoint: "a 1", Target: "mean ≤ 1 %", Pass: true},
	{Name: "exact", Source: "theirs", Points: 3, Target: "worst ≤ 0 %", Pass: true},
	{Name: "printed", Source: "ours | theirs", Points: 3, MeanPct: 1e-7, P90Pct: 10, WorstPct: 12, WorstPoint: "b", Pass: true},
	{Name: "bad", Source: "theirs", Points: 9, MeanPct: 11, P90Pct: 12, WorstPct: 13, WorstPoint: "c", R2: 0.9, Target: "mean ≤ 9 %, R² > 0.93"},
}

func TestWriteText(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteText(&b, some))
	assert.Equal(t, `model    points  mean      p90       worst           target
fine     12      0.250 %   1.500 %   2.000 % at a 1  mean ≤ 1 %
exact    3       0 %       0 %       0 %             worst ≤ 0 %
printed  3       <0.001 %  10.000 %  12.000 % at b   none set
bad      9       11.000 %  12.000 %  13.000 % at c   mean ≤ 9 %, R² > 0.93: MISSED (R² 0.9000)
`, b.String())
}

func TestWriteMarkdown(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteMarkdown(&b, some[:2], some[3:]))
	assert.Contains(t, b.String(), "| fine | theirs | 12 | 0.250 % | 1.500 % | 2.000 % at a 1 | mean ≤ 1 % |\n")
	assert.Contains(t, b.String(), "| bad | theirs | 9 |")
	assert.Contains(t, b.String(), "recorded by")
	b.Reset()
	require.NoError(t, WriteMarkdown(&b, some[:2], nil))
	assert.NotContains(t, b.String(), "recorded by")
}

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, WriteJSON(&b, some, false))
	var got struct {
		Tables []Table
		Pass   bool
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &got))
	assert.Equal(t, some, got.Tables)
	assert.False(t, got.Pass)
	assert.True(t, Passed(some[:3]))
	assert.False(t, Passed(nil))

	b.Reset()
	require.NoError(t, WriteJSON(&b, some[:1], true))
	assert.Contains(t, b.String(), `"pass":false,"interrupted":true}`, "what is not all has not passed")
	b.Reset()
	require.NoError(t, WriteJSON(&b, nil, true))
	assert.Contains(t, b.String(), `{"tables":[],`)
}
