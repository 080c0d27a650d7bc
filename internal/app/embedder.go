package app

import (
	"context"
	"errors"
	"time"

	"assay/internal/config"
	"assay/internal/embed"
	"assay/sovereign/schema"
)

// embedBackoff is the first wait after an endpoint that is unavailable.
const embedBackoff = 500 * time.Millisecond

// openEmbedder takes the configured endpoint or model, else what the program was built with.
func (p *Pipeline) openEmbedder(context.Context) (err error) {
	c := p.opts.Config.Embeddings
	switch {
	case c.URL != "":
		return p.openEndpoint(c)
	case c.ModelDir != "":
		var model *embed.Static
		if model, err = embed.OpenStatic(c.ModelDir); err == nil {
			p.embedder, p.closeEmbedder = model, model.Close
		}
		return err
	default:
		p.embedder, err = builtIn()
		return err
	}
}

// builtIn is the static model that the program was built with, else feature hashing.
func builtIn() (schema.Embedder, error) {
	model, err := embed.BuiltIn()
	if errors.Is(err, embed.ErrNoModel) {
		return embed.Hashing{}, nil
	}
	return model, err
}

func (p *Pipeline) openEndpoint(c config.Embeddings) error {
	endpoint, err := embed.NewEndpoint(embed.Options{
		URL: c.URL, Model: c.Model, Dimensions: c.Dimensions, Shorten: c.Shorten, KeyFile: c.KeyFile, BatchTexts: c.Batch,
		Rate: c.Rate, Timeout: c.Timeout, Attempts: c.Attempts, BackoffMin: embedBackoff,
	})
	if err != nil {
		return err
	}
	p.embedder = endpoint
	return nil
}

// flushed is the embedder that flushes wait for: the built-in one, which is fast, or none.
func (p *Pipeline) flushed() schema.Embedder {
	if p.opts.Config.Embeddings.URL == "" {
		return p.embedder
	}
	return embed.Later{Of: p.embedder, Wake: p.vectors.Wake}
}

// fitVectors lays the table of episodes anew if its vectors have another length than the embedder's. Gold then writes its
// rows again. If that is interrupted, the next start finds either the old length and begins again, or the new one and the
// marks of the rows that are still to be written.
func (p *Pipeline) fitVectors(ctx context.Context) error {
	have, want := p.store.Dimensions(), p.embedder.Dimensions()
	if have == want {
		return nil
	}
	p.opts.Logger.Info("laying episodes anew for vectors of another length", "model", p.embedder.Model(), "was", have, "is", want)
	if err := p.gold.RewriteEpisodes(ctx); err != nil {
		return err
	}
	return p.store.Reshape(ctx, want)
}

// ensureVectorIndex builds the index of vectors where it is missing or of another model.
func (p *Pipeline) ensureVectorIndex(ctx context.Context) error {
	if !p.leads() {
		return nil
	}
	return p.upkeepStore().EnsureVectorIndex(ctx, p.embedder.Model())
}
