package pages

import "net/http"

type capabilitiesPage struct {
	Span         span     `json:"-"`
	Spans        []choice `json:"-"`
	Capabilities []usage  `json:"capabilities"`
	Earlier      bool     `json:"-"` // there are calls before the span
}

func (s *site) capabilities(r *http.Request) (*page, error) {
	p := capabilitiesPage{Span: spanOf(r.URL.Query().Get("since"))}
	p.Spans = spanChoices(r.URL, p.Span)
	metrics, err := s.View.Capabilities(r.Context())
	if err != nil {
		return nil, err
	}
	recent := since(metrics, s.Now(), p.Span.Long)
	p.Capabilities, p.Earlier = usages(recent, s.Now(), p.Span), len(recent) < len(metrics)
	return &page{Template: "capabilities", Title: "Tools and models", Section: "capabilities", Live: "*", Data: p}, nil
}
