package api

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"assay/internal/query"
)

func handler(t *testing.T, opts Options) http.Handler {
	t.Helper()
	h, err := Handler(opts)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// untouchable is a View that must not be asked: every method panics.
type untouchable struct{ query.View }

// everyRoute returns a request for each route, and for the paths that belong to none.
func everyRoute(t *testing.T, opts Options) (requests []*http.Request) {
	t.Helper()
	fill := strings.NewReplacer("{source}", "event", "{workflow...}", "w", "{id...}", "w", "{id}", "w", "{$}", "")
	patterns := []string{"GET /", "POST /mcp", "GET /nothing"}
	for _, r := range (&api{Options: opts}).routes() {
		patterns = append(patterns, r.pattern)
	}
	closed, _ := (&api{Options: opts}).pages()
	for _, page := range closed {
		patterns = append(patterns, page.Pattern)
	}
	for _, pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "" {
			method, path = http.MethodPost, pattern
		}
		request := httptest.NewRequestWithContext(t.Context(), method, fill.Replace(path), strings.NewReader(`{"query":"x"}`))
		request.Host = "localhost:7070"
		requests = append(requests, request)
	}
	return requests
}

// A page of another site, which the user's own browser shows, reaches nothing, nor does one whose name was made to resolve here.
func TestNoRouteIsForPagesOfOtherSites(t *testing.T) {
	opts := options(untouchable{})
	stranger := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s %s was let in", r.Method, r.URL) })
	opts.Ingest, opts.Live, opts.Replay = stranger, stranger, stranger
	guarded := handler(t, opts)
	for name, disguise := range map[string]func(*http.Request){
		"another name":    func(r *http.Request) { r.Host = "evil.example" },
		"another origin":  func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"another port":    func(r *http.Request) { r.Header.Set("Origin", "http://localhost:9999") },
		"a sandboxed one": func(r *http.Request) { r.Header.Set("Origin", "null") },
		"a WebSocket": func(r *http.Request) {
			r.Header.Set("Origin", "https://evil.example")
			r.Header.Set("Upgrade", "websocket")
		},
	} {
		for _, r := range everyRoute(t, opts) {
			disguise(r)
			answer := httptest.NewRecorder()
			guarded.ServeHTTP(answer, r)
			if answer.Code != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d %s", name, r.Method, r.URL, answer.Code, answer.Body)
			}
		}
	}
}

func TestNoRouteIsWithoutTheToken(t *testing.T) {
	opts := options(untouchable{})
	opts.Token = "secret"
	guarded := handler(t, opts)
	for _, given := range []string{"", "Bearer other", "secret", "Bearer secret "} {
		for _, r := range everyRoute(t, opts) {
			r.Header.Set("Authorization", given)
			answer := httptest.NewRecorder()
			guarded.ServeHTTP(answer, r)
			if answer.Code != http.StatusUnauthorized {
				t.Errorf("%q: %s %s: %d %s", given, r.Method, r.URL, answer.Code, answer.Body)
			}
		}
	}
}

func TestReadinessTellsDetailsOnlyToThoseWhoMayAsk(t *testing.T) {
	for _, c := range []struct {
		token, given, host string
		fails, details     bool
	}{
		{"", "", "localhost:7070", false, true},
		{"", "", "localhost:7070", true, true},
		{"", "", "evil.example", false, false},
		{"", "", "evil.example", true, false},
		{"secret", "", "10.0.0.1:7070", false, false},
		{"secret", "", "localhost:7070", true, false},
		{"secret", "Bearer secret", "10.0.0.1:7070", false, true},
		{"secret", "Bearer secret", "10.0.0.1:7070", true, true},
	} {
		opts := options(untouchable{})
		opts.Token = c.token
		opts.Ready = func(context.Context) ([]string, error) {
			if c.fails {
				return nil, errors.New("a detail")
			}
			return []string{"a detail"}, nil
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil)
		r.Host = c.host
		r.Header.Set("Authorization", c.given)
		answer := httptest.NewRecorder()
		handler(t, opts).ServeHTTP(answer, r)
		if status := map[bool]int{false: 200, true: 503}[c.fails]; answer.Code != status || strings.Contains(answer.Body.String(), "a detail") != c.details {
			t.Errorf("%+v: %d %s", c, answer.Code, answer.Body)
		}
	}
}

func TestANameOfTheServerCanBeAdded(t *testing.T) {
	opts := options(newPromotionBook())
	opts.Hosts = []string{"assay.example"}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/promotions", nil)
	r.Host = "assay.example:443"
	answer := httptest.NewRecorder()
	handler(t, opts).ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	opts.Hosts = []string{"https://assay.example"}
	if _, err := Start(t.Context(), opts); !errors.Is(err, ErrListen) {
		t.Errorf("a URL for a name: %v", err)
	}
}
