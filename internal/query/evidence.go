package query

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"assay/sovereign/schema"
	"assay/streams"
)

// EvidenceView shows events as they were captured.
type EvidenceView interface {
	// Event returns an event as it was captured, named by its event_uuid or, for the first one of an item, by the item's entity_uuid.
	// ErrNotFound if it is in no table or its frame has left the log.
	Event(ctx context.Context, id string) (*Evidence, error)
	// Prove writes what proves an event against a checkpoint of the chain, for VerifyProof.
	Prove(ctx context.Context, w io.Writer, id string) error
}

// Evidence is an event as it was captured, and its place in the log and in the log's chain of hashes.
type Evidence struct {
	EventUUID   string       `json:"event_uuid"`
	EntityUUID  string       `json:"entity_uuid"`
	WorkflowID  string       `json:"workflow_id"`
	Kind        string       `json:"kind"`
	StreamID    string       `json:"stream_id"`
	Position    int64        `json:"position"`
	CapturedAt  time.Time    `json:"captured_at"`
	BronzeSeq   uint64       `json:"bronze_seq"` // of the frame that holds it
	ContentType string       `json:"content_type"`
	Raw         []byte       `json:"raw"`             // the bytes of its record, base64 in JSON
	Chain       *streams.Tie `json:"chain,omitempty"` // nil if the frame is not chained yet
}

// Log is what a Local reads captured events from: a streams.Log, by internal/app/evidence.go.
type Log interface {
	// Captured returns the record of the event with an id, in a frame.
	Captured(ctx context.Context, seq uint64, eventUUID string) (raw []byte, contentType string, err error)
	// Tie returns a frame's place in the chain, nil if it is not chained yet.
	Tie(ctx context.Context, seq uint64) (*streams.Tie, error)
	// Prove writes the proof of a frame.
	Prove(ctx context.Context, w io.Writer, seq uint64) error
}

// Event implements View.
func (l *Local) Event(ctx context.Context, id string) (*Evidence, error) {
	e, err := l.storedEvent(ctx, id)
	if err != nil {
		return nil, err
	}
	found := &Evidence{
		EventUUID: e.EventUUID, EntityUUID: e.EntityUUID, WorkflowID: e.WorkflowID, Kind: e.Kind, StreamID: e.StreamID, Position: e.Position,
		CapturedAt: e.CapturedAt, BronzeSeq: uint64(e.BronzeSeq),
	}
	if found.Raw, found.ContentType, err = l.Log.Captured(ctx, found.BronzeSeq, found.EventUUID); err != nil {
		return nil, err
	}
	found.Chain, err = l.Log.Tie(ctx, found.BronzeSeq)
	return found, err
}

// Prove implements View.
func (l *Local) Prove(ctx context.Context, w io.Writer, id string) error {
	e, err := l.storedEvent(ctx, id)
	if err != nil {
		return err
	}
	return l.Log.Prove(ctx, w, uint64(e.BronzeSeq))
}

type placedEvent struct {
	EventUUID  string    `col:"event_uuid"`
	EntityUUID string    `col:"entity_uuid"`
	WorkflowID string    `col:"workflow_id"`
	Kind       string    `col:"kind"`
	StreamID   string    `col:"stream_id"`
	Position   int64     `col:"position"`
	CapturedAt time.Time `col:"captured_at"`
	BronzeSeq  int64     `col:"bronze_seq"`
}

// storedEvent finds the row of an event. Rows are found by entity through an index and by event without one, so the entity is
// tried first.
func (l *Local) storedEvent(ctx context.Context, id string) (*placedEvent, error) {
	for _, column := range []string{"entity_uuid", "event_uuid"} {
		found, err := query[placedEvent](ctx, l.Store, schema.Query{
			Table: schema.Traces, Where: schema.Eq(column, id), Limit: 1, OrderBy: []schema.Order{{Column: "position"}},
			Columns: []string{"event_uuid", "entity_uuid", "workflow_id", "kind", "stream_id", "position", "captured_at", "bronze_seq"},
		})
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			return &found[0], nil
		}
	}
	return nil, fmt.Errorf("%w: event %q; give its event_uuid, or an item's entity_uuid", ErrNotFound, id)
}

// Event implements View.
func (r *Remote) Event(ctx context.Context, id string) (*Evidence, error) {
	var e Evidence
	return &e, r.get(ctx, "/v1/events/"+url.PathEscape(id), nil, &e)
}

// Prove implements View.
func (r *Remote) Prove(ctx context.Context, w io.Writer, id string) error {
	response, err := r.send(ctx, r.client, http.MethodGet, "/v1/events/"+url.PathEscape(id)+"?proof="+strconv.FormatBool(true), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(w, response.Body); err != nil {
		return fmt.Errorf("%w: the proof of %s broke off: %w", ErrServer, r.base, err)
	}
	return nil
}
