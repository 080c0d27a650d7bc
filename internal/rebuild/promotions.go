package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/nats-io/nats.go"

	"assay/consumers/promotion"
	"assay/consumers/silver"
	"assay/internal/replay"
	"assay/internal/tables"
)

// The rows of promotions say what became of each, which the log does not know. They are copied first, and all else is asked of
// the copy. So whatever it lacks is asked for again: because it never had a row, because the old table cannot be read, or
// because somebody has removed it. It is then sent under the same idempotency key.

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
	if err := b.store.Delete(ctx, tables.Promotions, tables.Filter{}); err != nil {
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
		err = read(ctx, b.Old, tables.Query{Table: tables.Promotions}, func(r array.RecordReader) error {
			for r.Next() {
				if failed = b.store.Append(ctx, tables.Promotions, r.Record()); failed != nil {
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

// askBefore asks again for promotions of frames that an earlier attempt folded. What it knew of them may be lost since.
func (b *build) askBefore(ctx context.Context) error {
	if b.Trial || b.result.Resumed == 0 {
		return nil
	}
	done := replay.Range{From: b.span.From, To: b.gold.Applied()}
	for rows, err := range replay.Refine(ctx, b.Log.Bronze(), b.Silver, done, nil) {
		if err == nil {
			err = b.askAgain(ctx, rows)
		}
		if err != nil {
			return err
		}
	}
	return nil
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
		err := read(ctx, b.store, tables.Query{
			Table: tables.Promotions, Columns: []string{"event_uuid"}, Where: tables.In("event_uuid", part...),
		}, func(r array.RecordReader) error {
			type row struct {
				ID string `col:"event_uuid"`
			}
			rows, err := tables.Scan[row](r)
			for _, found := range rows {
				known[found.ID] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// reading is a store that is read.
type reading interface {
	Query(ctx context.Context, q tables.Query) (array.RecordReader, error)
}

func read(ctx context.Context, store reading, q tables.Query, use func(array.RecordReader) error) error {
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
