package query

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"assay/sovereign/schema"
)

// PromotionView is what can be asked of promotions and done about them. A promotion is named by its event_uuid or its
// event_cid. Errors wrap ErrNotFound if there is none, and ErrConflict if it is being published or has been.
type PromotionView interface {
	// Promotions returns a page of promotions. ErrRequest if there is no such state or cursor.
	Promotions(ctx context.Context, request PromotionsRequest) (*PromotionList, error)
	// Promotion returns one with all that is known of it.
	Promotion(ctx context.Context, id string) (*PromotionDetail, error)
	// RetryPromotion makes a pending or rejected one due now.
	RetryPromotion(ctx context.Context, id string) error
	// RetryRejected makes all rejected ones due now and returns how many.
	RetryRejected(ctx context.Context) (int, error)
	// RejectPromotion gives one up, for the reason.
	RejectPromotion(ctx context.Context, id, reason string) error
	// WatchPromotions yields what is pending and rejected, then each promotion as it changes, until ctx ends.
	WatchPromotions(ctx context.Context) iter.Seq2[*PromotionDetail, error]
}

// Promotion is the record of one promotion.
type Promotion struct {
	EventUUID     string    `col:"event_uuid" json:"event_uuid"`
	EventCID      string    `col:"event_cid" json:"event_cid"`
	WorkflowID    string    `col:"workflow_id" json:"workflow_id"`
	State         string    `col:"state" json:"state"`
	Registry      string    `col:"registry" json:"registry,omitempty"`
	URN           string    `col:"urn" json:"urn,omitempty"`
	Attempts      int64     `col:"attempts" json:"attempts"`
	Reason        string    `col:"reason" json:"reason,omitempty"`
	TS            time.Time `col:"ts" json:"ts,omitzero"`
	NextAttemptAt time.Time `col:"next_attempt_at" json:"next_attempt_at,omitzero"`
	PublishedAt   time.Time `col:"published_at" json:"published_at,omitzero"`
	QuarantinedBy string    `json:"quarantined_by,omitempty"` // the event that took back it or one of its sources
}

// PromotionsRequest asks for a page of the list of promotions.
type PromotionsRequest struct {
	State  string // only those in it; "": all
	Newest bool   // the newest first, else the oldest
	Limit  int    // of one page; 0: DefaultPromotions
	Cursor string // PromotionList.Next of the page before
}

// PromotionList is a page of promotions.
type PromotionList struct {
	Promotions []Promotion `json:"promotions"`
	Next       string      `json:"next,omitempty"` // cursor of the next page, "" if there is none
}

// PromotionDetail is all that is known of one promotion.
type PromotionDetail struct {
	Promotion
	Accepted   time.Time       `json:"accepted,omitzero"`    // when it came out of the log
	Unanswered bool            `json:"unanswered,omitempty"` // the last attempt may have succeeded
	Event      json.RawMessage `json:"promotion,omitempty"`  // as captured
}

// Publications is what Local steers promotions with, by event_uuid: a promotion.Publisher, by internal/app/promotions.go; its errors are those of PromotionView.
type Publications interface {
	Get(ctx context.Context, eventUUID string) (*PromotionDetail, error)
	Retry(ctx context.Context, eventUUID string) error
	RetryRejected(ctx context.Context) (int, error)
	Reject(ctx context.Context, eventUUID, reason string) error
	Changes(ctx context.Context) iter.Seq2[*PromotionDetail, error]
}

// Limits of a list of promotions.
const (
	DefaultPromotions  = 100
	MaxPromotionPage   = 1_000
	workflowPromotions = 1_000 // the newest ones of a workflow that it is shown with
)

// States of a promotion.
const (
	StatePending   = "pending"
	StatePublished = "published"
	StateRejected  = "rejected"
)

// Promotions implements View.
func (l *Local) Promotions(ctx context.Context, request PromotionsRequest) (*PromotionList, error) {
	var where []schema.Filter
	switch request.State {
	case "":
	case StatePending, StatePublished, StateRejected:
		where = append(where, schema.Eq("state", request.State))
	default:
		return nil, fmt.Errorf("%w: state %q is none of pending, published, rejected", ErrRequest, request.State)
	}
	if request.Cursor != "" {
		last, err := parsePlace(request.Cursor)
		if err != nil {
			return nil, err
		}
		where = append(where, last.before(request.Newest))
	}
	limit := clamp(request.Limit, DefaultPromotions, MaxPromotionPage)
	found, err := l.promotions(ctx, schema.And(where...), request.Newest, limit+1)
	if err != nil {
		return nil, err
	}
	list := &PromotionList{Promotions: found}
	if len(found) > limit {
		list.Promotions = found[:limit]
		list.Next = place{found[limit-1].TS, found[limit-1].EventUUID}.String()
	}
	return list, nil
}

