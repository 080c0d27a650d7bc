package embedding

import (
	"context"
	"errors"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"golang.org/x/sync/errgroup"

	"assay/internal/embed"
	"assay/sovereign/schema"
)

// todo is an episode to embed.
type todo struct {
	ID   string `col:"episode_uuid"`
	Text string `col:"text"`

	vector []float32 // nil until it is embedded
	done   bool      // it has its vector, or there will never be one
}

// probe is a text that every model embeds: where this is refused too, a refusal says nothing about the other text.
const probe = "assay"

// embed fills in vectors, several requests at a time. An embedder that fails is not asked again in this round.
func (w *Worker) embed(ctx context.Context, found []todo) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(requests)
	for from := 0; from < len(found) && ctx.Err() == nil; from += requestTexts {
		part := found[from:min(from+requestTexts, len(found))]
		group.Go(func() error { return w.embedPart(ctx, part) })
	}
	return group.Wait()
}

func (w *Worker) embedPart(ctx context.Context, part []todo) error {
	texts := make([]string, len(part))
	for i := range part {
		texts[i] = part[i].Text
	}
	vectors, err := w.Embedder.Embed(ctx, texts)
	switch {
	case errors.Is(err, embed.ErrRefused) && len(part) > 1: // one text that is refused must not keep the others
		half := len(part) / 2
		return errors.Join(w.embedPart(ctx, part[:half]), w.embedPart(ctx, part[half:]))
	case errors.Is(err, embed.ErrRefused):
		return w.giveUp(ctx, &part[0], err)
	case err != nil:
		return err
	}
	w.note(false, time.Now())
	for i := range part {
		part[i].vector, part[i].done = vectors[i], true
	}
	return nil
}

// giveUp leaves an episode without a vector, unless the embedder refuses just any text.
func (w *Worker) giveUp(ctx context.Context, t *todo, refusal error) error {
	if _, err := w.Embedder.Embed(ctx, []string{probe}); err != nil {
		return err
	}
	w.Logger.Warn("the model refuses an episode, which words alone will find", "episode", t.ID, "error", refusal)
	t.done = true
	return nil
}

// episode is a row of episodes but for its vector.
type episode struct {
	ID         string    `col:"episode_uuid"`
	Entity     string    `col:"entity_uuid"`
	Workflow   string    `col:"workflow_id"`
	Agent      string    `col:"agent_id"`
	Capability string    `col:"capability"`
	Kind       string    `col:"kind"`
	TS         time.Time `col:"ts"`
	Stream     string    `col:"stream_id"`
	Position   int64     `col:"position"`
	Chunk      int64     `col:"chunk"`
	Text       string    `col:"text"`
	Quarantine string    `col:"quarantined_by"`
}

var episodeColumns = []string{
	"episode_uuid", "entity_uuid", "workflow_id", "agent_id", "capability", "kind", "ts", "stream_id", "position", "chunk", "text",
	"quarantined_by",
}

// write merges the vectors into the rows as they are now, but for those whose text has changed meanwhile or which are gone.
func (w *Worker) write(ctx context.Context, found []todo) error {
	embedded, ids := map[string]*todo{}, []string{}
	for i := range found {
		if found[i].done {
			embedded[found[i].ID] = &found[i]
			ids = append(ids, found[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return w.Exclusive(func() error {
		current, err := read[episode](ctx, w.Store, schema.Query{
			Table: schema.Episodes, Columns: episodeColumns, Where: schema.In("episode_uuid", ids...), Limit: len(ids),
		})
		if err != nil {
			return err
		}
		rows := newRows(w.Embedder)
		defer rows.Release()
		for i := range current {
			if t := embedded[current[i].ID]; t.Text == current[i].Text {
				rows.add(&current[i], t.vector)
			}
		}
		record := rows.NewRecord()
		defer record.Release()
		return w.Store.Merge(ctx, schema.Episodes, record)
	})
}

// rows builds rows of episodes.
type rows struct {
	*array.RecordBuilder
	model string
}

func newRows(e schema.Embedder) *rows {
	return &rows{array.NewRecordBuilder(memory.DefaultAllocator, schema.EpisodesSchema(e.Dimensions())), e.Model()}
}

// add appends a row, value by value in the order of the columns.
func (r *rows) add(e *episode, vector []float32) {
	for i, value := range []string{e.ID, e.Entity, e.Workflow, e.Agent, e.Capability, e.Kind} {
		r.text(i, value)
	}
	if ts := r.Field(6).(*array.TimestampBuilder); e.TS.IsZero() {
		ts.AppendNull()
	} else {
		ts.Append(arrow.Timestamp(e.TS.UnixMicro()))
	}
	r.text(7, e.Stream)
	r.Field(8).(*array.Int64Builder).Append(e.Position)
	r.Field(9).(*array.Int64Builder).Append(e.Chunk)
	r.text(10, e.Text)
	list, dimensions := r.Field(11).(*array.FixedSizeListBuilder), r.Field(13).(*array.Int64Builder)
	if vector == nil {
		list.AppendNull()
		dimensions.AppendNull()
	} else {
		list.Append(true)
		list.ValueBuilder().(*array.Float32Builder).AppendValues(vector, nil)
		dimensions.Append(int64(len(vector)))
	}
	r.text(12, r.model)
	r.text(14, e.Quarantine)
}

// text appends a text, null where the column allows it and there is none.
func (r *rows) text(column int, value string) {
	if b := r.Field(column).(*array.StringBuilder); value == "" && r.Schema().Field(column).Nullable {
		b.AppendNull()
	} else {
		b.Append(value)
	}
}
