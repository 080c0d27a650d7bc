package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/promotion"
	"assay/consumers/silver"
	"assay/internal/query/replay"
	"assay/sovereign/schema"
)

// No promotion that the log holds may be lost. At a moment of rest each has a row; while it is pending, the bucket has an entry
// of it too, without which nobody would try to publish it.

// columnState is not determined by the log, but some states need an entry.
const columnState = "state"

// keepPromotions keeps the rows that promotions must have. Captures of one event that differ leave open what the row says.
func (t *traces) keepPromotions(rows *replay.Rows) error {
	l := newLayout(schema.Promotions)
	for i := range rows.Promotions {
		e := &rows.Promotions[i]
		id := silver.EventUUID(t.Silver.Namespace, e)
		asked, err := promotion.Parse(id.String(), e.WorkflowID, []byte(e.Payload))
		if err != nil || t.Workflow != "" && e.WorkflowID != t.Workflow {
			continue // a dead letter, or another's
		}
		words, err := signPromotion(l, &asked, e.Payload)
		if err != nil {
			return err
		}
		if err := t.expected.keepPromotion(&row{id: id, words: words}); err != nil {
			return err
		}
	}
	return nil
}

func (e *expected) keepPromotion(r *row) error {
	k := expectedKey(schema.Promotions, r.id)
	var known row
	if err := e.get(k, func(value []byte) error { known.id = r.id; known.decode(value); return nil }); err != nil {
		return err
	}
	if known.id == r.id && !slices.Equal(known.words, r.words) {
		r.words = nil
	}
	return stateError(e.db.Set(k, r.encode(), pebble.NoSync)) // the group's checkpoint syncs it
}

// signPromotion returns the signature of a promotion's row.
func signPromotion(l *layout, p *promotion.Promotion, payload string) ([]uint64, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, l.schema())
	defer b.Release()
	for i, column := range l.columns {
		switch field := b.Field(i).(type) {
		case *array.StringBuilder:
			field.Append(map[string]string{
				"event_uuid": p.EventUUID, "event_cid": p.EventCID, "workflow_id": p.Workflow, "payload": payload,
			}[column])
		case *array.TimestampBuilder:
			field.Append(arrow.Timestamp(p.Time().UnixMicro()))
		}
	}
	record := b.NewRecord()
	defer record.Release()
	signs, err := newSigner(l, record)
	if err != nil {
		return nil, err
	}
	return signs.sign(nil, 0), nil
}

// picturePromotions keeps the signatures of the rows, and finds those in no state that there is, and pending ones that the
// bucket does not know.
func (a *audit) picturePromotions(ctx context.Context) error {
	l := newLayout(schema.Promotions)
	if err := a.picture(ctx, l); err != nil {
		return err
	}
	everyState := schema.In(columnState, string(promotion.Pending), string(promotion.Published), string(promotion.Rejected))
	err := a.eachPromotion(ctx, schema.Not(everyState), func(id uuid.UUID) {
		if len(a.reached.Stranded) < strandedMax {
			a.reached.Stranded = append(a.reached.Stranded, id.String())
		}
	})
	if err != nil {
		return err
	}
	pending, err := a.pendingPromotions(ctx)
	if err != nil {
		return err
	}
	for _, id := range pending {
		stranded, err := a.stranded(ctx, id)
		if err != nil {
			return err
		}
		if stranded && len(a.reached.Stranded) < strandedMax {
			a.reached.Stranded = append(a.reached.Stranded, id)
		}
	}
	return nil
}

// strandedMax bounds the promotions whose state is reported.
const strandedMax = 10_000

// pendingPromotions returns rows that are pending and have no entry in the bucket, as it was just before.
func (a *audit) pendingPromotions(ctx context.Context) (ids []string, err error) {
	if err := a.notePublications(ctx); err != nil {
		return nil, err
	}
	err = a.eachPromotion(ctx, schema.Eq(columnState, string(promotion.Pending)), func(id uuid.UUID) {
		if !a.expected.has(append([]byte{keyEntry}, id[:]...)) && len(ids) < strandedMax {
			ids = append(ids, id.String())
		}
	})
	return ids, err
}

// eachPromotion calls do with the id of each row of the table for which where holds.
func (a *audit) eachPromotion(ctx context.Context, where schema.Filter, do func(uuid.UUID)) error {
	l := &layout{table: schema.ByName(schema.Promotions), columns: []string{"event_uuid"}}
	return scan(ctx, a.Store, l, a.where(where), func(r *row) error {
		do(r.id)
		return nil
	})
}

// notePublications notes the keys of the bucket in the scratch space.
func (a *audit) notePublications(ctx context.Context) error {
	entries, err := a.Log.Publications().ListKeys(ctx)
	if err != nil {
		return fmt.Errorf("audit: read the bucket of promotions: %w", err)
	}
	defer func() { _ = entries.Stop() }() // the server forgets it anyway
	for name := range entries.Keys() {
		if id, err := uuid.Parse(name); err == nil {
			if err := a.expected.db.Set(append([]byte{keyEntry}, id[:]...), nil, pebble.NoSync); err != nil {
				return stateError(err)
			}
		}
	}
	return ctx.Err()
}

// stranded looks again at a promotion that had a pending row and no entry: publishing goes on meanwhile, and takes the entry
// away once the row says what became of it.
func (a *audit) stranded(ctx context.Context, id string) (bool, error) {
	_, err := a.Log.Publications().Get(ctx, id)
	if err == nil || !errors.Is(err, jetstream.ErrKeyNotFound) {
		return false, err
	}
	where := schema.And(schema.Eq("event_uuid", id), schema.Eq(columnState, string(promotion.Pending)))
	rows, err := a.Store.Count(ctx, schema.Promotions, where)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrStore, err)
	}
	return rows > 0, nil
}

// auditPromotions compares what was accepted with what became of it.
func (a *audit) auditPromotions(ctx context.Context) error {
	d := &derived{audit: a, layout: newLayout(schema.Promotions), tally: Tally{Table: schema.Promotions}}
	if err := d.run(ctx); err != nil {
		return err
	}
	for _, id := range a.reached.Stranded {
		if parsed, err := uuid.Parse(id); err != nil || !a.expected.has(expectedKey(schema.Promotions, parsed)) {
			continue // it should not be there at all
		}
		a.report.add(&d.tally, Difference{Key: id, Finding: Different, Columns: []string{columnState}}, a.ListMax)
	}
	a.report.Tables = append(a.report.Tables, d.tally)
	return nil
}
