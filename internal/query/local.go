package query

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"assay/sovereign/schema"
)

// Local answers from a store in this process.
type Local struct {
	Store    schema.Reader
	Embedder schema.Embedder // nil if its vectors have another length than those stored
	// States is what was folded.
	States States
	// Histories lists workflows and tells conversations.
	Histories Histories
	// Log is where captured events are.
	Log Log
	// Operations answers for the program as a whole.
	Operations Operations
	// Publications steers promotions.
	Publications Publications

	oneModel atomic.Bool // every vector is of the embedder's model, and will be
}

var _ View = (*Local)(nil)

// States is what a Local reads from the states that the tables follow. In the program it is internal/app/answers.go, which asks each
// partition (partition_local.go there, and partition_remote.go where another worker owns it).
type States interface {
	// Unsettled returns the entities of a workflow that the tables do not show yet, or show in an older state.
	Unsettled(ctx context.Context, workflow string) ([]Entity, error)
	// TraceCount returns how many events traces has of a workflow, and the newest frame that brought one.
	TraceCount(ctx context.Context, workflow string) (events, lastBronzeSeq int64, err error)
	// AsOf returns the entities of a workflow as they were at a time.
	AsOf(ctx context.Context, workflow string, at time.Time) ([]Entity, error)
	// Quarantines tells whether anything was taken back at all.
	Quarantines(ctx context.Context) (bool, error)
	// QuarantinedBy returns the event that took back the event or entity with an id, "" if none did.
	QuarantinedBy(ctx context.Context, id string) (string, error)
}

// Operations is what a Local asks of the program as a whole: internal/app/answers.go.
type Operations interface {
	SettledView
	// DeadLetters returns what lies on DEAD, oldest first, behind a sequence, and whether there are more than were asked for.
	DeadLetters(ctx context.Context, after uint64, limit int) (letters []Dead, more bool, err error)
	// Status counts what every layer holds.
	Status(ctx context.Context) (*Summary, error)
	// Forget removes a workflow for good, as View does.
	Forget(ctx context.Context, workflow string, opts ForgetOptions) (*Forgetting, error)
}

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
func (l *Local) Status(ctx context.Context) (*Summary, error) { return l.Operations.Status(ctx) }

// query reads all rows that q asks for.
func query[T any](ctx context.Context, store schema.Reader, q schema.Query) ([]T, error) {
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
