package pages

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"assay/internal/query"
)

type recallPage struct {
	Asked  query.RecallRequest `json:"asked"`
	After  string              `json:"-"`
	Before string              `json:"-"`
	Hits   []query.Hit         `json:"hits"`
	Modes  []string            `json:"-"`
	Kinds  []string            `json:"-"`
}

// hitsShown is how many hits a page has.
const hitsShown = 20

func (s *site) recall(r *http.Request) (*page, error) {
	asked := r.URL.Query()
	p := recallPage{
		Asked: query.RecallRequest{
			Query: strings.TrimSpace(asked.Get("q")), Mode: asked.Get("mode"), Workflow: asked.Get("workflow"), Agent: asked.Get("agent"),
			Kind: asked.Get("kind"), IncludeQuarantined: asked.Get("quarantined") != "", Limit: hitsShown, Origin: true,
		},
		After: asked.Get("after"), Before: asked.Get("before"), Hits: []query.Hit{},
		Modes: []string{query.ModeHybrid, query.ModeVector, query.ModeText},
		Kinds: []string{"message", "tool_call", "tool_result", "observation"},
	}
	made := &page{Template: "recall", Title: "Recall", Section: "recall", Data: &p}
	if p.Asked.Query == "" {
		return made, nil
	}
	made.Title = "Recall: " + firstLine(60, p.Asked.Query)
	var err error
	if p.Asked.After, err = moment("after", p.After); err != nil {
		return nil, err
	}
	if p.Asked.Before, err = moment("before", p.Before); err != nil {
		return nil, err
	}
	p.Hits, err = s.View.Recall(r.Context(), p.Asked)
	return made, err
}

// moment reads a time as programs write it, or as a form's field gives it, which is in UTC.
func moment(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %s must be a time such as 2026-01-31T12:00:00Z, not %q", query.ErrRequest, name, text)
}

// number reads a whole number; otherwise where none is given.
func number(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s must be a whole number, not %q", query.ErrRequest, name, text)
	}
	return n, nil
}
