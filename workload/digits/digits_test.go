package digits

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestFilesAreTheStoredOnes pins the data: the images as distributed, and the
// weights that the stored predictions belong to.
func TestFilesAreTheStoredOnes(t *testing.T) {
	for _, c := range []struct {
		name, sum string
		file      []byte
	}{
		{"digits.csv.gz", "46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a", imageFile},
		{"weights.f32", "776798aded99f7a3a95ed7e37163e7851b8a97d5fdc2af58c429eff96973d25a", weightFile},
	} {
		sum := sha256.Sum256(c.file)
		assert.Equal(t, c.sum, hex.EncodeToString(sum[:]), c.name)
	}
}

func TestSplit(t *testing.T) {
	test, train := Test(), Training()
	assert.Equal(t, 360, test.Len())
	assert.Equal(t, 1437, train.Len())
	// the first two lines of the file
	assert.Equal(t, 0, test.Labels[0])
	assert.Equal(t, 1, train.Labels[0])
	assert.Equal(t, []float32{0, 0, 5. / 16, 13. / 16, 9. / 16, 1. / 16, 0, 0}, test.Image(0)[:8])
	assert.Equal(t, []float32{0, 0, 0, 12. / 16, 13. / 16, 5. / 16, 0, 0}, train.Image(0)[:8])
	for _, s := range []Split{test, train} {
		assert.Len(t, s.Images, s.Len()*Pixels)
		seen := [Classes]int{}
		for _, l := range s.Labels {
			seen[l]++
		}
		for digit, n := range seen {
			assert.Greater(t, n, s.Len()/Classes/2, "digit %d", digit)
		}
	}
}

func TestWeightsFillTheFileAndAreExactInBfloat16(t *testing.T) {
	total := 0
	for _, l := range Layers {
		values, ok := Weights(l.Name)
		assert.True(t, ok)
		assert.Len(t, values, l.Elems(), l.Name)
		total += len(values)
		for _, v := range values {
			if math.Float32bits(v)&0xffff != 0 {
				t.Fatalf("%s: %g has more than eight significant bits", l.Name, v)
			}
		}
	}
	assert.Len(t, weightFile, 4*total)
	_, ok := Weights("conv3.weight")
	assert.False(t, ok)
}

func TestReferenceIsGoodAndDecided(t *testing.T) {
	predictions := Predictions()
	assert.Len(t, predictions, Test().Len())
	least := math.Inf(1)
	for i, p := range predictions {
		assert.Equal(t, i, p.Image)
		assert.Equal(t, Labels()[i], p.Label)
		least = min(least, p.Margin)
	}
	assert.GreaterOrEqual(t, Accuracy(Reference(), Labels()), 0.97)
	// Rounding to bfloat16 moves these logits by a few hundredths.
	assert.Greater(t, least, 0.25, "smallest margin of a logit over the second")
}

func TestRangesCoverTheActivations(t *testing.T) {
	assert.Len(t, Ranges(), 6)
	for name, r := range Ranges() {
		assert.Greater(t, r.Std, 0.0, name)
		assert.GreaterOrEqual(t, r.Max, math.Abs(r.Mean), name)
	}
}
