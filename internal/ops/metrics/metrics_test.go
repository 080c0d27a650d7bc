package metrics

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"assay/internal/query"
)

// figures is a Source that stands still.
type figures struct {
	summary query.Summary
	gauges  Gauges
	err     error
}

func (f *figures) Figures(context.Context) (*query.Summary, error) { return &f.summary, f.err }

func (f *figures) Gauges(context.Context) (Gauges, error) { return f.gauges, nil }

func scrape(source Source) string {
	handler := promhttp.HandlerFor(NewRegistry(source, slog.New(slog.DiscardHandler)), promhttp.HandlerOpts{})
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return answer.Body.String()
}

func TestPromotionFigures(t *testing.T) {
	got := scrape(&figures{
		summary: query.Summary{Promotions: query.PromotionSummary{Published: 3, Pending: 2, Rejected: 1}},
		gauges: Gauges{
			PromotionOldestAge: 90 * time.Second, PromotionAttempts: 9, PromotionFailures: 4, PromotionBreaker: "half-open",
		},
	})
	for _, want := range []string{
		`assay_promotions{state="pending"} 2`, `assay_promotions{state="published"} 3`, `assay_promotions{state="rejected"} 1`,
		`assay_promotion_oldest_seconds 90`, `assay_promotion_attempts_total 9`, `assay_promotion_failures_total 4`,
		`assay_promotion_breaker{state="closed"} 0`, `assay_promotion_breaker{state="half-open"} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("a scrape lacks %s", want)
		}
	}
}

func TestEmbeddingFigures(t *testing.T) {
	got := scrape(&figures{
		summary: query.Summary{Embeddings: query.EmbeddingSummary{Model: "model", Pending: 12}},
		gauges:  Gauges{EmbeddingsWaiting: 90 * time.Second},
	})
	for _, want := range []string{"assay_embeddings_pending 12", "assay_embeddings_waiting_seconds 90"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("a scrape lacks %s", want)
		}
	}
}

// What cannot be read leaves the rest of the scrape.
func TestScrapeWithoutCounts(t *testing.T) {
	got := scrape(&figures{err: errors.New("the log is away")})
	if strings.Contains(got, "assay_") || !strings.Contains(got, "go_goroutines") {
		t.Errorf("scraped %s", got)
	}
}
