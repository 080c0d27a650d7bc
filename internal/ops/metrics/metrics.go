// Package metrics exposes what a pipeline counts to Prometheus.
package metrics

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"assay/internal/query"
)

// Source is what is asked at each scrape: an app.Pipeline.
type Source interface {
	// Figures are counts that are kept, and cost no counting.
	Figures(ctx context.Context) (*query.Summary, error)
	Gauges(ctx context.Context) (Gauges, error)
}

// Gauges are the figures that go up and down.
type Gauges struct {
	SilverLag          uint64        // frames that Silver has not decoded yet
	ShedThreshold      float64       // in force for frames captured now, 0 to 1
	EmbeddingsWaiting  time.Duration // for how long there have been episodes without a vector
	PromotionOldestAge time.Duration // of the promotion that waits longest
	PromotionAttempts  uint64        // since start
	PromotionFailures  uint64        // attempts that failed, since start
	PromotionBreaker   string        // one of breakerStates
}

// breakerStates are those of the circuit breaker before the registry.
var breakerStates = []string{"closed", "open", "half-open"}

// scrapeTimeout bounds what one scrape may ask of the log.
const scrapeTimeout = 5 * time.Second

// NewRegistry returns a registry with the pipeline's figures and those of the process.
func NewRegistry(source Source, logger *slog.Logger) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{source, logger})
	return r
}

type collector struct {
	source Source
	logger *slog.Logger
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("assay_"+name, help, labels, nil)
}

var (
	frames     = desc("bronze_frames_total", "Frames captured.")
	captured   = desc("bronze_events_total", "Events captured.")
	bytes      = desc("bronze_bytes_total", "Bytes captured.")
	events     = desc("silver_events_total", "Events decoded, by what became of them.", "disposition")
	batches    = desc("silver_batches_total", "Micro-batches published.")
	lag        = desc("silver_lag_frames", "Frames not decoded yet.")
	threshold  = desc("shed_threshold", "Threshold of the load gate stamped on frames now, 0 to 1.")
	entities   = desc("gold_entities", "Entities known.")
	edges      = desc("gold_edges", "Edges of the usage graph.")
	embeddings = desc("embeddings_pending", "Episodes without a vector of the configured model.")
	waiting    = desc("embeddings_waiting_seconds", "For how long there have been episodes without a vector.")
	promotions = desc("promotions", "Promotions by state.", "state")
	oldest     = desc("promotion_oldest_seconds", "Age of the promotion that waits longest.")
	attempts   = desc("promotion_attempts_total", "Attempts to publish since start.")
	failures   = desc("promotion_failures_total", "Attempts to publish that failed since start.")
	dropped    = desc("retention_dropped_rows_total", "Rows that retention has dropped.", "table")
	breaker    = desc("promotion_breaker", "1 for the state that the circuit breaker before the registry is in.", "state")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		frames, captured, bytes, events, batches, lag, threshold, entities, edges, embeddings, waiting, promotions, oldest,
		attempts, failures, breaker, dropped,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What cannot be read is left out of the scrape, and said.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, x float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x, labels...)
	}
	s, err := c.source.Figures(ctx)
	if err != nil {
		c.logger.Warn("metrics: counts are missing from this scrape", "error", err)
		return
	}
	counter(frames, s.Bronze.Frames)
	counter(captured, s.Bronze.Events)
	counter(bytes, s.Bronze.Bytes)
	counter(events, s.Gold.Traces, "kept")
	counter(events, s.Silver.Shed, "shed")
	counter(events, s.Silver.Dead, "dead")
	counter(batches, s.Silver.Batches)
	gauge(entities, float64(s.Gold.Entities))
	gauge(edges, float64(s.Gold.Edges))
	gauge(embeddings, float64(s.Embeddings.Pending))
	gauge(promotions, float64(s.Promotions.Published), "published")
	gauge(promotions, float64(s.Promotions.Pending), "pending")
	gauge(promotions, float64(s.Promotions.Rejected), "rejected")
	for _, r := range s.Retention {
		counter(dropped, r.Dropped, r.Table)
	}

	g, err := c.source.Gauges(ctx)
	if err != nil {
		c.logger.Warn("metrics: gauges are missing from this scrape", "error", err)
		return
	}
	gauge(lag, float64(g.SilverLag))
	gauge(threshold, g.ShedThreshold)
	gauge(waiting, g.EmbeddingsWaiting.Seconds())
	gauge(oldest, g.PromotionOldestAge.Seconds())
	counter(attempts, g.PromotionAttempts)
	counter(failures, g.PromotionFailures)
	for _, state := range breakerStates {
		in := 0.0
		if g.PromotionBreaker == state {
			in = 1
		}
		gauge(breaker, in, state)
	}
}
