package pages

import (
	"fmt"
	"net/http"

	"assay/internal/query"
)

// itemPage is one item of a conversation with its whole texts, and the events that it was made of.
type itemPage struct {
	*query.Item
	Most int `json:"-"` // bytes shown of one text
}

// itemTextMost is how much of one text of an item is shown; more is told as JSON.
const itemTextMost = 200_000

func (s *site) item(r *http.Request) (*page, error) {
	id := r.URL.Query().Get("id")
	if id == "" {
		return nil, fmt.Errorf("%w: name an item: ?id=…", query.ErrRequest)
	}
	found, err := s.View.Item(r.Context(), id)
	if err != nil {
		return nil, err
	}
	title := found.Speaker
	if found.Speaker == query.SpeakerCall {
		title = found.Capability
	}
	return &page{
		Template: "item", Title: firstLine(120, title), Section: "workflows", Live: found.WorkflowID, Data: itemPage{found, itemTextMost},
	}, nil
}
