package pages

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"assay/internal/query"
)

// overview is the first page: is it well, what was there lately.
type overview struct {
	Summary   *query.Summary `json:"summary"`
	Rates     layerRates     `json:"events_per_second"`
	Calls     int64          `json:"calls"` // of the span, as are the others
	Errors    int64          `json:"errors"`
	Input     int64          `json:"input_tokens"`
	Output    int64          `json:"output_tokens"`
	Workflows []workflowRow  `json:"workflows"` // the newest
	Span      span           `json:"-"`
	Spans     []span         `json:"-"`
	Charts    []chart        `json:"-"`
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
	group.Go(func() (err error) {
		o.Workflows, err = s.newest(ctx, "", recentWorkflows)
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

// workflowRow is one line of a list of workflows.
type workflowRow struct {
	WorkflowID string    `json:"workflow_id"`
	LastAt     time.Time `json:"last_at,omitzero"`
	Calls      int64     `json:"calls"`
	Errors     int64     `json:"errors"`
}

// newest lists workflows whose id contains a text, the one last active first.
func (s *site) newest(ctx context.Context, contains string, most int) ([]workflowRow, error) {
	g, err := s.View.Graph(ctx)
	if err != nil {
		return nil, err
	}
	rows := []workflowRow{}
	for _, n := range g.Nodes {
		if n.SourceType == "workflow" && containsFold(n.Source, contains) {
			rows = append(rows, workflowRow{n.Source, n.LastAt, n.Count, n.Errors})
		}
	}
	slices.SortFunc(rows, func(a, b workflowRow) int {
		return cmp.Or(b.LastAt.Compare(a.LastAt), cmp.Compare(a.WorkflowID, b.WorkflowID))
	})
	return rows[:min(most, len(rows))], nil
}
