package gold

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/google/uuid"

	"assay/kernels"
	"assay/sovereign/schema"
)

// Forgetting takes all that the events of a workflow contributed out of the state and the tables, as if they had never come.
// Sums have inverses. An entity has none, so it goes as a whole; where other events contributed to it too, it is made anew
// of their traces.

// Burial is what Forget needs to know, once folding stands still.
type Burial struct {
	Through   uint64                         // frames of BRONZE up to this one are forgotten
	Spellings []string                       // of the workflow, as far as they were known when it was buried first
	Rows      iter.Seq2[arrow.Record, error] // the workflow's events in them, as rows of Silver; some may come twice
	Gaps      bool                           // frames have left the log, so that traces has more of them than Rows
}

// Forgotten counts what Forget took out.
type Forgotten struct {
	Events, Entities uint64
}

// Steps of Forget, for tests that crash it there.
const (
	AfterDelete FaultPoint = "after delete" // entities and episodes lack the rows, the state still has what they showed
	AfterForget FaultPoint = "after forget" // the state has forgotten, traces has the rows
)

// Spellings returns the names of workflows in traces that are one: identities do not tell them apart.
func (g *Gold) Spellings(workflow string) (names []string, err error) {
	name := kernels.NormaliseString(workflow, false)
	err = scan(g.state.db, []byte{keyTraces}, func(k, _ []byte) (bool, error) {
		if spelling := string(k[1:]); kernels.NormaliseString(spelling, false) == name {
			names = append(names, spelling)
		}
		return true, nil
	})
	return names, err
}

// Forget forgets a workflow. bury is called once nothing is folded or flushed any more, with the workflow's spellings; from
// then on Options.Forgotten must tell that its events up to Burial.Through are forgotten. Whatever stops Forget, calling it
// again with the same burial ends it. The tables show it after the next flush.
func (g *Gold) Forget(
	ctx context.Context, workflow string, bury func(ctx context.Context, spellings []string) (*Burial, error),
) (*Forgotten, error) {
	g.folding.Lock()
	defer g.folding.Unlock()
	g.flushing.Lock()
	defer g.flushing.Unlock()
	g.appending.Lock()
	defer g.appending.Unlock()
	spellings, err := g.Spellings(workflow)
	if err != nil {
		return nil, err
	}
	burial, err := bury(ctx, spellings)
	if err != nil {
		return nil, err
	}
	if err := g.writeHeld(ctx); err != nil {
		return nil, err
	}
	g.awaited = nil
	f := newForgetting(g)
	defer f.release()
	if err := f.takeAll(ctx, burial.Rows); err != nil {
		return nil, err
	}
	of := schema.And(schema.In("workflow_id", f.spellings(spellings, burial.Spellings)...), schema.Le("bronze_seq", int64(burial.Through)))
	if burial.Gaps {
		if err := f.takeAll(ctx, f.traced(ctx, of)); err != nil {
			return nil, err
		}
	}
	if err := f.remake(ctx, of); err != nil {
		return nil, err
	}
	if err := f.end(ctx); err != nil {
		return nil, err
	}
	if err := g.fault(AfterForget); err != nil {
		return nil, err
	}
	if err := storeError("delete from", schema.Traces, g.opts.Store.Delete(ctx, schema.Traces, of)); err != nil {
		return nil, err
	}
	return &Forgotten{Events: uint64(len(f.gone)), Entities: uint64(len(f.victims) - f.shared)}, errors.Join(g.noteSaid(), g.spread())
}

// Compact rewrites the state store, so that nothing that was deleted is left in its files. Folding goes on meanwhile.
func (g *Gold) Compact(ctx context.Context) error { return g.state.purge(ctx, &g.committing) }

// forgetting is the forgetting of a workflow in one commit.
type forgetting struct {
	*folding
	gone     map[uuid.UUID]bool // events
	recalled map[block]bool
	victims  map[uuid.UUID]*victim
	counts   map[string]int64 // rows of traces, by spelling
	last     string           // spelling
	held     []arrow.Record   // what the entities made anew alias
	shared   int              // victims that are made anew
}

// victim is an entity to which a forgotten event contributed.
type victim struct {
	*entity
	left int64       // events that are not forgotten
	own  []uuid.UUID // forgotten events that have ids of their own
}

func newForgetting(g *Gold) *forgetting {
	f := g.newFold()
	f.markAll()
	return &forgetting{
		folding: f, gone: map[uuid.UUID]bool{}, recalled: map[block]bool{}, victims: map[uuid.UUID]*victim{},
		counts: map[string]int64{},
	}
}

func (f *forgetting) release() {
	f.close()
	for _, record := range f.held {
		record.Release()
	}
}

// spellings adds those that were met to those that were known.
func (f *forgetting) spellings(known ...[]string) []string {
	all := append(slices.Concat(known...), slices.Collect(maps.Keys(f.counts))...)
	slices.Sort(all)
	return slices.Compact(all)
}

// remake drops the victims, and makes those anew that have events left.
func (f *forgetting) remake(ctx context.Context, forgotten schema.Filter) error {
	var shared []uuid.UUID
	for id, v := range f.victims {
		if err := f.drop(id, v); err != nil {
			return err
		}
		if v.left > 0 {
			shared = append(shared, id)
			f.entities[id] = &folded{entity: newEntity(f.progress.nextOrdinal()), fresh: true}
			f.order = append(f.order, id)
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
func (f *forgetting) drop(id uuid.UUID, v *victim) error {
	f.totals.Entities--
	if err := f.unsay(id, v.entity); err != nil {
		return err
	}
	f.ledger.replace(callOf(id, v.entity), call{})
	f.histories.replace(shareOf(id, v.entity), share{})
	all := numberKey(keyEntity, v.ordinal)
	asked := key(keyAsked, id)
	err := stateError("write", errors.Join(f.writes.DeleteRange(all, after(all), nil), f.writes.DeleteRange(asked, after(asked), nil)))
	for _, k := range [][]byte{
		key(keyOrdinal, id), markKey(dirtyEpisode, id),
		entityMark(dirtyReady, v.workflow, id), entityMark(dirtyOpen, v.workflow, id),
	} {
		err = errors.Join(err, f.delete(k))
	}
	return err
}

// end deletes the rows of the victims and commits. The rows go first: what they are can be found out as long as the state
// knows it.
func (f *forgetting) end(ctx context.Context) error {
	ids := make([]uuid.UUID, 0, len(f.victims))
	for id := range f.victims {
		ids = append(ids, id)
	}
	for part := range slices.Chunk(ids, removeRows) {
		of := schema.In("entity_uuid", uuidStrings(part)...)
		for _, table := range []string{schema.Entities, schema.Episodes} {
			if err := storeError("delete from", table, f.g.opts.Store.Delete(ctx, table, of)); err != nil {
				return err
			}
		}
	}
	if err := f.g.fault(AfterDelete); err != nil {
		return err
	}
	if err := errors.Join(f.finish(), f.unplace(), f.uncount(), f.requarantine()); err != nil {
		return err
	}
	return f.g.commit(f.folding)
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
func (f *forgetting) uncount() error {
	for workflow, n := range f.counts {
		k := traceCountKey(workflow)
		t, err := load(f.g.state.db, k, decodeTraceCount)
		if err != nil {
			return err
		}
		if t == nil || n == 0 {
			continue
		}
		if t.Events -= n; t.Events <= 0 {
			err = f.delete(k)
		} else {
			err = f.set(k, t.encode())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
