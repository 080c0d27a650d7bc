package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/consumers/gold"
	"assay/internal/query"
)

// histories answers questions about workflows from Gold's state.
type histories struct{ gold *gold.Gold }

var _ query.Histories = histories{}

// Workflows implements query.Histories.
func (h histories) Workflows(
	ctx context.Context, cursor string, since time.Time, limit int, accept func(*query.WorkflowSummary) bool,
) ([]query.WorkflowSummary, string, error) {
	var page []query.WorkflowSummary
	_, next, err := h.gold.Workflows(ctx, cursor, since, limit, func(w *gold.Workflow) bool {
		shown := summaryOf(w)
		if !accept(&shown) {
			return false
		}
		page = append(page, shown)
		return true
	})
	return page, next, pageError(err)
}

func summaryOf(w *gold.Workflow) query.WorkflowSummary {
	return query.WorkflowSummary{
		WorkflowID: w.ID, Title: w.Title, Agents: w.Agents, Models: w.Models, FirstAt: w.FirstAt, LastAt: w.LastAt,
		Messages: w.Messages, Calls: w.Calls, Errors: w.Errors, OpenCalls: w.OpenCalls,
		InputTokens: w.InputTokens, OutputTokens: w.OutputTokens,
		CachedTokens: w.CachedTokens, ReasoningTokens: w.ReasoningTokens, CostUSD: w.CostUSD,
	}
}

// Summary implements query.Histories.
func (h histories) Summary(workflow string) (*query.WorkflowSummary, error) {
	w, err := h.gold.Workflow(workflow)
	if err != nil || w == nil {
		return nil, err
	}
	summary := summaryOf(w)
	return &summary, nil
}

// Names implements query.Histories.
func (h histories) Names(use func(name string) (more bool)) error { return h.gold.WorkflowNames(use) }

// Conversation implements query.Histories.
func (h histories) Conversation(
	ctx context.Context, workflow string, request query.ConversationRequest, maxBytes int,
) ([]query.Entity, string, error) {
	turns, next, err := h.gold.Conversation(ctx, workflow, gold.Turns{
		Cursor: request.Cursor, Limit: request.Limit, MaxBytes: maxBytes, Backward: request.Backward,
	})
	return shown(turns), next, pageError(err)
}

// pageError makes a cursor that is none the fault of who asked.
func pageError(err error) error {
	if errors.Is(err, gold.ErrCursor) {
		return fmt.Errorf("%w: %w", query.ErrRequest, err)
	}
	return err
}
