package pages

import (
	"net/http"
	"strings"
)

// listed is how many workflows one page lists.
const listed = 100

type workflowList struct {
	Query     string        `json:"-"`
	Workflows []workflowRow `json:"workflows"`
}

func (s *site) workflows(r *http.Request) (*page, error) {
	q := strings.TrimSpace(r.URL.Query().Get("q"))
	rows, err := s.newest(r.Context(), q, listed)
	if err != nil {
		return nil, err
	}
	return &page{Template: "workflows", Title: "Workflows", Section: "workflows", Live: "*", Data: workflowList{q, rows}}, nil
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
