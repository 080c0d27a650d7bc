package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"assay/internal/query"
)

// workflows answers GET /v1/workflows?since=T&agent=A&q=WORDS&errors=true&limit=N&cursor=C.
func (a *api) workflows(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	limit, err1 := number(r, "limit")
	since, err2 := ago(r, "since")
	failed, err3 := truth(r, "errors")
	if err := errors.Join(err1, err2, err3); err != nil {
		a.answer(w, nil, err)
		return
	}
	found, err := a.View.Workflows(r.Context(), query.WorkflowsRequest{
		Since: since, Agent: params.Get("agent"), Words: params.Get("q"), Errors: failed, Limit: limit, Cursor: params.Get("cursor"),
	})
	a.answer(w, found, err)
}

// conversation answers GET /v1/workflows/{id}/conversation?limit=N&cursor=C&backward=true&at=T.
func (a *api) conversation(w http.ResponseWriter, r *http.Request) {
	limit, err1 := number(r, "limit")
	backward, err2 := truth(r, "backward")
	at, err3 := instant(r, "at")
	if err := errors.Join(err1, err2, err3); err != nil {
		a.answer(w, nil, err)
		return
	}
	found, err := a.View.Conversation(r.Context(), r.PathValue("id"), query.ConversationRequest{
		Limit: limit, Cursor: r.URL.Query().Get("cursor"), Backward: backward, At: at,
	})
	a.answer(w, found, err)
}

// item answers GET /v1/items/{id} with an entity and its events.
func (a *api) item(w http.ResponseWriter, r *http.Request) {
	found, err := a.View.Item(r.Context(), r.PathValue("id"))
	a.answer(w, found, err)
}

// calls answers GET /v1/calls?capability=C&provider=P&since=T&until=T&errors=true&limit=N&cursor=C.
func (a *api) calls(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	limit, err1 := number(r, "limit")
	since, err2 := ago(r, "since")
	until, err3 := ago(r, "until")
	failed, err4 := truth(r, "errors")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		a.answer(w, nil, err)
		return
	}
	found, err := a.View.Calls(r.Context(), query.CallsRequest{
		Capability: params.Get("capability"), Provider: params.Get("provider"), From: since, To: until, Errors: failed, Limit: limit,
		Cursor: params.Get("cursor"),
	})
	a.answer(w, found, err)
}

// ago reads a time, or how long ago it was.
func ago(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	t, err := query.ParseTime(text, time.Now())
	if err != nil {
		return t, fmt.Errorf("%w: %s: %w", query.ErrRequest, name, err)
	}
	return t, nil
}
