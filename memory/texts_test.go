package memory

import (
	"context"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
)

// texts makes sentences: words by Zipf's law, drawn from one of many topics, as real texts cluster.
type texts struct{ words []string }

const (
	vocabulary  = 20_000
	topics      = 2_000
	topicWords  = 60
	textWords   = 25
	queryWords  = 8
	commonShare = 0.4
)

func newTexts() *texts {
	syllables := strings.Fields("ba ce di fo gu ka le mi no pu ra se ti vo xu za che dri flo gra")
	t := &texts{words: make([]string, vocabulary)}
	random := rand.New(rand.NewPCG(9, 10))
	for i := range t.words {
		for range 2 + random.IntN(3) {
			t.words[i] += syllables[random.IntN(len(syllables))]
		}
	}
	return t
}

func (t *texts) episode(r *rand.Rand) string { return t.sentence(r, textWords) }
func (t *texts) query(r *rand.Rand) string   { return t.sentence(r, queryWords) }

func (t *texts) sentence(r *rand.Rand, length int) string {
	topic := rand.New(rand.NewPCG(11, uint64(r.IntN(topics))))
	own := make([]int, topicWords)
	for i := range own {
		own[i] = topic.IntN(vocabulary)
	}
	zipf := rand.NewZipf(r, 1.2, 4, vocabulary-1)
	words := make([]string, length)
	for i := range words {
		if r.Float64() < commonShare {
			words[i] = t.words[zipf.Uint64()]
		} else {
			words[i] = t.words[own[r.IntN(topicWords)]]
		}
	}
	return strings.Join(words, " ")
}

// averages embeds a text as the average of its words' vectors, rare words counting more: the simplest of the dense models, and
// hard to beat (Arora, Liang, Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", ICLR 2017). Like those of
// other models, its vectors lie in clusters of a few dimensions.
type averages struct{ words map[string][]float32 }

const averageDimensions = 384

func newAverages(t *texts) *averages {
	a := &averages{words: make(map[string][]float32, len(t.words))}
	for i, word := range t.words {
		hash := fnv.New64a()
		hash.Write([]byte(word))
		random := rand.New(rand.NewPCG(hash.Sum64(), 12))
		vector := make([]float32, averageDimensions)
		weight := 1 - 1/math.Log(float64(i)+math.E*1.1) // texts draws early words most often
		for d := range vector {
			vector[d] = float32(weight * random.NormFloat64())
		}
		a.words[word] = vector
	}
	return a
}

func (*averages) Model() string   { return "averages" }
func (*averages) Dimensions() int { return averageDimensions }

func (a *averages) Embed(_ context.Context, texts []string) ([][]float32, error) {
	vectors := make([][]float32, len(texts))
	for i, text := range texts {
		vectors[i] = make([]float32, averageDimensions)
		for word := range strings.FieldsSeq(text) {
			for d, x := range a.words[word] {
				vectors[i][d] += x
			}
		}
	}
	return vectors, nil
}
