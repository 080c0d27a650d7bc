package gold

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/internal/tables"
)

// embedRows bounds the texts that are embedded at a time.
const embedRows = 512

// retelling is what the episodes of one entity are now, and how many the table may have.
type retelling struct {
	entity   *Entity
	episodes []episode
	was      uint64
}

// writeEpisodes writes the episodes of marked entities, as many as make up one write.
func (g *Gold) writeEpisodes(ctx context.Context, snapshot *pebble.Snapshot, due []mark) (taken int, err error) {
	var told []retelling
	for count := 0; taken < len(due) && count < embedRows; taken++ {
		t, err := retell(snapshot, due[taken].id)
		if err != nil {
			return 0, err
		}
		told = append(told, t)
		count += len(t.episodes)
	}
	fresh, known, err := g.episodeRows(ctx, told)
	if err != nil {
		return 0, err
	}
	defer fresh.Release()
	defer known.Release()

	intents, surplus := map[uuid.UUID]uint64{}, []uuid.UUID{}
	for _, t := range told {
		if n := uint64(len(t.episodes)); n > t.was {
			intents[t.entity.UUID] = n
		}
		for chunk := uint64(len(t.episodes)); chunk < t.was; chunk++ {
			surplus = append(surplus, episodeID(g.opts.Namespace, t.entity.UUID, int64(chunk)))
		}
	}
	if err := g.writeViews(ctx, dirtyEpisode, intents, fresh, known); err != nil {
		return 0, err
	}
	if err := g.remove(ctx, tables.Episodes, surplus); err != nil {
		return 0, err
	}
	return taken, g.unmark(due[:taken], func(writes *pebble.Batch) error {
		for _, t := range told {
			if n := uint64(len(t.episodes)); n < t.was {
				if err := setWritten(writes, dirtyEpisode, t.entity.UUID, n); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func retell(from pebble.Reader, id uuid.UUID) (t retelling, err error) {
	e, err := load(from, key(keyEntity, id), decodeEntity)
	if err != nil {
		return t, err
	}
	c, err := loadContent(from, id)
	if err != nil {
		return t, err
	}
	t.entity, t.episodes = newEntityView(id, e, c), c.episodes()
	t.was, err = written(from, dirtyEpisode, id)
	return t, err
}

// episodeRows embeds the episodes and builds the rows: those that the table cannot have, and those that it may have.
func (g *Gold) episodeRows(ctx context.Context, told []retelling) (fresh, known *rows, err error) {
	var texts []string
	for _, t := range told {
		for _, e := range t.episodes {
			texts = append(texts, e.text)
		}
	}
	vectors, err := g.embed(ctx, texts)
	if err != nil {
		return nil, nil, err
	}
	dimensions := g.opts.Embedder.Dimensions()
	fresh, known = newEpisodeRows(dimensions), newEpisodeRows(dimensions)
	for _, t := range told {
		for i, e := range t.episodes {
			r := fresh
			if uint64(i) < t.was {
				r = known
			}
			g.appendEpisode(r, t.entity, e, vectors[0])
			vectors = vectors[1:]
		}
	}
	return fresh, known, nil
}

func (g *Gold) embed(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	vectors, err := g.opts.Embedder.Embed(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEmbed, err)
	}
	if len(vectors) != len(texts) {
		return nil, fmt.Errorf("%w: %d vectors for %d texts", ErrEmbed, len(vectors), len(texts))
	}
	for _, v := range vectors {
		if want := g.opts.Embedder.Dimensions(); len(v) != 0 && len(v) != want {
			return nil, fmt.Errorf("%w: a vector of %d numbers, %d expected", ErrEmbed, len(v), want)
		}
	}
	return vectors, nil
}

func (g *Gold) appendEpisode(r *rows, of *Entity, e episode, vector []float32) {
	r.text(episodeID(g.opts.Namespace, of.UUID, e.chunk).String())
	r.text(of.UUID.String())
	r.text(of.WorkflowID)
	r.textOrNull(of.AgentID)
	r.textOrNull(of.Capability)
	r.text(e.kind)
	r.instantOrNull(of.happened(e.kind))
	r.text(of.StreamID)
	r.integer(of.position(e.kind))
	r.integer(e.chunk)
	r.text(e.text)
	r.vectorOrNull(vector)
	if len(vector) == 0 {
		r.textOrNull("")
		r.integerOrNull(-1)
		return
	}
	r.text(g.opts.Embedder.Model())
	r.integer(int64(len(vector)))
}

// happened is when an episode of the entity took place: calls when they were made, all else when it was complete.
func (e *Entity) happened(kind string) time.Time {
	if kind == EpisodeToolCall || e.EndedAt.IsZero() {
		return e.StartedAt
	}
	return e.EndedAt
}

func (e *Entity) position(kind string) int64 {
	if kind == EpisodeToolResult || kind == EpisodeObservation {
		return e.LastPosition
	}
	return e.FirstPosition
}
