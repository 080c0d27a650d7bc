package pages

import (
	"cmp"
	"net/http"
	"net/url"

	"assay/internal/query"
)

// listed is how many workflows one page lists.
const listed = 50

// workflowList is a page of workflows, and what it was asked for.
type workflowList struct {
	*query.WorkflowList
	Words  string `json:"-"`
	Agent  string `json:"-"`
	Since  string `json:"-"`
	Failed bool   `json:"-"`
	First  bool   `json:"-"` // it is the first page
	Newer  string `json:"-"` // link to the first page
	Older  string `json:"-"` // link to the next one, "" if there is none
}

// sinces are what the list offers of times.
var sinces = []span{{Name: "1h", Label: "hour"}, {Name: "24h", Label: "day"}, {Name: "7d", Label: "week"}, {Name: "30d", Label: "30 days"}}

func (s *site) workflows(r *http.Request) (*page, error) {
	asked := r.URL.Query()
	since, err1 := timeOf(asked, "since", s.Now())
	found, err2 := s.View.Workflows(r.Context(), query.WorkflowsRequest{
		Since: since, Agent: asked.Get("agent"), Words: asked.Get("q"), Errors: asked.Get("errors") != "", Limit: listed, Cursor: asked.Get("cursor"),
	})
	if err := cmp.Or(err1, err2); err != nil {
		return nil, err
	}
	p := workflowList{
		WorkflowList: found, Words: asked.Get("q"), Agent: asked.Get("agent"), Since: asked.Get("since"), Failed: asked.Get("errors") != "",
		First: asked.Get("cursor") == "", Newer: with(r.URL, "cursor", ""),
	}
	if found.Next != "" {
		p.Older = with(r.URL, "cursor", found.Next)
	}
	made := &page{Template: "workflows", Title: "Workflows", Section: "workflows", Data: p}
	if p.First {
		made.Live = "*"
	}
	return made, nil
}

// with is a URL with another value of one parameter, without it for "".
func with(u *url.URL, name, value string) string {
	values := u.Query()
	values.Del(name)
	if value != "" {
		values.Set(name, value)
	}
	if len(values) == 0 {
		return u.Path
	}
	return u.Path + "?" + values.Encode()
}
