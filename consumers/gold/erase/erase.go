package erase

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/uuid"

	"assay/consumers/gold/fold"
	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// Scope is what Forget needs to know, once folding stands still.
type Scope struct {
	Through   uint64                         // frames of BRONZE up to this one are forgotten
	Spellings []string                       // of the workflow, as far as they were known when it was first erased
	Rows      iter.Seq2[arrow.Record, error] // the workflow's events in them, as rows of Silver; some may come twice
	Gaps      bool                           // frames have left the log, so that traces has more of them than Rows
}

// Forgotten counts what Forget took out.
type Forgotten struct {
	Events, Entities uint64
}

// Forget forgets a workflow. bury is called once nothing is folded or flushed any more, with the workflow's spellings; from
// then on the engine's Options.Forgotten must tell that its events up to Scope.Through are forgotten. Whatever stops Forget,
// calling it again with the same scope ends it. The tables show it after the next flush.
func Forget(
	ctx context.Context, engine *fold.Engine, tables *project.Tables, workflow string, bury func(ctx context.Context, spellings []string) (*Scope, error),
) (out *Forgotten, err error) {
	engine.Lock()
	defer engine.Unlock()
	err = tables.BetweenFlushes(func() error {
		spellings, err := state.Spellings(engine.DB, workflow)
		if err != nil {
			return err
		}
		scope, err := bury(ctx, spellings)
		if err != nil {
			return err
		}
		if err := tables.WriteHeld(ctx); err != nil {
			return err
		}
		f := newErasure(engine)
		defer f.release()
		out, err = f.eraseAll(ctx, scope, spellings)
		return err
	})
	return out, err
}

// eraseAll forgets what a scope tells of a workflow that has spellings.
func (f *erasure) eraseAll(ctx context.Context, scope *Scope, spellings []string) (*Forgotten, error) {
	if err := f.eraseRows(ctx, scope.Rows); err != nil {
		return nil, err
	}
	of := schema.And(schema.In("workflow_id", f.spellings(spellings, scope.Spellings)...), schema.Le("bronze_seq", int64(scope.Through)))
	if scope.Gaps {
		if err := f.eraseRows(ctx, f.traced(ctx, of)); err != nil {
			return nil, err
		}
	}
	if err := f.remake(ctx, of); err != nil {
		return nil, err
	}
	if err := f.end(ctx); err != nil {
		return nil, err
	}
	if err := f.Opts.Fault.At(state.AfterForget); err != nil {
		return nil, err
	}
	if err := project.StoreError("delete from", schema.Traces, f.Opts.Store.Delete(ctx, schema.Traces, of)); err != nil {
		return nil, err
	}
	return &Forgotten{Events: uint64(len(f.gone)), Entities: uint64(len(f.affected) - f.shared)},
		errors.Join(f.Engine.NoteSaid(), f.Engine.Spread())
}

// erasure is the forgetting of a workflow in one commit.
type erasure struct {
	*fold.Tx
	gone     map[uuid.UUID]bool // events
	recalled map[model.IDBlock]bool
	affected map[uuid.UUID]*affectedEntity
	counts   map[string]int64 // rows of traces, by spelling
	last     string           // spelling
	records  []arrow.Record   // what the entities made anew alias
	shared   int              // affected entities that are made anew
}

// affectedEntity is an entity to which a forgotten event contributed.
type affectedEntity struct {
	*model.EntityState
	left int64       // events that are not forgotten
	own  []uuid.UUID // forgotten events that have ids of their own
}

func newErasure(engine *fold.Engine) *erasure {
	engine.Awaited = nil
	f := engine.NewTx()
	f.MarkAll()
	return &erasure{
		Tx: f, gone: map[uuid.UUID]bool{}, recalled: map[model.IDBlock]bool{}, affected: map[uuid.UUID]*affectedEntity{},
		counts: map[string]int64{},
	}
}

func (f *erasure) release() {
	f.Close()
	for _, record := range f.records {
		record.Release()
	}
}

// spellings adds those that were met to those that were known.
func (f *erasure) spellings(known ...[]string) []string {
	all := append(slices.Concat(known...), slices.Collect(maps.Keys(f.counts))...)
	slices.Sort(all)
	return slices.Compact(all)
}

// remake drops the affected entities, and makes those anew that have events left.
func (f *erasure) remake(ctx context.Context, forgotten schema.Filter) error {
	var shared []uuid.UUID
	for id, v := range f.affected {
		if err := f.drop(id, v); err != nil {
			return err
		}
		if v.left > 0 {
			shared = append(shared, id)
			f.Recreate(id)
		} else if err := f.disinherit(id, v); err != nil {
			return err
		}
	}
	f.shared = len(shared)
	for part := range slices.Chunk(shared, removeRows) {
		if err := f.refold(ctx, part, forgotten); err != nil {
			return err
		}
	}
	return nil
}

// drop takes an entity out of the state, and out of metrics and graph.
func (f *erasure) drop(id uuid.UUID, v *affectedEntity) error {
	f.Totals.Entities--
	if err := f.Unsay(id, v.EntityState); err != nil {
		return err
	}
	if err := f.Unlink(id, v.EntityState); err != nil {
		return err
	}
	f.Delta.Replace(model.CountedCall(id, v.EntityState), model.Call{})
	f.Histories.Replace(model.HistoryShareOf(id, v.EntityState), model.HistoryShare{})
	all := model.NumberKey(model.KeyEntity, v.Ordinal)
	asked := model.Key(model.KeyAsked, id)
	err := errors.Join(f.DeleteRange(all, model.PrefixEnd(all)), f.DeleteRange(asked, model.PrefixEnd(asked)))
	for _, k := range [][]byte{
		model.Key(model.KeyOrdinal, id), state.DirtyKey(state.DirtyEpisode, id),
		state.EntityDirtyKey(state.DirtyReady, v.Workflow, id), state.EntityDirtyKey(state.DirtyOpen, v.Workflow, id),
	} {
		err = errors.Join(err, f.Delete(k))
	}
	return err
}

// end deletes the rows of the affected entities and commits. The rows go first: what they are can be found out as long as the state
// knows it.
func (f *erasure) end(ctx context.Context) error {
	ids := make([]uuid.UUID, 0, len(f.affected))
	for id := range f.affected {
		ids = append(ids, id)
	}
	for part := range slices.Chunk(ids, removeRows) {
		of := schema.In("entity_uuid", uuidStrings(part)...)
		for _, table := range []string{schema.Entities, schema.Episodes} {
			if err := project.StoreError("delete from", table, f.Opts.Store.Delete(ctx, table, of)); err != nil {
				return err
			}
		}
	}
	if err := f.Opts.Fault.At(state.AfterDelete); err != nil {
		return err
	}
	if err := errors.Join(f.Finish(), f.unplace(), f.uncount(), f.requarantine()); err != nil {
		return err
	}
	return f.Engine.Commit(f.Tx)
}

// removeRows is how many entities are named in one question to the store.
const removeRows = 500

func uuidStrings(ids []uuid.UUID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}

// uncount takes rows of traces out of their workflows' counts.
func (f *erasure) uncount() error {
	for workflow, n := range f.counts {
		k := model.TraceCountKey(workflow)
		t, err := state.Load(f.DB, k, model.DecodeTraceCount)
		if err != nil {
			return err
		}
		if t == nil || n == 0 {
			continue
		}
		if t.Events -= n; t.Events <= 0 {
			err = f.Delete(k)
		} else {
			err = f.Set(k, t.Encode())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
