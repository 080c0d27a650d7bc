package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"assay/internal/query"
)

// ForwardSource is what is asked about forwarding at each scrape.
type ForwardSource interface {
	// Forwarding is nil where nothing is forwarded.
	Forwarding(ctx context.Context) (*query.ForwardSummary, error)
}

// NewForward returns a collector of how far an edge has forwarded its log, which has nothing to tell elsewhere.
func NewForward(source ForwardSource) prometheus.Collector { return &forwardCollector{source} }

type forwardCollector struct{ source ForwardSource }

var (
	forwardUp      = desc("forward_up", "1 while the hub takes frames.")
	forwardSeq     = desc("forward_sequence", "Last frame of the log that the hub has.")
	forwardLag     = desc("forward_lag_frames", "Frames that the hub does not have yet.")
	forwardBytes   = desc("forward_lag_bytes", "About how many bytes these have.")
	forwardAge     = desc("forward_oldest_seconds", "Age of the first frame that the hub does not have yet.")
	forwardRefused = desc("forward_refused_frames_total", "Frames since start that the hub refused, because they hold what it has forgotten.")
	forwardLost    = desc("forward_lost_frames_total", "Frames since start that the log's limits took before the hub had them.")
)

// Describe implements prometheus.Collector.
func (c *forwardCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{forwardUp, forwardSeq, forwardLag, forwardBytes, forwardAge, forwardRefused, forwardLost} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *forwardCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	f, err := c.source.Forwarding(ctx)
	if f == nil || err != nil {
		return // the counts of the log are missing too, and the other collector says why
	}
	up, age := 0.0, 0.0
	if f.Away == "" {
		up = 1
	}
	if !f.Oldest.IsZero() {
		age = time.Since(f.Oldest).Seconds()
	}
	for d, x := range map[*prometheus.Desc]float64{
		forwardUp: up, forwardSeq: float64(f.Sequence), forwardLag: float64(f.Lag), forwardBytes: float64(f.LagBytes), forwardAge: age,
	} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x)
	}
	for d, n := range map[*prometheus.Desc]uint64{forwardRefused: f.Refused, forwardLost: f.Lost} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
}
