package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
)

// badRegistry fails in every way.
type badRegistry struct{ calm }

func (badRegistry) Prepare(_ context.Context, r *Run) error {
	r.Registry.Be(append([]Mood{Well}, Moods...)...)
	return nil
}

// Strike changes its mood, at times to several at once.
func (badRegistry) Strike(_ context.Context, r *Run) error {
	moods := []Mood{Moods[r.Rng.IntN(len(Moods))]}
	if r.Rng.IntN(2) == 0 {
		moods = append([]Mood{Well}, Moods...)
	}
	r.Registry.Be(moods...)
	return nil
}

func (badRegistry) Heal(_ context.Context, r *Run) error {
	r.Registry.Be(Well)
	r.Note("%d requests failed", r.Registry.Met())
	return nil
}

// badEmbeddings is an embedding endpoint that fails in every way.
type badEmbeddings struct {
	calm
	endpoint *peer
}

const embeddingDimensions = 8

func (b *badEmbeddings) Prepare(_ context.Context, r *Run) error {
	b.endpoint = newPeer(rand.New(rand.NewPCG(r.Seed, 5)), embed)
	r.Cleanup(func() error { b.endpoint.Close(); return nil })
	r.Settings = []string{
		"--embeddings", b.endpoint.URL + "/v1/embeddings", "--embeddings-model", "torture",
		"--embeddings-dimensions", strconv.Itoa(embeddingDimensions), "--embeddings-timeout", endpointWait,
	}
	return nil
}

func (b *badEmbeddings) Strike(_ context.Context, r *Run) error {
	b.endpoint.Be(Moods[r.Rng.IntN(len(Moods))], Moods[r.Rng.IntN(len(Moods))], Well)
	return nil
}

func (b *badEmbeddings) Heal(ctx context.Context, r *Run) error {
	wait(ctx, 3*hangTime) // episodes are embedded a while after they came
	b.endpoint.Be(Well)
	r.Note("%d requests failed", b.endpoint.Met())
	return nil
}

// embed answers as OpenAI's /v1/embeddings does, with a vector that is a function of the text's length.
func embed(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Input []string `json:"input"`
		Model string   `json:"model"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, fmt.Sprintf(`{"error":{"message":%q}}`, err), http.StatusBadRequest)
		return
	}
	type embedding struct {
		Object    string    `json:"object"`
		Index     int       `json:"index"`
		Embedding []float32 `json:"embedding"`
	}
	answer := struct {
		Object string      `json:"object"`
		Model  string      `json:"model"`
		Data   []embedding `json:"data"`
	}{Object: "list", Model: request.Model}
	for i, text := range request.Input {
		vector := make([]float32, embeddingDimensions)
		vector[len(text)%embeddingDimensions] = 1
		answer.Data = append(answer.Data, embedding{"embedding", i, vector})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
