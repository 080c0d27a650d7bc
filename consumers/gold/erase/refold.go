package erase

import (
	"context"
	"iter"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/sovereign/schema"
)

// refold makes entities of the traces that are left of them.
func (f *erasure) refold(ctx context.Context, entities []uuid.UUID, forgotten schema.Filter) error {
	r, err := f.Opts.Store.Query(ctx, schema.Query{
		Table: schema.Traces, Where: schema.And(schema.In("entity_uuid", uuidStrings(entities)...), schema.Not(forgotten)),
	})
	if err != nil {
		return project.StoreError("query", schema.Traces, err)
	}
	defer r.Release()
	for r.Next() {
		if err := f.refoldRecord(r.Record()); err != nil {
			return err
		}
	}
	return project.StoreError("read", schema.Traces, r.Err())
}

func (f *erasure) refoldRecord(traces arrow.Record) error {
	record, err := project.SilverRows(traces)
	if err != nil {
		return err
	}
	f.records = append(f.records, record)
	c, err := model.NewColumns(record)
	if err != nil {
		return err
	}
	var ev model.Event
	for row := range c.ID.Len() {
		c.Read(row, &ev)
		known := model.NewIdentity(&ev)
		if stored, err := f.stored(&ev); err != nil {
			return err
		} else if stored != nil && stored.Placed {
			known, ev.Offset = stored, stored.Offset
		}
		if err := f.Join(&ev, known); err != nil {
			return err
		}
	}
	return nil
}

// traced yields rows of traces as rows of Silver.
func (f *erasure) traced(ctx context.Context, of schema.Filter) iter.Seq2[arrow.Record, error] {
	return func(yield func(arrow.Record, error) bool) {
		r, err := f.Opts.Store.Query(ctx, schema.Query{Table: schema.Traces, Where: of})
		if err != nil {
			yield(nil, project.StoreError("query", schema.Traces, err))
			return
		}
		defer r.Release()
		for r.Next() {
			record, err := project.SilverRows(r.Record())
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
			yield(nil, project.StoreError("read", schema.Traces, err))
		}
	}
}
