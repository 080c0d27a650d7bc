package embed

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// served starts a server and returns an Endpoint that asks it, and the bodies and headers that were asked.
func served(t *testing.T, answer func(n int, w http.ResponseWriter, asked request), change func(*Options)) (*Endpoint, *[]http.Header) {
	t.Helper()
	var headers []http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked request
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.URL.Path != "/v1/embeddings" || r.Method != http.MethodPost {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		headers = append(headers, r.Header)
		answer(len(headers), w, asked)
	}))
	t.Cleanup(server.Close)
	opts := Options{
		URL: server.URL, Model: "m", Dimensions: 2, BatchTexts: 3, Timeout: time.Minute, Attempts: 3, BackoffMin: time.Microsecond,
	}
	if change != nil {
		change(&opts)
	}
	e, err := NewEndpoint(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e, &headers
}

// lengths answers with the length of each text, the last one first.
func lengths(w http.ResponseWriter, asked request) {
	var a answer
	for i, text := range slices.Backward(asked.Input) {
		a.Data = append(a.Data, struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		}{i, []float32{float32(len(text)), 1}})
	}
	_ = json.NewEncoder(w).Encode(a)
}

func TestEndpointKeepsTheOrderOfTexts(t *testing.T) {
	e, headers := served(t, func(_ int, w http.ResponseWriter, asked request) {
		if asked.Model != "m" || asked.Dimensions != 0 || len(asked.Input) > 3 {
			t.Errorf("asked %+v", asked)
		}
		lengths(w, asked)
	}, nil)
	vectors, err := e.Embed(t.Context(), []string{"a", "bb", "ccc", "dddd", "eeeee", "ffffff", "ggggggg"})
	if err != nil || len(*headers) != 3 {
		t.Fatalf("%v after %d requests, want 3", err, len(*headers))
	}
	for i, v := range vectors {
		if v[0] != float32(i+1) {
			t.Errorf("text %d has the vector %v", i, v)
		}
	}
}

func TestEndpointAsksForShorterVectors(t *testing.T) {
	e, _ := served(t, func(_ int, w http.ResponseWriter, asked request) {
		if asked.Dimensions != 2 {
			t.Errorf("asked for %d dimensions", asked.Dimensions)
		}
		lengths(w, asked)
	}, func(o *Options) { o.Shorten = true })
	if _, err := e.Embed(t.Context(), []string{"a"}); err != nil || e.Model() != "m@2" {
		t.Errorf("model %s: %v", e.Model(), err)
	}
}

func TestEndpointSendsTheKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(KeyEnv, "from-environment")
	for _, test := range []struct{ file, want string }{{"", "Bearer from-environment"}, {file, "Bearer from-file"}} {
		e, headers := served(t, func(_ int, w http.ResponseWriter, asked request) { lengths(w, asked) },
			func(o *Options) { o.KeyFile = test.file })
		if _, err := e.Embed(t.Context(), []string{"a"}); err != nil {
			t.Fatal(err)
		}
		if got := (*headers)[0].Get("Authorization"); got != test.want {
			t.Errorf("sent %q, want %q", got, test.want)
		}
	}
}

func TestEndpointTriesAgain(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable} {
		e, headers := served(t, func(n int, w http.ResponseWriter, asked request) {
			if n < 3 {
				w.Header().Set("Retry-After", "0")
				http.Error(w, "busy", status)
				return
			}
			lengths(w, asked)
		}, nil)
		if _, err := e.Embed(t.Context(), []string{"a"}); err != nil || len(*headers) != 3 {
			t.Errorf("%d: %v after %d requests, want success after 3", status, err, len(*headers))
		}
	}
}

func TestEndpointErrors(t *testing.T) {
	for _, test := range []struct {
		name     string
		answer   func(w http.ResponseWriter)
		want     error
		says     string
		requests int
	}{
		{"down", func(w http.ResponseWriter) { http.Error(w, "x", 500) }, ErrUnavailable, "500", 3},
		{"no JSON", func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) }, ErrUnavailable, "expected", 3},
		{"too few", func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"data":[]}`)) }, ErrUnavailable, "0 vectors for 1", 3},
		{"misnumbered", func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"data":[{"index":7,"embedding":[1,2]}]}`))
		}, ErrUnavailable, "wrongly", 3},
		{"too long", func(w http.ResponseWriter) { http.Error(w, "maximum context length", 400) }, ErrRefused, "maximum context", 1},
		{"wrong key", func(w http.ResponseWriter) { http.Error(w, "x", http.StatusUnauthorized) }, ErrMisconfigured, "key", 1},
		{"wrong path", func(w http.ResponseWriter) { http.Error(w, "x", 404) }, ErrMisconfigured, "embeddings.url", 1},
		{"wrong length", func(w http.ResponseWriter) {
			_, _ = w.Write([]byte(`{"data":[{"index":0,"embedding":[1,2,3]}]}`))
		}, ErrMisconfigured, "set it to 3", 1},
	} {
		e, headers := served(t, func(_ int, w http.ResponseWriter, _ request) { test.answer(w) }, nil)
		_, err := e.Embed(t.Context(), []string{"a"})
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %v that says %q", test.name, err, test.want, test.says)
		}
		if len(*headers) != test.requests {
			t.Errorf("%s: %d requests, want %d", test.name, len(*headers), test.requests)
		}
	}
}

func TestEndpointStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e, headers := served(t, func(_ int, w http.ResponseWriter, _ request) {
		cancel()
		http.Error(w, "x", 500)
	}, func(o *Options) { o.BackoffMin = time.Hour })
	if _, err := e.Embed(ctx, []string{"a"}); !errors.Is(err, context.Canceled) || len(*headers) != 1 {
		t.Errorf("%v after %d requests", err, len(*headers))
	}
}

func TestEndpointPaths(t *testing.T) {
	for base, want := range map[string]string{
		"http://h": "http://h/v1/embeddings", "http://h/": "http://h/v1/embeddings", "http://h/v1": "http://h/v1/embeddings",
		"http://h/api/v1/": "http://h/api/v1/embeddings", "http://h/v1/embeddings": "http://h/v1/embeddings",
	} {
		if got := embeddingsURL(base); got != want {
			t.Errorf("%s: %s, want %s", base, got, want)
		}
	}
}

func TestEndpointOptions(t *testing.T) {
	good := Options{URL: "http://h", Model: "m", Dimensions: 1, BatchTexts: 1, Timeout: 1, Attempts: 1, BackoffMin: 1}
	for name, spoil := range map[string]func(*Options){
		"url": func(o *Options) { o.URL = "ftp://h" }, "model": func(o *Options) { o.Model = "" },
		"dimensions": func(o *Options) { o.Dimensions = 0 }, "batch": func(o *Options) { o.BatchTexts = 0 },
		"rate": func(o *Options) { o.Rate = -1 }, "attempts": func(o *Options) { o.Attempts = 0 },
	} {
		o := good
		spoil(&o)
		if _, err := NewEndpoint(o); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
