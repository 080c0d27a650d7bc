package pages

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"time"

	"assay/internal/query"
)

// callsPage is the calls of one capability, or of all: how many over time, and each of a stretch.
type callsPage struct {
	*query.CallList
	Capability string   `json:"-"`
	Provider   string   `json:"-"`
	Failed     bool     `json:"-"`
	From, To   string   `json:"-"` // as a form's field has it
	Span       span     `json:"-"`
	Spans      []choice `json:"-"`
	Usage      usage    `json:"-"` // over the span
	Charts     []chart  `json:"-"`
	First      bool     `json:"-"` // it is the first page
	Newer      string   `json:"-"` // link to the first page
	Older      string   `json:"-"` // link to the next page, "" if there is none
}

func (s *site) calls(r *http.Request) (*page, error) {
	asked := r.URL.Query()
	p := callsPage{
		Capability: asked.Get("capability"), Provider: asked.Get("provider"), Failed: asked.Get("errors") != "", Span: spanOf(asked.Get("since")),
		First: asked.Get("cursor") == "", Newer: with(r.URL, "cursor", ""),
	}
	p.Spans = spanChoices(r.URL, p.Span)
	from, err1 := timeOf(asked, "from", s.Now())
	to, err2 := timeOf(asked, "to", s.Now())
	metrics, err3 := s.View.Capabilities(r.Context())
	if err := cmp.Or(err1, err2, err3); err != nil {
		return nil, err
	}
	p.From, p.To = minute(from), minute(to)
	p.draw(metrics, s.Now(), from, to)
	request := query.CallsRequest{
		Capability: p.Capability, Provider: p.Provider, From: from, To: to, Errors: p.Failed, Limit: listed, Cursor: asked.Get("cursor"),
	}
	if from.IsZero() && to.IsZero() {
		request.From = s.Now().Add(-p.Span.Long).Truncate(time.Hour)
	}
	var err error
	if p.CallList, err = s.View.Calls(r.Context(), request); err != nil {
		return nil, err
	}
	if p.Next != "" {
		p.Older = with(r.URL, "cursor", p.Next)
	}
	made := &page{Template: "calls", Title: "Calls", Section: "capabilities", Data: p}
	if p.Capability != "" {
		made.Title = firstLine(80, p.Capability)
	}
	if p.First && to.IsZero() {
		made.Live = "*"
	}
	return made, nil
}

// draw shows the metrics of what is asked for, and which of their steps are chosen.
func (p *callsPage) draw(metrics []query.Capability, now, from, to time.Time) {
	mine := slices.DeleteFunc(since(metrics, now, p.Span.Long), func(m query.Capability) bool {
		return p.Capability != "" && m.Capability != p.Capability || p.Provider != "" && m.Provider != p.Provider
	})
	p.Usage.add(mine)
	w := window{now, p.Span.Long, chartSteps, callsLink(p.Capability, p.Provider, p.Span)}
	p.Charts = usageCharts(mine, w)
	if p.Usage.P95 > 0 && p.Capability != "" {
		latency := newChart(latencySeries(mine), w)
		latency.Summary = "P50 " + micros(p.Usage.P50) + ", P95 " + micros(p.Usage.P95)
		p.Charts = slices.Insert(p.Charts, 1, latency)
	}
	if from.IsZero() || to.IsZero() {
		return
	}
	for _, c := range p.Charts {
		for i := range c.Columns {
			at := c.Columns[i].At
			c.Columns[i].Chosen = !at.Before(from) && at.Before(to)
		}
	}
}

// minuteLayout is how forms' fields write times, in UTC here.
const minuteLayout = "2006-01-02T15:04"

func minute(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(minuteLayout)
}

// choice is one of several states of a page that exclude each other.
type choice struct {
	Label, Href string
	Here        bool
}

// spanChoices lead to the page over other spans.
func spanChoices(u *url.URL, here span) (choices []choice) {
	values := u.Query()
	for _, name := range []string{"from", "to", "cursor"} {
		values.Del(name)
	}
	whole := *u
	whole.RawQuery = values.Encode()
	for _, s := range spans {
		choices = append(choices, choice{s.Label, with(&whole, "since", s.Name), s == here})
	}
	return choices
}
