package gold

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// Limits of one AsOf.
const (
	asOfEvents     = 1_000_000
	asOfCacheBytes = 8 << 20
)

// AsOf returns the entities that the traces selected by where amount to, in no order: given those of a workflow up to a time,
// its state as of then. They are folded by the same rules as everything else, in a state of their own that is forgotten
// afterwards. The error wraps ErrTooMany if there are more than asOfEvents of them.
func AsOf(ctx context.Context, opts Options, where schema.Filter) ([]*Entity, error) {
	db, err := state.Open("asof", vfs.NewMem(), asOfCacheBytes, nil, opts.Logger)
	if err != nil {
		return nil, err
	}
	opts.Fault = nil
	scratch := newGold(db, opts)
	entities, err := scratch.foldTraces(ctx, where)
	return entities, errors.Join(err, db.Close())
}

func (g *Gold) foldTraces(ctx context.Context, where schema.Filter) ([]*Entity, error) {
	r, err := g.opts.Store.Query(ctx, schema.Query{Table: schema.Traces, Where: where})
	if err != nil {
		return nil, project.StoreError("query", schema.Traces, err)
	}
	defer r.Release()
	for seq := uint64(1); r.Next(); seq++ {
		if g.db.Totals.Traces+uint64(r.Record().NumRows()) > asOfEvents {
			return nil, fmt.Errorf("%w: at most %d can be folded at a time", ErrTooMany, asOfEvents)
		}
		if err := g.engine.FoldRecord(Batch{Seq: seq}, r.Record()); err != nil {
			return nil, err
		}
	}
	if err := r.Err(); err != nil {
		return nil, project.StoreError("read", schema.Traces, err)
	}
	var found []*Entity
	err = state.Scan(g.db, []byte{model.KeyOrdinal}, func(k, _ []byte) (bool, error) {
		e, err := state.LoadEntity(g.db, model.LastID(k))
		if err == nil {
			found = append(found, e)
		}
		return err == nil && ctx.Err() == nil, err
	})
	return found, errors.Join(err, context.Cause(ctx))
}
