package configs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/presi-sim/presi/hw/fault"
	"github.com/presi-sim/presi/sim"
)

// A fault on the command line is read as one in a file.
func TestInjection(t *testing.T) {
	var c Config
	require.NoError(t, c.Inject("kind=parity"))
	require.NoError(t, c.Inject("kind=engine-slow, target=1,count=3,probability=0.5,at=2us,duration=350ns,times=-1"))
	want := fault.Spec{Kind: "engine-slow", Target: fault.On(1), Count: 3, Probability: 0.5, At: 2 * sim.Microsecond,
		Duration: 350 * sim.Nanosecond, Times: fault.Unlimited}
	require.Equal(t, []fault.Spec{{Kind: "parity"}, want}, c.Faults)
}

func TestBadInjections(t *testing.T) {
	for text, want := range map[string][]string{
		"":                           {"--fault : want key=value"},
		"dma-error":                  {"--fault dma-error: want key=value,…, such as kind=dma-error,count=3"},
		"count=3":                    {`--fault count=3: kind = "": want one of all-ones, `},
		"kind=dma-eror":              {`--fault kind=dma-eror: kind = "dma-eror": want one of all-ones, `},
		"kind=dma-error,cuont=3":     {`cuont = "3": no such key; did you mean count?`},
		"kind=dma-error,count=many":  {`count = "many": want an integer`},
		"kind=dma-error,at=5":        {`at = "5": `},
		"kind=dma-error,duration=-1": {`duration = "-1": `},
		"kind=dma-error,kind=parity": {`kind = "parity": is there twice`},
		"kind=dma-error,target=x,space=-1,probability=2": {"target = ", `space = -1: want 0 or more`, "probability = 2"},
	} {
		var c Config
		err := c.Inject(text)
		assert.Empty(t, c.Faults)
		var faults Faults
		require.ErrorAs(t, err, &faults, text)
		assert.Len(t, faults, len(want), "%s: %v", text, err)
		for _, w := range want {
			assert.ErrorContains(t, err, w)
		}
	}
}
