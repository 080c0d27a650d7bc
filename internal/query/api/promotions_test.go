package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"assay/internal/query"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// promotionBook is a View of which only promotions are asked; it keeps them by event_cid.
type promotionBook struct {
	query.View
	states map[string]string
	reason string
}

func newPromotionBook() *promotionBook {
	return &promotionBook{states: map[string]string{"a": query.StateRejected, "b": query.StatePublished}}
}

func (b *promotionBook) Promotions(_ context.Context, request query.PromotionsRequest) (*query.PromotionList, error) {
	return &query.PromotionList{Promotions: []query.Promotion{{EventCID: "listed", State: request.State}}, Next: "next"}, nil
}

func (b *promotionBook) Promotion(_ context.Context, id string) (*query.PromotionDetail, error) {
	state, ok := b.states[id]
	if !ok {
		return nil, fmt.Errorf("%w: promotion %q", query.ErrNotFound, id)
	}
	return &query.PromotionDetail{Promotion: query.Promotion{EventCID: id, State: state}, Event: []byte(`{"x":1}`)}, nil
}

func (b *promotionBook) RetryPromotion(ctx context.Context, id string) error {
	found, err := b.Promotion(ctx, id)
	if err == nil && found.State == query.StatePublished {
		err = fmt.Errorf("%w: published", query.ErrConflict)
	}
	return err
}

func (b *promotionBook) RetryRejected(context.Context) (int, error) { return 7, nil }

func (b *promotionBook) RejectPromotion(ctx context.Context, id, reason string) error {
	b.reason = reason
	return b.RetryPromotion(ctx, id)
}

// WatchPromotions tells of one promotion and then of nothing.
func (b *promotionBook) WatchPromotions(ctx context.Context) iter.Seq2[*query.PromotionDetail, error] {
	return func(yield func(*query.PromotionDetail, error) bool) {
		found, err := b.Promotion(ctx, "a")
		if yield(found, err) {
			<-ctx.Done()
		}
	}
}

func options(v query.View) Options {
	return Options{
		Listen: "127.0.0.1:0", View: v, Ingest: http.NotFoundHandler(), Live: http.NotFoundHandler(), Replay: http.NotFoundHandler(), MCP: http.NotFoundHandler(),
		Ready:   func(context.Context) ([]string, error) { return []string{"the oldest is old"}, nil },
		Metrics: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	}
}

// Asked over HTTP, promotions are what they are locally, errors included.
func TestPromotions(t *testing.T) {
	book := newPromotionBook()
	s := httptest.NewServer(handler(t, options(book)))
	defer s.Close()
	defer http.DefaultClient.CloseIdleConnections()
	remote, ctx := query.NewRemote(s.URL, ""), t.Context()
	if got, err := remote.Promotions(ctx, query.PromotionsRequest{State: "pending"}); err != nil || len(got.Promotions) != 1 || got.Promotions[0].State != "pending" || got.Next != "next" {
		t.Errorf("listed %+v, error %v", got, err)
	}
	if got, err := remote.Promotion(ctx, "a"); err != nil || got.State != query.StateRejected || string(got.Event) != `{"x":1}` {
		t.Errorf("shown %+v, error %v", got, err)
	}
	if n, err := remote.RetryRejected(ctx); n != 7 || err != nil {
		t.Errorf("retried %d, error %v", n, err)
	}
	for id, want := range map[string]error{"a": nil, "b": query.ErrConflict, "c d/e": query.ErrNotFound} {
		if err := remote.RetryPromotion(ctx, id); !errors.Is(err, want) {
			t.Errorf("retry %s: %v", id, err)
		}
		if err := remote.RejectPromotion(ctx, id, "why <not>"); !errors.Is(err, want) || book.reason != "why <not>" {
			t.Errorf("reject %s for %q: %v", id, book.reason, err)
		}
	}
}

func TestPromotionRequests(t *testing.T) {
	handler := handler(t, options(newPromotionBook()))
	for _, c := range []struct {
		method, target, body, origin string
		status                       int
		says                         string
	}{
		{"POST", "/v1/promotions/retry", "", "", 400, "state=rejected"},
		{"POST", "/v1/promotions/retry?state=pending", "", "", 400, "state=rejected"},
		{"POST", "/v1/promotions/retry?state=rejected", "", "", 200, `{"retried":7,"rejected":0}`},
		{"POST", "/v1/promotions/a/retry", "", "", 200, `{"retried":1,"rejected":0}`},
		{"POST", "/v1/promotions/a/retry", "", "https://elsewhere.example", 403, "elsewhere.example"},
		{"POST", "/v1/promotions/a/reject", "", "", 400, "reason"},
		{"POST", "/v1/promotions/a/reject", `{"reasons":"x"}`, "", 400, "reasons"},
		{"POST", "/v1/promotions/a/reject", `{"reason":"x"}`, "", 200, `{"retried":0,"rejected":1}`},
		{"POST", "/v1/promotions/b/reject", `{"reason":"x"}`, "", 409, "not possible now"},
		{"GET", "/v1/promotions/z", "", "", 404, "not found"},
		{"GET", "/readyz", "", "", 200, "ready\nwarning: the oldest is old\n"},
	} {
		request := httptest.NewRequestWithContext(t.Context(), c.method, c.target, strings.NewReader(c.body))
		request.Host = "localhost:7070"
		if c.origin != "" {
			request.Header.Set("Origin", c.origin)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != c.status || !strings.Contains(answer.Body.String(), c.says) {
			t.Errorf("%s %s %s: %d %s", c.method, c.target, c.body, answer.Code, answer.Body)
		}
	}
}

// A watch goes on until the server stops, which it does not hold up.
func TestWatchEndsWithTheServer(t *testing.T) {
	s, err := Start(t.Context(), options(newPromotionBook()))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for changed, err := range query.NewRemote(s.URL(), "").WatchPromotions(t.Context()) {
		switch {
		case err != nil && (seen != 1 || !errors.Is(err, query.ErrServer)):
			t.Errorf("after %d: %v", seen, err)
		case err == nil:
			seen++
			if changed.EventCID != "a" {
				t.Errorf("watched %+v", changed)
			}
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	if seen != 1 {
		t.Errorf("watched %d changes", seen)
	}
}