// place is where a promotion stands in the list. Those without time are last.
type place struct {
	ts        time.Time
	eventUUID string
}

func (p place) String() string {
	if p.ts.IsZero() {
		return "." + p.eventUUID
	}
	return strconv.FormatInt(p.ts.UnixMicro(), 10) + "." + p.eventUUID
}

func parsePlace(cursor string) (p place, err error) {
	ts, id, ok := strings.Cut(cursor, ".")
	if ok && ts != "" {
		var us int64
		us, err = strconv.ParseInt(ts, 10, 64)
		p.ts = time.UnixMicro(us).UTC()
	}
	if !ok || err != nil || uuid.Validate(id) != nil {
		return p, fmt.Errorf("%w: cursor %q is none that a list of promotions ended with", ErrRequest, cursor)
	}
	p.eventUUID = id
	return p, nil
}

// before are the promotions that p comes before.
func (p place) before(newest bool) schema.Filter {
	further := schema.Gt
	if newest {
		further = schema.Lt
	}
	if p.ts.IsZero() {
		return schema.And(schema.IsNull("ts"), further("event_uuid", p.eventUUID))
	}
	return schema.Or(schema.And(schema.Eq("ts", p.ts), further("event_uuid", p.eventUUID)), further("ts", p.ts), schema.IsNull("ts"))
}

// Promotion implements View.
func (l *Local) Promotion(ctx context.Context, id string) (*PromotionDetail, error) {
	eventUUID, err := l.eventUUID(ctx, id)
	if err != nil {
		return nil, err
	}
	found, err := l.Publications.Get(ctx, eventUUID)
	if err != nil {
		return nil, err
	}
	found.QuarantinedBy, err = l.States.QuarantinedBy(ctx, eventUUID)
	return found, err
}

// RetryPromotion implements View.
func (l *Local) RetryPromotion(ctx context.Context, id string) error {
	eventUUID, err := l.eventUUID(ctx, id)
	if err != nil {
		return err
	}
	return l.Publications.Retry(ctx, eventUUID)
}

// RetryRejected implements View.
func (l *Local) RetryRejected(ctx context.Context) (int, error) {
	return l.Publications.RetryRejected(ctx)
}

// RejectPromotion implements View.
func (l *Local) RejectPromotion(ctx context.Context, id, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return fmt.Errorf("%w: say why: give a reason", ErrRequest)
	}
	eventUUID, err := l.eventUUID(ctx, id)
	if err != nil {
		return err
	}
	return l.Publications.Reject(ctx, eventUUID, reason)
}

// WatchPromotions implements View.
func (l *Local) WatchPromotions(ctx context.Context) iter.Seq2[*PromotionDetail, error] {
	return l.Publications.Changes(ctx)
}

// eventUUID finds a promotion by either of its names. The first is made of the second, so neither is ever two promotions.
func (l *Local) eventUUID(ctx context.Context, id string) (string, error) {
	for _, column := range []string{"event_uuid", "event_cid"} {
		found, err := l.promotions(ctx, schema.Eq(column, id), false, 1)
		if err != nil {
			return "", err
		}
		if len(found) > 0 {
			return found[0].EventUUID, nil
		}
	}
	return "", fmt.Errorf("%w: promotion %q", ErrNotFound, id)
}

func (l *Local) promotions(ctx context.Context, where schema.Filter, newest bool, limit int) ([]Promotion, error) {
	found, err := query[Promotion](ctx, l.Store, schema.Query{
		Table: schema.Promotions, Where: where, Limit: limit,
		OrderBy: []schema.Order{{Column: "ts", Descending: newest}, {Column: "event_uuid", Descending: newest}},
	})
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].QuarantinedBy, err = l.States.QuarantinedBy(ctx, found[i].EventUUID); err != nil {
			return nil, fmt.Errorf("view: is promotion %s quarantined: %w", found[i].EventCID, err)
		}
	}
	return found, nil
}
