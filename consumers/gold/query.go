package gold

import (
	"context"
	"errors"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// Entity returns the current state of an entity, nil if it is not known.
func (g *Gold) Entity(id uuid.UUID) (*Entity, error) {
	snapshot := g.db.NewSnapshot()
	defer snapshot.Close()
	return state.LoadEntity(snapshot, id)
}

// MaxUnsettled bounds the answer of Unsettled.
const MaxUnsettled = 10_000

// Unsettled returns the entities of a workflow that the table does not show yet, or shows in an older state: what a
// rehydration adds to the table.
func (g *Gold) Unsettled(ctx context.Context, workflow string) ([]*Entity, error) {
	held := g.tables.HeldOf(model.HashOf(workflow))
	snapshot := g.db.NewSnapshot()
	defer snapshot.Close()
	var found []*Entity
	known := map[uuid.UUID]bool{}
	add := func(id uuid.UUID) (more bool, err error) {
		if known[id] {
			return true, nil
		}
		known[id] = true
		e, err := state.LoadEntity(snapshot, id)
		if err == nil && e != nil && e.WorkflowID == workflow {
			found = append(found, e)
		}
		return err == nil && len(found) < MaxUnsettled && ctx.Err() == nil, err
	}
	for _, id := range held {
		if more, err := add(id); !more {
			return found, errors.Join(err, ctx.Err())
		}
	}
	for _, table := range []byte{state.DirtyReady, state.DirtyOpen} {
		err := state.Scan(snapshot, state.WorkflowDirtyPrefix(table, workflow), func(k, _ []byte) (bool, error) {
			return add(model.LastID(k))
		})
		if err != nil {
			return nil, err
		}
	}
	return found, ctx.Err()
}

// Metrics yields the capability metrics as of one commit, ordered by id. It stops after an error.
func (g *Gold) Metrics() iter.Seq2[*Metric, error] {
	return views(g.db, model.KeyMetric, func(from pebble.Reader, id uuid.UUID, record []byte) (*Metric, error) {
		m, err := model.DecodeMetricSum(record)
		if err != nil {
			return nil, err
		}
		return model.NewMetric(id, m), nil
	})
}

// Graph yields the usage graph as of one commit, ordered by id. It stops after an error.
func (g *Gold) Graph() iter.Seq2[*Element, error] {
	return views(g.db, model.KeyElement, state.LoadElement)
}

// views yields what view makes of the records of one kind, as of one commit.
func views[V any](db *state.DB, kind byte, view func(pebble.Reader, uuid.UUID, []byte) (*V, error)) iter.Seq2[*V, error] {
	return func(yield func(*V, error) bool) {
		snapshot := db.NewSnapshot()
		defer snapshot.Close()
		err := state.Scan(snapshot, []byte{kind}, func(k, record []byte) (bool, error) {
			v, err := view(snapshot, uuid.UUID(k[1:]), record)
			return err == nil && yield(v, nil), err
		})
		if err != nil {
			yield(nil, err)
		}
	}
}

// Unreadable counts the entities that were set aside because the state cannot be read of them, up to maxAside.
func (g *Gold) Unreadable() (n int, err error) { return state.CountUnreadable(g.db) }

// Quarantines tells whether anything at all is quarantined.
func (g *Gold) Quarantines() (some bool, err error) { return state.AnyQuarantined(g.db) }

// QuarantinedBy returns the event that took back what an entity, or an event with an id of its own, is or descends from;
// uuid.Nil if none did.
func (g *Gold) QuarantinedBy(id uuid.UUID) (uuid.UUID, error) {
	snapshot := g.db.NewSnapshot()
	defer snapshot.Close()
	return state.QuarantinedWithEntity(snapshot, id)
}

// TraceCount returns what traces has of a workflow.
func (g *Gold) TraceCount(workflow string) (TraceCount, error) {
	found, err := state.Load(g.db, model.TraceCountKey(workflow), model.DecodeTraceCount)
	if err != nil || found == nil {
		return TraceCount{}, err
	}
	return *found, nil
}

// Spellings returns the names of workflows in traces that are one: identities do not tell them apart.
func (g *Gold) Spellings(workflow string) (names []string, err error) {
	return state.Spellings(g.db, workflow)
}
