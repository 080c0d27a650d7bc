package gold

import (
	"context"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/uuid"

	"assay/sovereign/schema"
)

// refold makes entities of the traces that are left of them.
func (f *forgetting) refold(ctx context.Context, entities []uuid.UUID, forgotten schema.Filter) error {
	r, err := f.g.opts.Store.Query(ctx, schema.Query{
		Table: schema.Traces, Where: schema.And(schema.In("entity_uuid", uuidStrings(entities)...), schema.Not(forgotten)),
	})
	if err != nil {
		return storeError("query", schema.Traces, err)
	}
	defer r.Release()
	for r.Next() {
		if err := f.refoldRecord(r.Record()); err != nil {
			return err
		}
	}
	return storeError("read", schema.Traces, r.Err())
}

func (f *forgetting) refoldRecord(traces arrow.Record) error {
	record, err := silverOf(traces)
	if err != nil {
		return err
	}
	f.held = append(f.held, record)
	c, err := newColumns(record)
	if err != nil {
		return err
	}
	var ev event
	for row := range c.id.Len() {
		c.read(row, &ev)
		known := newIdentity(&ev)
		if stored, err := f.stored(&ev); err != nil {
			return err
		} else if stored != nil && stored.placed {
			known, ev.place = stored, stored.place
		}
		if err := f.join(&ev, known); err != nil {
			return err
		}
	}
	return nil
}

// traced yields rows of traces as rows of Silver.
func (f *forgetting) traced(ctx context.Context, of schema.Filter) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		r, err := f.g.opts.Store.Query(ctx, schema.Query{Table: schema.Traces, Where: of})
		if err != nil {
			yield(nil, storeError("query", schema.Traces, err))
			return
		}
		defer r.Release()
		for r.Next() {
			record, err := silverOf(r.Record())
			if err != nil {
				yield(nil, err)
				return
			}
			more := yield(record, nil)
			record.Release()
			if !more {
				return
			}
		}
		if err := r.Err(); err != nil {
			yield(nil, storeError("read", schema.Traces, err))
		}
	}
}
