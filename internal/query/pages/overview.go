package pages

import (
	"net/http"

	"golang.org/x/sync/errgroup"

	"assay/internal/query"
)

// overview is the first page: is it well, what was there lately.
type overview struct {
	Summary   *query.Summary          `json:"summary"`
	Rates     layerRates              `json:"events_per_second"`
	Calls     int64                   `json:"calls"` // of the span, as are the others
	Errors    int64                   `json:"errors"`
	Input     int64                   `json:"input_tokens"`
	Output    int64                   `json:"output_tokens"`
	Workflows []query.WorkflowSummary `json:"workflows"` // the newest
	Span      span                    `json:"-"`
	Spans     []span                  `json:"-"`
	Charts    []chart                 `json:"-"`
}

// recentWorkflows is how many the first page lists.
const recentWorkflows = 12

func (s *site) overview(r *http.Request) (*page, error) {
	o := overview{Span: spanOf(r.URL.Query().Get("since")), Spans: spans}
	var metrics []query.Capability
	group, ctx := errgroup.WithContext(r.Context())
	group.Go(func() (err error) {
		o.Summary, err = s.View.Status(ctx)
		return err
	})
	group.Go(func() (err error) {
		metrics, err = s.View.Capabilities(ctx)
		return err
	})
	group.Go(func() error {
		found, err := s.View.Workflows(ctx, query.WorkflowsRequest{Limit: recentWorkflows})
		if err == nil {
			o.Workflows = found.Workflows
		}
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	now := s.Now()
	o.Rates = s.meter.rates(now, o.Summary)
	metrics = since(metrics, now, o.Span.Long)
	for _, m := range metrics {
		o.Calls, o.Errors, o.Input, o.Output = o.Calls+m.Calls, o.Errors+m.Errors, o.Input+m.InputTokens, o.Output+m.OutputTokens
	}
	calls := newChart("Calls", callPoints(metrics), now, o.Span.Long, chartSteps)
	calls.Summary = plural(o.Calls, "call", "calls") + ", " + count(o.Errors) + " failed"
	tokens := newChart("Tokens", tokenPoints(metrics), now, o.Span.Long, chartSteps)
	tokens.Summary = count(o.Input) + " in, " + count(o.Output) + " out"
	o.Charts = []chart{calls, tokens}
	return &page{Template: "overview", Title: "Overview", Section: "overview", Live: "*", Data: o}, nil
}
