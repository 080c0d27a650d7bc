package gold

import (
	"context"
	"iter"
	"strings"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/uuid"

	"assay/consumers/bronze"
)

func (f *forgetting) takeAll(ctx context.Context, rows iter.Seq2[arrow.Record, error]) error {
	for record, err := range rows {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		c, err := newColumns(record)
		if err != nil {
			return err
		}
		var ev event
		for row := range c.id.Len() {
			c.read(row, &ev)
			ev.workflow = f.spelling(ev.workflow)
			if err := f.take(&ev); err != nil {
				return err
			}
		}
	}
	return nil
}

// spelling notes a spelling and returns a copy of it, which outlives the record.
func (f *forgetting) spelling(name string) string {
	if f.last != name || len(f.counts) == 0 {
		f.last = strings.Clone(name)
		f.counts[f.last] += 0
	}
	return f.last
}

// take takes an event out. What was folded as another workflow's stays.
func (f *forgetting) take(ev *event) error {
	if !f.g.opts.owns(ev.workflow) {
		f.gone[ev.id] = true
		return f.unhear(ev)
	}
	known, err := f.stored(ev)
	if err != nil || known == nil || f.gone[ev.id] || known.entity != uuid.Nil && known.entity != ev.entity {
		return err
	}
	switch known.disposition {
	case bronze.Kept:
		v, err := f.victim(ev.entity)
		if err != nil || v == nil {
			return err
		}
		v.left--
		if ev.ownID {
			v.own = append(v.own, ev.id)
		}
		f.totals.Events--
		f.totals.Traces--
		f.counts[ev.workflow]++
		if err := f.unrelate(ev); err != nil {
			return err
		}
	default:
		f.forget(known)
	}
	f.gone[ev.id] = true
	if ev.ownID {
		return f.delete(key(keyOwnID, ev.id))
	}
	return nil // unplace takes it out of its block
}

// stored returns what is known of an event.
func (f *forgetting) stored(ev *event) (*identity, error) {
	if ev.ownID {
		return load(f.g.state.db, key(keyOwnID, ev.id), decodeIdentity)
	}
	from, err := f.origin(ev.place.stream)
	if err != nil || !from.mayHave(ev.position) {
		return nil, err
	}
	b := blockOf(from, ev)
	if !f.recalled[b] {
		f.recalled[b] = true
		err = scan(f.g.state.db, b.prefix(), func(_, record []byte) (bool, error) {
			err := eachPlaced(record, f.recognise)
			return err == nil, err
		})
	}
	return f.identities[ev.id], err
}

// unplace takes what is gone out of its blocks.
func (f *forgetting) unplace() error {
	for b := range f.recalled {
		err := scan(f.g.state.db, b.prefix(), func(k, record []byte) (bool, error) {
			var left encoder
			err := eachPlaced(record, func(event uuid.UUID, known *identity) {
				if !f.gone[event] {
					left.placed(event, known)
				}
			})
			switch {
			case err != nil, len(left) == len(record):
			case len(left) == 0:
				err = f.delete(k)
			default:
				err = f.set(k, left)
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *forgetting) victim(id uuid.UUID) (*victim, error) {
	if v := f.victims[id]; v != nil {
		return v, nil
	}
	e, err := loadEntity(f.g.state.db, id)
	if err != nil || e == nil {
		return nil, err
	}
	v := &victim{entity: e, left: e.events}
	f.victims[id] = v
	return v, nil
}
