package embed

import (
	"context"
	"math"
	"strings"
	"unicode"
)

// Dimensions of the built-in embedder's vectors.
const Dimensions = 256

// Weights of the kinds of features. Trigrams are many, so each counts for less; they let inflected and misspelt words
// meet.
const (
	wordWeight    = 1.0
	pairWeight    = 0.7
	trigramWeight = 0.3
)

// Hashing embeds texts by feature hashing. The zero value is ready to use.
type Hashing struct{}

// Model names the features: vectors of another name must not be compared with these.
func (Hashing) Model() string { return "assay-hashing-256-v1" }

// Dimensions returns the length of the vectors.
func (Hashing) Dimensions() int { return Dimensions }

// Floor is the cosine from which on two texts share more than chance puts into the same places.
func (Hashing) Floor(string) float64 { return 0.1 }

// Embed returns a vector of length 1 for each text, the zero vector for a text without letters and digits.
func (Hashing) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		vectors[i] = hashText(text)
	}
	return vectors, nil
}

func hashText(text string) []float32 {
	var sums [Dimensions]float64
	previous := uint64(0)
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), isSeparator) {
		hash := hashFeature('w', word)
		add(&sums, hash, wordWeight)
		if previous != 0 {
			add(&sums, mix(previous*3+hash), pairWeight)
		}
		previous = hash
		addTrigrams(&sums, "^"+word+"$")
	}
	return normalise(&sums)
}

func isSeparator(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// addTrigrams adds every three neighbouring characters of a word whose ends are marked.
func addTrigrams(sums *[Dimensions]float64, word string) {
	var starts [3]int // of the last three characters
	seen := 0
	for i := range word {
		if seen >= 3 {
			add(sums, hashFeature('t', word[starts[seen%3]:i]), trigramWeight)
		}
		starts[seen%3] = i
		seen++
	}
	if seen >= 3 {
		add(sums, hashFeature('t', word[starts[seen%3]:]), trigramWeight)
	}
}

// add adds a feature with a sign of its own, so that those which meet in one place cancel out on average.
func add(sums *[Dimensions]float64, hash uint64, weight float64) {
	if hash>>63 == 1 {
		weight = -weight
	}
	sums[hash%Dimensions] += weight
}

// hashFeature is FNV-1a over the kind and the feature, mixed so that every bit depends on every byte.
func hashFeature(kind byte, feature string) uint64 {
	hash := uint64(14695981039346656037)
	hash = (hash ^ uint64(kind)) * 1099511628211
	for i := range len(feature) {
		hash = (hash ^ uint64(feature[i])) * 1099511628211
	}
	return mix(hash)
}

// mix is the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func normalise(sums *[Dimensions]float64) []float32 {
	var square float64
	for _, v := range sums {
		square += float64(v * v) // rounded before the sum, on every machine alike
	}
	vector := make([]float32, Dimensions)
	if square == 0 {
		return vector
	}
	length := math.Sqrt(square)
	for i, v := range sums {
		vector[i] = float32(v / length)
	}
	return vector
}
