package query

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"assay/sovereign/schema"
)

// ItemView tells all that is known of one item of a conversation.
type ItemView interface {
	// Item returns an entity with the events that it was made of. ErrNotFound if nothing is known of it.
	Item(ctx context.Context, entity string) (*Item, error)
}

// Item is an entity with the events that it was made of.
type Item struct {
	Turn
	Trail []StoredEvent `json:"trail"` // by stream and position, at most maxTrail of them
}

// StoredEvent is one event, as traces has it.
type StoredEvent struct {
	EventUUID    string    `col:"event_uuid" json:"event_uuid"`
	WorkflowID   string    `col:"workflow_id" json:"workflow_id"`
	Source       string    `col:"source" json:"source"`
	Kind         string    `col:"kind" json:"kind"`
	Phase        string    `col:"phase" json:"phase,omitempty"`
	Status       string    `col:"status" json:"status,omitempty"`
	TS           time.Time `col:"ts" json:"ts,omitzero"` // its own time
	CapturedAt   time.Time `col:"captured_at" json:"captured_at"`
	StreamID     string    `col:"stream_id" json:"stream_id"`
	Position     int64     `col:"position" json:"position"`
	BronzeSeq    int64     `col:"bronze_seq" json:"bronze_seq"` // of the frame that holds it
	Text         string    `col:"text" json:"text,omitempty"`
	Payload      string    `col:"payload" json:"payload,omitempty"`
	FinishReason string    `col:"finish_reason" json:"finish_reason,omitempty"`
	Error        string    `col:"error" json:"error,omitempty"`
	Bytes        int64     `col:"bytes" json:"bytes"`
}

// maxTrail is how many events of one item are told.
const maxTrail = 200

// Item implements View.
func (l *Local) Item(ctx context.Context, entity string) (*Item, error) {
	of := schema.Eq("entity_uuid", entity)
	trail, err := query[StoredEvent](ctx, l.Store, schema.Query{
		Table: schema.Traces, Where: of, OrderBy: []schema.Order{{Column: "stream_id"}, {Column: "position"}}, Limit: maxTrail,
	})
	if err != nil {
		return nil, err
	}
	found, err := l.entities(ctx, of, 1)
	if err != nil {
		return nil, err
	}
	if len(trail) > 0 { // what has not settled yet is in no table, or older there
		live, err := l.States.Unsettled(ctx, trail[0].WorkflowID)
		if err != nil {
			return nil, fmt.Errorf("view: unsettled entities of %q: %w", trail[0].WorkflowID, err)
		}
		live = slices.DeleteFunc(live, func(e Entity) bool { return e.EntityUUID != entity })
		found = append(live, found...)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: item %q", ErrNotFound, entity)
	}
	return &Item{newTurn(found[0]), trail}, nil
}

// Item implements View.
func (r *Remote) Item(ctx context.Context, entity string) (*Item, error) {
	var item Item
	return &item, r.get(ctx, "/v1/items/"+url.PathEscape(entity), nil, &item)
}
