package pages

import (
	"context"
	"net/http"

	"golang.org/x/sync/errgroup"

	"assay/internal/query"
	"assay/streams"
)

// overview is the first page: is it well, what was there lately.
type overview struct {
	Summary   *query.Summary          `json:"summary"`
	Settled   query.Settled           `json:"settled"`
	Rates     layerRates              `json:"events_per_second"`
	Chain     *streams.Checkpoint     `json:"newest_checkpoint,omitempty"`
	Usage     usage                   `json:"usage"`     // of the span
	Workflows []query.WorkflowSummary `json:"workflows"` // the newest
	Span      span                    `json:"-"`
	Spans     []choice                `json:"-"`
	Charts    []chart                 `json:"-"`
}

// recentWorkflows is how many the first page lists.
const recentWorkflows = 12

func (s *site) overview(r *http.Request) (*page, error) {
	o := overview{Span: spanOf(r.URL.Query().Get("since"))}
	o.Spans = spanChoices(r.URL, o.Span)
	metrics, err := s.look(r.Context(), &o)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	o.Rates = s.meter.rates(now, o.Summary)
	metrics = since(metrics, now, o.Span.Long)
	o.Usage.add(metrics)
	o.Charts = usageCharts(metrics, window{now, o.Span.Long, chartSteps, callsLink("", "", o.Span)})
	return &page{Template: "overview", Title: "Overview", Section: "overview", Live: "*", Data: o}, nil
}

// look asks for all that the page tells, at once.
func (s *site) look(ctx context.Context, o *overview) (metrics []query.Capability, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		o.Summary, err = s.View.Status(ctx)
		return err
	})
	group.Go(func() (err error) {
		o.Settled, err = s.View.Settled(ctx)
		return err
	})
	group.Go(func() (err error) {
		metrics, err = s.View.Capabilities(ctx)
		return err
	})
	group.Go(func() error {
		kept, err := s.Audit.Checkpoints(ctx)
		if len(kept) > 0 {
			o.Chain = &kept[len(kept)-1]
		}
		return err
	})
	group.Go(func() error {
		found, err := s.View.Workflows(ctx, query.WorkflowsRequest{Limit: recentWorkflows})
		if err == nil {
			o.Workflows = found.Workflows
		}
		return err
	})
	return metrics, group.Wait()
}
