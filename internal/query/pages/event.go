package pages

import (
	"fmt"
	"net/http"

	"assay/internal/query"
)

// eventPage is an event as it was captured, and what proves it.
type eventPage struct{ *query.Evidence }

func (s *site) event(r *http.Request) (*page, error) {
	id := r.URL.Query().Get("id")
	if id == "" {
		return nil, fmt.Errorf("%w: name an event: ?id=…", query.ErrRequest)
	}
	found, err := s.View.Event(r.Context(), id)
	if err != nil {
		return nil, err
	}
	made := &page{Template: "event", Title: "Event as captured", Section: "workflows", Data: eventPage{found}}
	if found.Chain == nil { // it will be
		made.Live = found.WorkflowID
	}
	return made, nil
}
