package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/nats-io/nats.go"

	"assay/consumers/bronze"
	"assay/consumers/promotion"
	"assay/consumers/silver"
	"assay/internal/query/replay"
	"assay/sovereign/schema"
)

// The rows of promotions say what became of each, which the log does not know. They are copied first, and all else is asked of
// the copy. So whatever it lacks is asked for again: because it never had a row, because the old table cannot be read, or
// because somebody has removed it. It is then sent under the same idempotency key. What the rows say of their events is taken
// from the log at last.

// knownMax is how many promotions are asked about at a time.
const knownMax = 500

// errUnopened is why tables cannot be read that could not even be opened.
var errUnopened = errors.New("the tables cannot be opened")

// carryPromotions copies the old rows, as far as they can be read, and writes those of promotions that only the bucket knows.
// It begins anew each time: what an earlier attempt copied may have changed since.
func (b *build) carryPromotions(ctx context.Context) error {
	if b.Trial {
		return nil
	}
	if err := b.store.Delete(ctx, schema.Promotions, schema.Filter{}); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if err := b.copyPromotions(ctx); err != nil {
		return err
	}
	_, err := promotion.Recover(ctx, b.Log.Publications(), b.store)
	return err
}

func (b *build) copyPromotions(ctx context.Context) error {
	var failed error // to write, unlike to read
	err := errUnopened
	if b.Old != nil {
		// A row in another state, as damage may leave it, says nothing of what became of its promotion.
		states := schema.In("state", string(promotion.Pending), string(promotion.Published), string(promotion.Rejected))
		err = read(ctx, b.Old, schema.Query{Table: schema.Promotions, Where: states}, func(r array.RecordReader) error {
			for r.Next() {
				if failed = b.store.Append(ctx, schema.Promotions, r.Record()); failed != nil {
					return failed
				}
			}
			return r.Err()
		})
	}
	switch {
	case failed != nil:
		return fmt.Errorf("%w: %w", ErrStore, failed)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		b.result.Unreadable = err.Error()
	}
	return nil
}

// correctPromotions makes the rows say of their events what traces, which was just made from the log, says.
func (b *build) correctPromotions(ctx context.Context) error {
	if b.Trial {
		return nil
	}
	var known int
	err := read(ctx, b.store, schema.Query{
		Table: schema.Traces, Columns: []string{"event_uuid", "workflow_id", "payload"},
		Where: schema.Eq("kind", bronze.KindPromotion),
	}, func(r array.RecordReader) error {
		for r.Next() {
			found, err := b.correctRows(ctx, r.Record())
			if err != nil {
				return err
			}
			known += found
		}
		return r.Err()
	})
	if err != nil || !b.whole {
		return err
	}
	return b.dropStrangers(ctx, known)
}

// correctRows corrects the rows of promotions that a record of traces tells of, and returns how many there are.
func (b *build) correctRows(ctx context.Context, traces arrow.Record) (known int, err error) {
	type event struct {
		ID       string `col:"event_uuid"`
		Workflow string `col:"workflow_id"`
		Payload  string `col:"payload"`
	}
	one, err := array.NewRecordReader(traces.Schema(), []arrow.Record{traces})
	if err != nil {
		return 0, err
	}
	defer one.Release()
	events, err := schema.Scan[event](one)
	if err != nil {
		return 0, err
	}
	for part := range slices.Chunk(events, knownMax) {
		var said []*promotion.Publication
		for _, e := range part {
			if p, err := promotion.FromEvent(e.ID, e.Workflow, []byte(e.Payload)); err == nil { // else it is a dead letter
				said = append(said, p)
			}
		}
		found, corrected, err := promotion.Correct(ctx, b.store, said)
		if err != nil {
			return 0, err
		}
		known += found
		b.result.Corrected += uint64(corrected)
	}
	return known, nil
}

// dropStrangers removes rows that tell of no event of the log, although it has all that it ever had: the id may be damaged. known is
// how many rows do tell of one. What only the bucket has of a promotion is written again.
func (b *build) dropStrangers(ctx context.Context, known int) error {
	rows, err := b.store.Count(ctx, schema.Promotions, schema.Filter{})
	if err != nil {
		return fmt.Errorf("%w: count %s: %w", ErrStore, schema.Promotions, err)
	}
	if rows <= int64(known) {
		return nil
	}
	ids, err := b.ids(ctx, schema.Promotions, schema.Filter{})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(ids, knownMax) {
		told, err := b.ids(ctx, schema.Traces, schema.In("event_uuid", part...))
		if err != nil {
			return err
		}
		strangers := slices.DeleteFunc(part, func(id string) bool { return slices.Contains(told, id) })
		if err := b.store.Delete(ctx, schema.Promotions, schema.In("event_uuid", strangers...)); err != nil {
			return fmt.Errorf("%w: %w", ErrStore, err)
		}
		b.result.Corrected += uint64(len(strangers))
	}
	_, err = promotion.Recover(ctx, b.Log.Publications(), b.store)
	return err
}

// askAgain publishes promotions that have no row. The promotion consumer recognises those that wait already.
func (b *build) askAgain(ctx context.Context, rows *replay.Rows) error {
	msgs := map[string]*nats.Msg{}
	for i := range rows.Promotions {
		e := &rows.Promotions[i]
		id := silver.EventUUID(b.Silver.Namespace, e).String()
		if _, err := promotion.Parse(id, e.WorkflowID, []byte(e.Payload)); err == nil { // else it is a dead letter already
			msgs[id] = silver.PromotionMessage(b.Silver.Namespace, e)
		}
	}
	known, err := b.knownPromotions(ctx, msgs)
	if err != nil {
		return err
	}
	for id, msg := range msgs {
		if known[id] {
			continue
		}
		if err := b.Log.PublishMsgs(ctx, msg); err != nil {
			return err
		}
		b.result.Asked++
	}
	return nil
}

// knownPromotions returns which of the promotions have a row.
func (b *build) knownPromotions(ctx context.Context, msgs map[string]*nats.Msg) (map[string]bool, error) {
	known := map[string]bool{}
	ids := slices.Sorted(maps.Keys(msgs))
	for part := range slices.Chunk(ids, knownMax) {
		found, err := b.ids(ctx, schema.Promotions, schema.In("event_uuid", part...))
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			known[id] = true
		}
	}
	return known, nil
}

// ids returns the ids of events that a table has, of those rows for which where holds.
func (b *build) ids(ctx context.Context, table string, where schema.Filter) (ids []string, err error) {
	type row struct {
		ID string `col:"event_uuid"`
	}
	err = read(ctx, b.store, schema.Query{Table: table, Columns: []string{"event_uuid"}, Where: where}, func(r array.RecordReader) error {
		rows, err := schema.Scan[row](r)
		for _, found := range rows {
			ids = append(ids, found.ID)
		}
		return err
	})
	return ids, err
}

// reading is a store that is read.
type reading interface {
	Query(ctx context.Context, q schema.Query) (array.RecordReader, error)
}

func read(ctx context.Context, store reading, q schema.Query, use func(array.RecordReader) error) error {
	reader, err := store.Query(ctx, q)
	if err == nil {
		defer reader.Release()
		err = use(reader)
	}
	if err != nil {
		return fmt.Errorf("%w: read %s: %w", ErrStore, q.Table, err)
	}
	return nil
}
