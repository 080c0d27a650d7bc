package pages

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"assay/internal/query"
)

type recallPage struct {
	Asked  query.RecallRequest `json:"asked"`
	After  string              `json:"-"`
	Before string              `json:"-"`
	Hits   []query.Hit         `json:"hits"`
	query.Settled
	Modes []string `json:"-"`
	Kinds []string `json:"-"`
}

// hitsShown is how many hits a page has.
const hitsShown = 20

// neighboursShown is how many neighbours of a hit are shown on each side.
const neighboursShown = 1

func (s *site) recall(r *http.Request) (*page, error) {
	asked := r.URL.Query()
	p := recallPage{
		Asked: query.RecallRequest{
			Query: strings.TrimSpace(asked.Get("q")), Mode: asked.Get("mode"), Workflow: asked.Get("workflow"), Agent: asked.Get("agent"),
			Kind: asked.Get("kind"), IncludeQuarantined: asked.Get("quarantined") != "", Limit: hitsShown, Origin: true, Context: neighboursShown,
		},
		After: asked.Get("after"), Before: asked.Get("before"), Hits: []query.Hit{},
		Modes: []string{query.ModeHybrid, query.ModeVector, query.ModeText},
		Kinds: query.EpisodeKinds,
	}
	made := &page{Template: "recall", Title: "Recall", Section: "recall", Data: &p}
	if p.Asked.Query == "" {
		return made, nil
	}
	made.Title = "Recall: " + firstLine(60, p.Asked.Query)
	var err error
	if p.Asked.After, err = timeOf(asked, "after", s.Now()); err != nil {
		return nil, err
	}
	if p.Asked.Before, err = timeOf(asked, "before", s.Now()); err != nil {
		return nil, err
	}
	if p.Settled, err = s.View.Settled(r.Context()); err != nil { // before: what settles meanwhile may be missing among the hits
		return nil, err
	}
	p.Hits, err = s.View.Recall(r.Context(), p.Asked)
	return made, err
}

// timeOf reads a time as programs write it, how long ago it was, or as a form's field gives it, which is in UTC.
func timeOf(asked url.Values, name string, now time.Time) (time.Time, error) {
	text := asked.Get(name)
	if t, err := time.Parse("2006-01-02T15:04", text); err == nil {
		return t, nil
	}
	t, err := query.ParseTime(text, now)
	if err != nil {
		return t, fmt.Errorf("%w: %s: %w", query.ErrRequest, name, err)
	}
	return t.UTC(), nil
}
