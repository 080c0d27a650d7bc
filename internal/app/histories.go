package app

import (
	"context"
	"time"

	"assay/consumers/gold"
	"assay/internal/query"
)

// Limits of what is read of partitions for one list.
const (
	listPage    = 100    // workflows read of a partition at a time
	listScanned = 10_000 // looked at for one page
	namesRead   = 20_000 // of a partition
)

// histories answers questions about workflows from the states of all partitions.
type histories struct{ pipeline *Pipeline }

var _ query.Histories = histories{}

// Workflows implements query.Histories.
func (h histories) Workflows(
	ctx context.Context, cursor string, since time.Time, limit int, accept func(*query.WorkflowSummary) bool,
) (page []query.WorkflowSummary, next string, err error) {
	lists := make([]*list, h.pipeline.gold.Count())
	for n := range lists {
		lists[n] = &list{of: h.pipeline.partition(n), since: since, cursor: cursor, more: true}
	}
	for range listScanned {
		first, err := firstOf(ctx, lists)
		if err != nil || first == nil {
			return page, "", err
		}
		if len(page) == limit {
			return page, cursor, nil
		}
		w := first.take()
		if cursor = w.Cursor; accept(&w.WorkflowSummary) {
			page = append(page, w.WorkflowSummary)
		}
	}
	return page, cursor, nil
}

// list is what is still to come of a partition's list of workflows.
type list struct {
	of     partition
	since  time.Time
	page   []listed
	cursor string // of the page after it
	more   bool   // there is one
}

// firstOf returns the list that goes on with the workflow that was active last, nil if all are at their end.
func firstOf(ctx context.Context, lists []*list) (first *list, err error) {
	for _, l := range lists {
		for len(l.page) == 0 && l.more {
			if l.page, l.cursor, err = l.of.Workflows(ctx, l.cursor, l.since, listPage); err != nil {
				return nil, err
			}
			l.more = l.cursor != ""
		}
		if len(l.page) > 0 && (first == nil || gold.CompareCursors(l.page[0].Cursor, first.page[0].Cursor) < 0) {
			first = l
		}
	}
	return first, nil
}

func (l *list) take() *listed {
	w := &l.page[0]
	l.page = l.page[1:]
	return w
}

// Summary implements query.Histories.
func (h histories) Summary(ctx context.Context, workflow string) (*query.WorkflowSummary, error) {
	return h.pipeline.partitionOf(workflow).Workflow(ctx, workflow)
}

// Names implements query.Histories.
func (h histories) Names(ctx context.Context, use func(name string) (more bool)) error {
	for n := range h.pipeline.gold.Count() {
		names, err := h.pipeline.partition(n).WorkflowNames(ctx, namesRead)
		if err != nil {
			return err
		}
		for _, name := range names {
			if !use(name) {
				return nil
			}
		}
	}
	return nil
}

// Conversation implements query.Histories.
func (h histories) Conversation(
	ctx context.Context, workflow string, request query.ConversationRequest, maxBytes int,
) ([]query.Entity, string, error) {
	return h.pipeline.partitionOf(workflow).Conversation(ctx, workflow, gold.Turns{
		Cursor: request.Cursor, Limit: request.Limit, MaxBytes: maxBytes, Backward: request.Backward,
	})
}
