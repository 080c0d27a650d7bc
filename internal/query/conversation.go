package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"assay/sovereign/schema"
)

// Conversation implements View.
func (l *Local) Conversation(ctx context.Context, workflow string, request ConversationRequest) (*Conversation, error) {
	request.Limit = clamp(request.Limit, DefaultTurns, maxTurnPage)
	read := l.Histories.Conversation
	if !request.At.IsZero() {
		read = l.conversationThen
	}
	entities, next, err := read(ctx, workflow, request, maxTurnBytes)
	if err != nil {
		return nil, err
	}
	summary, err := l.Histories.Summary(ctx, workflow)
	if err != nil {
		return nil, err
	}
	if summary == nil && len(entities) == 0 && request.Cursor == "" {
		return nil, l.unknown(ctx, workflow)
	}
	shown := turns(entities)
	if err := l.carriedOut(ctx, shown); err != nil {
		return nil, err
	}
	return &Conversation{workflow, summary, shown, next}, nil
}

// carriedOut tells of calls that count elsewhere what is known of them there.
func (l *Local) carriedOut(ctx context.Context, turns []Turn) error {
	var ids []string
	for i := range turns {
		if turns[i].CountedAs != "" {
			ids = append(ids, turns[i].CountedAs)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	found, err := l.entities(ctx, schema.In("entity_uuid", ids...), len(ids))
	if err != nil {
		return err
	}
	known := map[string]*CarriedOut{}
	for _, e := range found {
		known[e.EntityUUID] = &CarriedOut{e.EntityUUID, e.WorkflowID, e.Status, e.LatencyUS, e.answer(), e.Error}
	}
	for i := range turns {
		turns[i].CarriedOut = known[turns[i].CountedAs]
	}
	return nil
}

// conversationThen is a conversation as of another time. All of it is folded for each page, so its cursor is a number of turns.
func (l *Local) conversationThen(
	ctx context.Context, workflow string, request ConversationRequest, maxBytes int,
) (page []Entity, next string, err error) {
	passed := 0
	if request.Cursor != "" {
		if passed, err = strconv.Atoi(request.Cursor); err != nil || passed < 0 {
			return nil, "", fmt.Errorf("%w: cursor %q is none that a page ended with", ErrRequest, request.Cursor)
		}
	}
	all, err := l.States.AsOf(ctx, workflow, request.At)
	if err != nil {
		return nil, "", fmt.Errorf("view: workflow %q as of %s: %w", workflow, request.At, err)
	}
	all = slices.DeleteFunc(all, func(e Entity) bool { return e.Kind == kindSession })
	slices.SortFunc(all, compareOldest)
	if request.Backward {
		slices.Reverse(all)
	}
	size := 0
	for i, e := range all[min(passed, len(all)):] {
		if len(page) == request.Limit || size >= maxBytes {
			return page, strconv.Itoa(passed + i), nil
		}
		page, size = append(page, e), size+len(e.Text)+len(e.Request)+len(e.Result)+len(e.Reasoning)
	}
	return page, "", nil
}

// compareOldest is the order of a conversation.
func compareOldest(a, b Entity) int {
	return cmp.Or(began(a).Compare(began(b)), cmp.Compare(a.FirstPosition, b.FirstPosition), cmp.Compare(a.EntityUUID, b.EntityUUID))
}
