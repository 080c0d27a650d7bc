package erase

import (
	"context"
	"iter"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

func (f *erasure) eraseRows(ctx context.Context, rows iter.Seq2[arrow.Record, error]) error {
	for record, err := range rows {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		c, err := model.NewColumns(record)
		if err != nil {
			return err
		}
		var ev model.Event
		for row := range c.ID.Len() {
			c.Read(row, &ev)
			ev.Workflow = f.spelling(ev.Workflow)
			if err := f.eraseEvent(&ev); err != nil {
				return err
			}
		}
	}
	return nil
}

// spelling notes a spelling and returns a copy of it, which outlives the record.
func (f *erasure) spelling(name string) string {
	if f.last != name || len(f.counts) == 0 {
		f.last = strings.Clone(name)
		f.counts[f.last] += 0
	}
	return f.last
}

// eraseEvent takes an event out. What was folded as another workflow's stays.
func (f *erasure) eraseEvent(ev *model.Event) error {
	if !f.Opts.Partition.Owns(ev.Workflow) {
		f.gone[ev.ID] = true
		return f.unhear(ev)
	}
	known, err := f.stored(ev)
	if err != nil || known == nil || f.gone[ev.ID] || known.Entity != uuid.Nil && known.Entity != ev.Entity {
		return err
	}
	switch known.Disposition {
	case bronze.Kept:
		v, err := f.affectedEntity(ev.Entity)
		if err != nil || v == nil {
			return err
		}
		v.left--
		if ev.OwnID {
			v.own = append(v.own, ev.ID)
		}
		f.Totals.Events--
		f.Totals.Traces--
		f.counts[ev.Workflow]++
		if err := f.unrelate(ev); err != nil {
			return err
		}
	default:
		f.TakeBack(known)
	}
	f.gone[ev.ID] = true
	if ev.OwnID {
		return f.Delete(model.Key(model.KeyOwnID, ev.ID))
	}
	return nil // unplace takes it out of its block
}

// stored returns what is known of an event.
func (f *erasure) stored(ev *model.Event) (*model.Identity, error) {
	if ev.OwnID {
		return state.Load(f.DB, model.Key(model.KeyOwnID, ev.ID), model.DecodeIdentity)
	}
	from, err := f.HighWatermark(ev.Offset.Stream)
	if err != nil || !from.MayHave(ev.Position) {
		return nil, err
	}
	b := model.IDBlockOf(from, ev)
	if !f.recalled[b] {
		f.recalled[b] = true
		err = state.Scan(f.DB, b.Prefix(), func(_, record []byte) (bool, error) {
			err := model.EachPlaced(record, f.Recognise)
			return err == nil, err
		})
	}
	return f.Identities[ev.ID], err
}

// unplace takes what is gone out of its blocks.
func (f *erasure) unplace() error {
	for b := range f.recalled {
		err := state.Scan(f.DB, b.Prefix(), func(k, record []byte) (bool, error) {
			var left model.Encoder
			err := model.EachPlaced(record, func(event uuid.UUID, known *model.Identity) {
				if !f.gone[event] {
					left.Placed(event, known)
				}
			})
			switch {
			case err != nil, len(left) == len(record):
			case len(left) == 0:
				err = f.Delete(k)
			default:
				err = f.Set(k, left)
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *erasure) affectedEntity(id uuid.UUID) (*affectedEntity, error) {
	if v := f.affected[id]; v != nil {
		return v, nil
	}
	e, err := state.LoadEntityState(f.DB, id)
	if err != nil || e == nil {
		return nil, err
	}
	v := &affectedEntity{EntityState: e, left: e.Events}
	f.affected[id] = v
	return v, nil
}
