package query

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"assay/sovereign/schema"
)

// CallView tells the calls that the metrics count.
type CallView interface {
	// Calls returns a page of calls, the newest first. ErrRequest if there is no such cursor.
	Calls(ctx context.Context, request CallsRequest) (*CallList, error)
}

// CallsRequest asks for a page of calls. What is empty does not matter.
type CallsRequest struct {
	Capability string
	Provider   string
	From, To   time.Time // when it began: not before From, before To
	Errors     bool      // only those that failed
	Limit      int       // of one page; 0: DefaultCalls
	Cursor     string    // CallList.Next of the page before
}

// CallList is a page of calls. Those without an answer are among them once nothing was heard of them for a while.
type CallList struct {
	Calls []Turn `json:"calls"`
	Next  string `json:"next,omitempty"` // cursor of the next page, "" if there is none
}

// Limits of lists of calls.
const (
	DefaultCalls = 50
	maxCallPage  = 1_000
)

// kindEcho is what a request repeats of an answer that is known itself.
const kindEcho = "echo"

// Calls implements View.
func (l *Local) Calls(ctx context.Context, request CallsRequest) (*CallList, error) {
	limit := clamp(request.Limit, DefaultCalls, maxCallPage)
	where, err := request.filter()
	if err != nil {
		return nil, err
	}
	page, err := query[placedCall](ctx, l.Store, schema.Query{
		Table: schema.Entities, Columns: []string{"entity_uuid", "started_at"}, Where: where, Limit: limit + 1,
		OrderBy: []schema.Order{{Column: "started_at", Descending: true}, {Column: "entity_uuid"}},
	})
	if err != nil {
		return nil, err
	}
	list := &CallList{Calls: []Turn{}}
	if len(page) > limit {
		page = page[:limit]
		list.Next = page[limit-1].cursor()
	}
	ids := make([]string, len(page))
	for i := range page {
		ids[i] = page[i].EntityUUID
	}
	found, err := l.entities(ctx, schema.In("entity_uuid", ids...), len(ids))
	slices.SortFunc(found, func(a, b Entity) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), cmp.Compare(a.EntityUUID, b.EntityUUID))
	})
	for _, e := range found {
		list.Calls = append(list.Calls, newTurn(e))
	}
	return list, err
}

// placedCall is a call's place in the list. Places are looked for first, so that what calls say is read of one page only.
type placedCall struct {
	EntityUUID string    `col:"entity_uuid"`
	StartedAt  time.Time `col:"started_at"`
}

func (c placedCall) cursor() string {
	return strconv.FormatInt(c.StartedAt.UnixMicro(), 10) + "." + c.EntityUUID
}

func (r *CallsRequest) filter() (schema.Filter, error) {
	all := []schema.Filter{schema.Not(schema.In("kind", kindSession, kindEcho)), schema.Ne("capability", "")}
	if r.Capability != "" {
		all = append(all, schema.Eq("capability", r.Capability))
	}
	if r.Provider != "" {
		all = append(all, schema.Eq("provider", r.Provider))
	}
	if !r.From.IsZero() {
		all = append(all, schema.Ge("started_at", r.From))
	}
	if !r.To.IsZero() {
		all = append(all, schema.Lt("started_at", r.To))
	}
	if r.Errors {
		all = append(all, schema.Eq("status", statusError))
	}
	if r.Cursor != "" {
		text, id, _ := strings.Cut(r.Cursor, ".")
		micros, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id == "" {
			return schema.Filter{}, fmt.Errorf("%w: cursor %q is none that a page ended with", ErrRequest, r.Cursor)
		}
		at := time.UnixMicro(micros)
		all = append(all, schema.Or(schema.Lt("started_at", at), schema.And(schema.Eq("started_at", at), schema.Gt("entity_uuid", id))))
	}
	return schema.And(all...), nil
}

// Calls implements View.
func (r *Remote) Calls(ctx context.Context, request CallsRequest) (*CallList, error) {
	query := url.Values{"limit": {strconv.Itoa(request.Limit)}, "errors": {strconv.FormatBool(request.Errors)}}
	for name, value := range map[string]string{"capability": request.Capability, "provider": request.Provider, "cursor": request.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for name, at := range map[string]time.Time{"since": request.From, "until": request.To} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	var list CallList
	return &list, r.get(ctx, "/v1/calls", query, &list)
}
