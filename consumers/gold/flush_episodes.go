package gold

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/sovereign/schema"
)

// embedRows bounds the texts that are embedded at a time.
const embedRows = 512

// retelling is what the episodes of one entity are now, and how many the table may have.
type retelling struct {
	entity   *Entity
	ordinal  uint64
	episodes []episode
	was      uint64
}

// writeEpisodes writes the episodes of marked entities, as many as make up one write.
func (g *Gold) writeEpisodes(ctx context.Context, snapshot *pebble.Snapshot, due []mark) (taken int, err error) {
	var told []retelling
	unreadable := aside{}
	for count, bytes := 0, 0; taken < len(due) && count < flushRows && bytes < flushBytes; taken++ {
		t, err := g.retell(snapshot, due[taken].id)
		if unreadable.take(due[taken].id, err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		told = append(told, t)
		count += len(t.episodes)
		for i := range t.episodes {
			bytes += len(t.episodes[i].text)
		}
	}
	fresh, known := g.episodeRows(told)
	defer fresh.Release()
	defer known.Release()

	var plans []plan
	var surplus []uuid.UUID
	for _, t := range told {
		if n := uint64(len(t.episodes)); n > t.was {
			plans = append(plans, t.plan())
		}
		for chunk := uint64(len(t.episodes)); chunk < t.was; chunk++ {
			surplus = append(surplus, episodeID(g.opts.Namespace, t.entity.UUID, int64(chunk)))
		}
	}
	if err := g.writeViews(ctx, plans, fresh, known); err != nil {
		return 0, err
	}
	if err := g.remove(ctx, schema.Episodes, surplus); err != nil {
		return 0, err
	}
	return taken, g.unmark(due[:taken], func(writes *pebble.Batch) error {
		for _, t := range told {
			if uint64(len(t.episodes)) < t.was {
				if err := t.plan().write(writes); err != nil {
					return err
				}
			}
		}
		return g.setAside(writes, unreadable)
	})
}

func (g *Gold) retell(from pebble.Reader, id uuid.UUID) (t retelling, err error) {
	if t, ok := g.told.take(id); ok {
		return t, nil
	}
	w, err := loadWhole(from, id)
	if err != nil {
		return t, err
	}
	e, err := w.view(from)
	if err != nil {
		return t, err
	}
	return w.retelling(e), nil
}

// plan is that the table is to have the episodes.
func (t *retelling) plan() plan {
	return plan{entityKey(t.ordinal, slotInEpisodes), uint64(len(t.episodes))}
}

func (w *whole) retelling(e *Entity) retelling {
	var episodes []episode
	if !w.hidden {
		episodes = w.content.episodes()
	}
	return retelling{e, w.ordinal, episodes, w.inEpisodes}
}

// tellings are what a flush found out about episodes when it wrote their entities, so that it need not read these again.
// An entity that has changed since has new marks, and so is told again by the next flush.
type tellings struct {
	by    map[uuid.UUID]retelling
	bytes int // of texts; at most flushBytes
}

func (k *tellings) keep(t retelling) {
	size := len(t.entity.Request) + len(t.entity.Result) + len(t.entity.Text)
	for _, e := range t.episodes {
		size += len(e.text)
	}
	if k.bytes+size > flushBytes {
		return
	}
	if k.by == nil {
		k.by = map[uuid.UUID]retelling{}
	}
	k.by[t.entity.UUID] = t
	k.bytes += size
}

func (k *tellings) take(id uuid.UUID) (t retelling, ok bool) {
	t, ok = k.by[id]
	delete(k.by, id)
	return t, ok
}

func (k *tellings) clear() { *k = tellings{} }

// episodeRows builds the rows: those that the table cannot have, and those that it may have.
func (g *Gold) episodeRows(told []retelling) (fresh, known *rows) {
	dimensions := g.opts.Embedder.Dimensions()
	fresh, known = newEpisodeRows(dimensions), newEpisodeRows(dimensions)
	for _, t := range told {
		for i, e := range t.episodes {
			r := fresh
			if uint64(i) < t.was {
				r = known
			}
			g.appendEpisode(r, t.entity, e)
		}
	}
	return fresh, known
}

// addVectors embeds the texts of episodes, and puts the columns that this gives in the place of empty ones.
func (g *Gold) addVectors(ctx context.Context, schema *arrow.Schema, columns []arrow.Array) error {
	column := func(name string) *arrow.Array { return &columns[schema.FieldIndices(name)[0]] }
	texts := (*column("text")).(*array.String)
	vectors := newRowsOf("", arrow.NewSchema([]arrow.Field{
		schema.Field(schema.FieldIndices("vector")[0]), schema.Field(schema.FieldIndices("model")[0]),
		schema.Field(schema.FieldIndices("dimensions")[0]),
	}, nil))
	defer vectors.Release()
	vectors.Reserve(texts.Len())
	batch := make([]string, 0, embedRows)
	for row := 0; row < texts.Len(); row += len(batch) {
		batch = batch[:0]
		for i := row; i < min(row+embedRows, texts.Len()); i++ {
			batch = append(batch, texts.Value(i))
		}
		embedded, err := g.embed(ctx, batch)
		if err != nil {
			return err
		}
		for _, v := range embedded {
			g.appendVector(vectors, v)
		}
	}
	for i, name := range []string{"vector", "model", "dimensions"} {
		(*column(name)).Release()
		*column(name) = vectors.Field(i).NewArray()
	}
	return nil
}

func (g *Gold) appendVector(r *rows, vector []float32) {
	r.vectorOrNull(vector)
	if len(vector) == 0 {
		r.textOrNull("")
		r.integerOrNull(-1)
		return
	}
	r.text(g.opts.Embedder.Model())
	r.integer(int64(len(vector)))
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

// appendEpisode appends all of an episode but what addVectors adds.
func (g *Gold) appendEpisode(r *rows, of *Entity, e episode) {
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
	r.skip(3) // vector, model, dimensions
	r.idOrNull(of.QuarantinedBy)
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
