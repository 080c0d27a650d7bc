package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"assay/consumers/gold"
	"assay/internal/query"
)

// partition answers questions from the state of one partition: here, where this worker owns it, or there, from its owner (partition_remote.go).
type partition interface {
	// Unsettled returns the entities of a workflow that the tables do not show yet, or show in an older state.
	Unsettled(ctx context.Context, workflow string) ([]query.Entity, error)
	TraceCount(ctx context.Context, workflow string) (gold.TraceCount, error)
	// Workflow returns the summary of a workflow, nil if nothing is known of it; Workflows a page of a list, the last active first.
	Workflow(ctx context.Context, workflow string) (*query.WorkflowSummary, error)
	Workflows(ctx context.Context, cursor string, since time.Time, limit int) (page []listed, next string, err error)
	WorkflowNames(ctx context.Context, limit int) ([]string, error)
	Conversation(ctx context.Context, workflow string, turns gold.Turns) (page []query.Entity, next string, err error)
	Quarantines(ctx context.Context) (bool, error)
	QuarantinedBy(ctx context.Context, id uuid.UUID) (uuid.UUID, error)
	Totals(ctx context.Context) (gold.Totals, error)
}

// listed is a workflow in a list, and where it stands there.
type listed struct {
	query.WorkflowSummary
	Cursor string `json:"cursor"`
}

// errElsewhere means that a partition has left this process.
var errElsewhere = errors.New("the partition is folded elsewhere")

// here is a partition of this process.
type here struct {
	pipeline *Pipeline
	n        int
}

var _ partition = here{}

// ask has a question answered while the partition stays open.
func (h here) ask(question func(*gold.Gold) error) error {
	if err := h.pipeline.answering(); err != nil {
		return err
	}
	g, done := h.pipeline.gold.Use(h.n)
	defer done()
	if g == nil {
		return errElsewhere
	}
	return question(g)
}

// Unsettled implements partition.
func (h here) Unsettled(ctx context.Context, workflow string) (live []query.Entity, err error) {
	err = h.ask(func(g *gold.Gold) error {
		found, err := g.Unsettled(ctx, workflow)
		live = shown(found)
		return err
	})
	return live, err
}

// TraceCount implements partition.
func (h here) TraceCount(_ context.Context, workflow string) (count gold.TraceCount, err error) {
	err = h.ask(func(g *gold.Gold) (err error) {
		count, err = g.TraceCount(workflow)
		return err
	})
	return count, err
}

// Workflow implements partition.
func (h here) Workflow(_ context.Context, workflow string) (summary *query.WorkflowSummary, err error) {
	err = h.ask(func(g *gold.Gold) error {
		w, err := g.Workflow(workflow)
		if w != nil {
			shown := summaryOf(w)
			summary = &shown
		}
		return err
	})
	return summary, err
}

// Workflows implements partition.
func (h here) Workflows(ctx context.Context, cursor string, since time.Time, limit int) (page []listed, next string, err error) {
	err = h.ask(func(g *gold.Gold) (err error) {
		var found []*gold.Workflow
		found, next, err = g.Workflows(ctx, cursor, since, limit, func(*gold.Workflow) bool { return true })
		for _, w := range found {
			page = append(page, listed{summaryOf(w), w.Cursor})
		}
		return pageError(err)
	})
	return page, next, err
}

// WorkflowNames implements partition.
func (h here) WorkflowNames(_ context.Context, limit int) (names []string, err error) {
	err = h.ask(func(g *gold.Gold) (err error) {
		names, err = g.WorkflowNames(limit)
		return err
	})
	return names, err
}

// Conversation implements partition.
func (h here) Conversation(ctx context.Context, workflow string, turns gold.Turns) (page []query.Entity, next string, err error) {
	err = h.ask(func(g *gold.Gold) (err error) {
		var found []*gold.Entity
		found, next, err = g.Conversation(ctx, workflow, turns)
		page = shown(found)
		return pageError(err)
	})
	return page, next, err
}

// Quarantines implements partition.
func (h here) Quarantines(context.Context) (some bool, err error) {
	err = h.ask(func(g *gold.Gold) (err error) {
		some, err = g.Quarantines()
		return err
	})
	return some, err
}

// QuarantinedBy implements partition.
func (h here) QuarantinedBy(_ context.Context, id uuid.UUID) (by uuid.UUID, err error) {
	err = h.ask(func(g *gold.Gold) (err error) {
		by, err = g.QuarantinedBy(id)
		return err
	})
	return by, err
}

// Totals implements partition.
func (h here) Totals(context.Context) (totals gold.Totals, err error) {
	err = h.ask(func(g *gold.Gold) error { totals = g.Totals(); return nil })
	return totals, err
}

func summaryOf(w *gold.Workflow) query.WorkflowSummary {
	return query.WorkflowSummary{
		WorkflowID: w.ID, Title: w.Title, Agents: w.Agents, Models: w.Models, FirstAt: w.FirstAt, LastAt: w.LastAt,
		Messages: w.Messages, Calls: w.Calls, Errors: w.Errors, OpenCalls: w.OpenCalls,
		InputTokens: w.InputTokens, OutputTokens: w.OutputTokens,
		CachedTokens: w.CachedTokens, ReasoningTokens: w.ReasoningTokens, CostUSD: w.CostUSD,
	}
}

// pageError makes a cursor that is none the fault of who asked.
func pageError(err error) error {
	if errors.Is(err, gold.ErrCursor) {
		return fmt.Errorf("%w: %w", query.ErrRequest, err)
	}
	return err
}
