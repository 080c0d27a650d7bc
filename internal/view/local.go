package view

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/internal/tables"
)

// Store is what a Local reads tables from.
type Store interface {
	Query(ctx context.Context, q tables.Query) (array.RecordReader, error)
	Count(ctx context.Context, table string, where tables.Filter) (int64, error)
}

// Embedder turns texts into vectors for Recall; it must be the one that the episodes were embedded with.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	Model() string
}

// Local answers from a store in this process.
type Local struct {
	Store    Store
	Embedder Embedder
	// Unsettled returns the entities of a workflow that the tables do not show yet, or show in an older state.
	Unsettled func(ctx context.Context, workflow string) ([]Entity, error)
	// Letters returns what lies on DEAD, oldest first.
	Letters func(ctx context.Context, limit int) ([]Dead, error)
	// Summary counts what every layer holds.
	Summary func(ctx context.Context) (*Summary, error)
}

var _ View = (*Local)(nil)

// Limits of one answer.
const (
	DefaultEntities  = 100
	maxEntities      = 10_000
	lastMessages     = 20
	maxOpenCalls     = 1_000
	maxPromotions    = 100_000
	maxMetrics       = 1_000_000
	maxGraphElements = 1_000_000
)

// Rehydrate implements View.
func (l *Local) Rehydrate(ctx context.Context, workflow string, opts RehydrateOptions) (*Workflow, error) {
	opts.Limit = clamp(opts.Limit, DefaultEntities, maxEntities)
	of := tables.Eq("workflow_id", workflow)
	w := &Workflow{WorkflowID: workflow}

	live, err := l.Unsettled(ctx, workflow)
	if err != nil {
		return nil, fmt.Errorf("view: unsettled entities of %q: %w", workflow, err)
	}
	// Pages are cut from the stored rows with the live ones laid over them, so read as far as the page reaches.
	stored, err := query[Entity](ctx, l.Store, tables.Query{
		Table: tables.Entities, Where: of, OrderBy: newestFirst, Limit: opts.Offset + opts.Limit,
	})
	if err != nil {
		return nil, err
	}
	entities := overlay(stored, live)
	if w.Promotions, err = l.promotions(ctx, of); err != nil {
		return nil, err
	}
	if len(entities) == 0 && len(w.Promotions) == 0 {
		return nil, fmt.Errorf("%w: workflow %q", ErrNotFound, workflow)
	}
	if w.EntitiesTotal, err = l.Store.Count(ctx, tables.Entities, of); err != nil {
		return nil, err
	}
	w.EntitiesTotal += int64(len(entities) - len(stored))
	w.OpenCalls, err = l.open(ctx, of, entities, live)
	if err != nil {
		return nil, err
	}
	w.Messages = messages(entities)
	w.Entities = page(entities, opts)
	return w, l.countEvents(ctx, w, of)
}

var newestFirst = []tables.Order{{Column: "started_at", Descending: true}, {Column: "last_position", Descending: true}}

// overlay replaces stored entities by their live state and adds those that are live only, newest first.
func overlay(stored, live []Entity) []Entity {
	at := map[string]int{}
	all := slices.Clone(stored)
	for i := range all {
		at[all[i].EntityUUID] = i
	}
	for _, e := range live {
		if i, ok := at[e.EntityUUID]; ok {
			all[i] = e
		} else {
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Entity) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(b.LastPosition, a.LastPosition), cmp.Compare(a.EntityUUID, b.EntityUUID))
	})
	return all
}

// open returns the calls that have no answer, also those beyond the page.
func (l *Local) open(ctx context.Context, of tables.Filter, entities, live []Entity) ([]Entity, error) {
	stored, err := query[Entity](ctx, l.Store, tables.Query{
		Table: tables.Entities, Where: tables.And(of, tables.Eq("status", "open")), OrderBy: newestFirst, Limit: maxOpenCalls,
	})
	if err != nil {
		return nil, err
	}
	open := overlay(stored, live)
	return slices.DeleteFunc(open, func(e Entity) bool { return e.Status != "open" || e.Request == "" }), nil
}

// messages returns the last entities that are whole messages, oldest first, as a conversation is read.
func messages(newest []Entity) []Entity {
	var found []Entity
	for _, e := range newest {
		if e.Kind == "message" && e.Text != "" && len(found) < lastMessages {
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	return found
}

func page(entities []Entity, opts RehydrateOptions) []Entity {
	from := min(opts.Offset, len(entities))
	return entities[from:min(from+opts.Limit, len(entities))]
}

func (l *Local) countEvents(ctx context.Context, w *Workflow, of tables.Filter) (err error) {
	if w.Events, err = l.Store.Count(ctx, tables.Traces, of); err != nil {
		return err
	}
	type row struct {
		Seq int64 `col:"bronze_seq"`
	}
	last, err := query[row](ctx, l.Store, tables.Query{
		Table: tables.Traces, Columns: []string{"bronze_seq"}, Where: of,
		OrderBy: []tables.Order{{Column: "bronze_seq", Descending: true}}, Limit: 1,
	})
	if err == nil && len(last) > 0 {
		w.LastBronzeSeq = last[0].Seq
	}
	return err
}

// Capabilities implements View.
func (l *Local) Capabilities(ctx context.Context) ([]Capability, error) {
	return query[Capability](ctx, l.Store, tables.Query{
		Table: tables.CapabilityMetrics, OrderBy: []tables.Order{{Column: "capability"}, {Column: "bucket"}}, Limit: maxMetrics,
	})
}

// Graph implements View.
func (l *Local) Graph(ctx context.Context) (*Graph, error) {
	elements, err := query[Element](ctx, l.Store, tables.Query{
		Table: tables.UsageGraph, OrderBy: []tables.Order{{Column: "element_id"}}, Limit: maxGraphElements,
	})
	if err != nil {
		return nil, err
	}
	g := &Graph{Nodes: []Element{}, Edges: []Element{}}
	for _, e := range elements {
		if e.Element == "node" {
			g.Nodes = append(g.Nodes, e)
		} else {
			g.Edges = append(g.Edges, e)
		}
	}
	return g, nil
}

// Promotions implements View.
func (l *Local) Promotions(ctx context.Context, state string) ([]Promotion, error) {
	var where tables.Filter
	if state != "" {
		where = tables.Eq("state", state)
	}
	return l.promotions(ctx, where)
}

func (l *Local) promotions(ctx context.Context, where tables.Filter) ([]Promotion, error) {
	return query[Promotion](ctx, l.Store, tables.Query{
		Table: tables.Promotions, Where: where, OrderBy: []tables.Order{{Column: "ts"}, {Column: "event_uuid"}}, Limit: maxPromotions,
	})
}

// Dead implements View.
func (l *Local) Dead(ctx context.Context, limit int) ([]Dead, error) { return l.Letters(ctx, limit) }

// Status implements View.
func (l *Local) Status(ctx context.Context) (*Summary, error) { return l.Summary(ctx) }

// query reads all rows that q asks for.
func query[T any](ctx context.Context, store Store, q tables.Query) ([]T, error) {
	r, err := store.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("view: read %s: %w", q.Table, err)
	}
	defer r.Release()
	rows, err := tables.Scan[T](r)
	if err != nil {
		return nil, fmt.Errorf("view: read %s: %w", q.Table, err)
	}
	return rows, nil
}

// clamp returns n within 1 and most, or the default where n is not given.
func clamp(n, otherwise, most int) int {
	if n <= 0 {
		n = otherwise
	}
	return min(n, most)
}
