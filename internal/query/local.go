package query

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

// Store is what a Local reads tables from.
type Store interface {
	Query(ctx context.Context, q schema.Query) (array.RecordReader, error)
	Count(ctx context.Context, table string, where schema.Filter) (int64, error)
}

// Embedder turns texts into vectors for Recall. Only episodes that were embedded with its model are compared.
type Embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	Model() string
}

// Local answers from a store in this process.
type Local struct {
	Store    Store
	Embedder Embedder // nil if its vectors have another length than those stored
	// Unsettled returns the entities of a workflow that the tables do not show yet, or show in an older state.
	Unsettled func(ctx context.Context, workflow string) ([]Entity, error)
	// TraceCount returns how many events traces has of a workflow, and the newest frame that brought one.
	TraceCount func(ctx context.Context, workflow string) (events, lastBronzeSeq int64, err error)
	// AsOf returns the entities of a workflow as they were at a time.
	AsOf func(ctx context.Context, workflow string, at time.Time) ([]Entity, error)
	// Histories lists workflows and tells conversations.
	Histories Histories
	// Log is where captured events are.
	Log Log
	// Progress implements Settled.
	Progress func(ctx context.Context) (Settled, error)
	// Quarantines tells whether anything was taken back at all.
	Quarantines func(ctx context.Context) (bool, error)
	// QuarantinedBy returns the event that took back the event or entity with an id, "" if none did.
	QuarantinedBy func(ctx context.Context, id string) (string, error)
	// Letters returns what lies on DEAD, oldest first, behind a sequence, and whether there are more than were asked for.
	Letters func(ctx context.Context, after uint64, limit int) (letters []Dead, more bool, err error)
	// Summary counts what every layer holds.
	Summary func(ctx context.Context) (*Summary, error)
	// Forgetter implements Forget.
	Forgetter func(ctx context.Context, workflow string, opts ForgetOptions) (*Forgetting, error)
	// Publications steers promotions.
	Publications Publications

	oneModel atomic.Bool // every vector is of the embedder's model, and will be
}

var _ View = (*Local)(nil)

// Limits of one answer.
const (
	maxMetrics       = 1_000_000
	maxGraphElements = 1_000_000
)

// Capabilities implements View.
func (l *Local) Capabilities(ctx context.Context) ([]Capability, error) {
	rows, err := query[Capability](ctx, l.Store, schema.Query{
		Table: schema.CapabilityMetrics, OrderBy: []schema.Order{{Column: "capability"}, {Column: "bucket"}}, Limit: maxMetrics,
	})
	if err != nil {
		return nil, err
	}
	return sumCapabilities(rows)
}

// Graph implements View.
func (l *Local) Graph(ctx context.Context) (*Graph, error) {
	elements, err := query[Element](ctx, l.Store, schema.Query{
		Table: schema.UsageGraph, OrderBy: []schema.Order{{Column: "element_id"}}, Limit: maxGraphElements,
	})
	if err != nil {
		return nil, err
	}
	g := &Graph{Nodes: []Element{}, Edges: []Element{}}
	for _, e := range sumElements(elements) {
		if e.Element == "node" {
			g.Nodes = append(g.Nodes, e)
		} else {
			g.Edges = append(g.Edges, e)
		}
	}
	return g, nil
}

// Status implements View.
func (l *Local) Status(ctx context.Context) (*Summary, error) { return l.Summary(ctx) }

// query reads all rows that q asks for.
func query[T any](ctx context.Context, store Store, q schema.Query) ([]T, error) {
	r, err := store.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("view: read %s: %w", q.Table, err)
	}
	defer r.Release()
	rows, err := schema.Scan[T](r)
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
