package project

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// embedRows bounds the texts that are embedded at a time.
const embedRows = 512

// entityEpisodes is what the episodes of one entity are now, and how many the table may have.
type entityEpisodes struct {
	entity   *model.Entity
	ordinal  uint64
	episodes []model.Episode
	was      uint64
}

// writeEpisodes writes the episodes of marked entities, as many as make up one write.
func (t *Tables) writeEpisodes(ctx context.Context, snapshot *pebble.Snapshot, due []state.DirtyMark) (taken int, err error) {
	var found []entityEpisodes
	unreadable := state.Unreadable{}
	for count, bytes := 0, 0; taken < len(due) && count < flushRows && bytes < FlushBytes; taken++ {
		of, err := t.episodesOf(snapshot, due[taken].ID)
		if unreadable.Note(due[taken].ID, err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		found = append(found, of)
		count += len(of.episodes)
		for i := range of.episodes {
			bytes += len(of.episodes[i].Text)
		}
	}
	fresh, known := t.episodeRows(found)
	defer fresh.Release()
	defer known.Release()

	var plans []intent
	var surplus []uuid.UUID
	for _, of := range found {
		if n := uint64(len(of.episodes)); n > of.was {
			plans = append(plans, of.intent())
		}
		for chunk := uint64(len(of.episodes)); chunk < of.was; chunk++ {
			surplus = append(surplus, model.EpisodeID(t.opts.Namespace, of.entity.UUID, int64(chunk)))
		}
	}
	if err := t.writeViews(ctx, plans, fresh, known); err != nil {
		return 0, err
	}
	if err := t.remove(ctx, schema.Episodes, surplus); err != nil {
		return 0, err
	}
	return taken, t.dropMarks(due[:taken], func(writes *pebble.Batch) error {
		for _, of := range found {
			if uint64(len(of.episodes)) < of.was {
				if err := of.intent().write(writes); err != nil {
					return err
				}
			}
		}
		return unreadable.Write(writes, t.opts.Logger)
	})
}

func (t *Tables) episodesOf(from pebble.Reader, id uuid.UUID) (of entityEpisodes, err error) {
	if of, ok := t.cache.take(id); ok {
		return of, nil
	}
	w, err := state.LoadRecord(from, id)
	if err != nil {
		return of, err
	}
	e, err := state.EntityOf(from, w)
	if err != nil {
		return of, err
	}
	return episodesOf(w, e), nil
}

// intent is that the table is to have the episodes.
func (of *entityEpisodes) intent() intent {
	return intent{model.EntityKey(of.ordinal, model.SlotEpisodeRows), uint64(len(of.episodes))}
}

func episodesOf(w *model.EntityRecord, e *model.Entity) entityEpisodes {
	var episodes []model.Episode
	if !w.Hidden {
		episodes = w.Content.Episodes(w.Failure())
	}
	return entityEpisodes{e, w.Ordinal, episodes, w.EpisodeRows}
}

// episodeCache is what a flush found out about episodes when it wrote their entities, so that it need not read these again.
// An entity that has changed since has new marks, and so is read again by the next flush.
type episodeCache struct {
	by    map[uuid.UUID]entityEpisodes
	bytes int // of texts; at most FlushBytes
}

func (c *episodeCache) keep(of entityEpisodes) {
	size := len(of.entity.Request) + len(of.entity.Result) + len(of.entity.Text)
	for _, e := range of.episodes {
		size += len(e.Text)
	}
	if c.bytes+size > FlushBytes {
		return
	}
	if c.by == nil {
		c.by = map[uuid.UUID]entityEpisodes{}
	}
	c.by[of.entity.UUID] = of
	c.bytes += size
}

func (c *episodeCache) take(id uuid.UUID) (of entityEpisodes, ok bool) {
	of, ok = c.by[id]
	delete(c.by, id)
	return of, ok
}

func (c *episodeCache) clear() { *c = episodeCache{} }

// episodeRows builds the rows: those that the table cannot have, and those that it may have.
func (t *Tables) episodeRows(found []entityEpisodes) (fresh, known *rows) {
	dimensions := t.opts.Embedder.Dimensions()
	fresh, known = newEpisodeRows(dimensions), newEpisodeRows(dimensions)
	for _, of := range found {
		for i, e := range of.episodes {
			r := fresh
			if uint64(i) < of.was {
				r = known
			}
			appendEpisode(r, t.opts.Namespace, of.entity, e)
		}
	}
	return fresh, known
}

// addVectors embeds the texts of episodes, and puts the columns that this gives in the place of empty ones.
func (t *Tables) addVectors(ctx context.Context, of *arrow.Schema, columns []arrow.Array) error {
	column := func(name string) *arrow.Array { return &columns[of.FieldIndices(name)[0]] }
	texts := (*column("text")).(*array.String)
	vectors := newRowsOf("", arrow.NewSchema([]arrow.Field{
		of.Field(of.FieldIndices("vector")[0]), of.Field(of.FieldIndices("model")[0]), of.Field(of.FieldIndices("dimensions")[0]),
	}, nil))
	defer vectors.Release()
	vectors.Reserve(texts.Len())
	batch := make([]string, 0, embedRows)
	for row := 0; row < texts.Len(); row += len(batch) {
		batch = batch[:0]
		for i := row; i < min(row+embedRows, texts.Len()); i++ {
			batch = append(batch, texts.Value(i))
		}
		embedded, err := t.embed(ctx, batch)
		if err != nil {
			return err
		}
		for _, v := range embedded {
			t.appendVector(vectors, v)
		}
	}
	for i, name := range []string{"vector", "model", "dimensions"} {
		(*column(name)).Release()
		*column(name) = vectors.Field(i).NewArray()
	}
	return nil
}

func (t *Tables) appendVector(r *rows, vector []float32) {
	r.vectorOrNull(vector)
	if len(vector) == 0 {
		r.textOrNull("")
		r.integerOrNull(-1)
		return
	}
	r.text(t.opts.Embedder.Model())
	r.integer(int64(len(vector)))
}

func (t *Tables) embed(ctx context.Context, texts []string) ([][]float32, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	vectors, err := t.opts.Embedder.Embed(ctx, texts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEmbed, err)
	}
	if len(vectors) != len(texts) {
		return nil, fmt.Errorf("%w: %d vectors for %d texts", ErrEmbed, len(vectors), len(texts))
	}
	for _, v := range vectors {
		if want := t.opts.Embedder.Dimensions(); len(v) != 0 && len(v) != want {
			return nil, fmt.Errorf("%w: a vector of %d numbers, %d expected", ErrEmbed, len(v), want)
		}
	}
	return vectors, nil
}

// appendEpisode appends all of an episode but what addVectors adds.
func appendEpisode(r *rows, namespace uuid.UUID, of *model.Entity, e model.Episode) {
	r.text(model.EpisodeID(namespace, of.UUID, e.Chunk).String())
	r.text(of.UUID.String())
	r.text(of.WorkflowID)
	r.textOrNull(of.AgentID)
	r.textOrNull(of.Capability)
	r.text(e.Kind)
	r.instantOrNull(of.Happened(e.Kind))
	r.text(of.StreamID)
	r.integer(of.Position(e.Kind))
	r.integer(e.Chunk)
	r.text(e.Text)
	r.skip(3) // vector, model, dimensions
	r.idOrNull(of.QuarantinedBy)
}
