package embed

import "context"

// Later stands in for an embedder that may take long: it gives every text a nil vector at once and says that there is
// something to embed.
type Later struct {
	Of   interface{ Dimensions() int } // the embedder that is stood in for
	Wake func()                        // must not block
}

// Model names no vectors, since there are none.
func (Later) Model() string { return "" }

// Dimensions returns the length that the vectors will have.
func (l Later) Dimensions() int { return l.Of.Dimensions() }

// Embed returns a nil vector for each text.
func (l Later) Embed(_ context.Context, texts []string) ([][]float32, error) {
	l.Wake()
	return make([][]float32, len(texts)), nil
}
