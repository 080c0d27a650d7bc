package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/query"
)

// endpoint is a stand-in for a server of embeddings. Its vectors are of the right shape and otherwise as good as random, so
// that only a text itself is near its vector.
type endpoint struct {
	URL string

	mu     sync.Mutex
	server *httptest.Server // nil while it is down
	state  string
	freed  chan struct{} // closed when the state changes
}

// States of an endpoint; "" is good.
const (
	slow    = "slow"    // it answers after slowAnswer
	stuck   = "stuck"   // it answers once it is in another state
	failing = "failing" // it answers with status 500
	down    = "down"    // nobody listens
)

const slowAnswer = 300 * time.Millisecond

func newEndpoint(tb testing.TB) *endpoint {
	e := &endpoint{freed: make(chan struct{})}
	e.server = httptest.NewServer(e)
	e.URL = e.server.URL
	tb.Cleanup(func() { e.set(tb, down) })
	return e
}

func (e *endpoint) set(tb testing.TB, state string) {
	tb.Helper()
	e.mu.Lock()
	e.state = state
	close(e.freed)
	e.freed = make(chan struct{})
	server := e.server
	e.mu.Unlock()
	switch {
	case state == down && server != nil:
		server.Close()
		e.server = nil
	case state != down && server == nil: // where it was before
		listener, err := net.Listen("tcp", strings.TrimPrefix(e.URL, "http://"))
		if err != nil {
			tb.Fatal(err)
		}
		e.server = httptest.NewUnstartedServer(e)
		e.server.Listener.Close()
		e.server.Listener = listener
		e.server.Start()
	}
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	state, freed := e.state, e.freed
	e.mu.Unlock()
	var after <-chan time.Time // never
	switch state {
	case failing:
		http.Error(w, "out of order", http.StatusInternalServerError)
		return
	case slow:
		after = time.After(slowAnswer)
		fallthrough
	case stuck:
		select {
		case <-after:
		case <-freed:
		case <-r.Context().Done():
			return
		}
	}
	var request struct {
		Model string
		Input []string
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var data []map[string]any
	for i, text := range request.Input {
		data = append(data, map[string]any{"index": i, "embedding": vectorOf(request.Model, text)})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data}) // the client may be gone
}

// The stand-in's models are named by the length of their vectors.
func vectorOf(model, text string) []float32 {
	var dimensions int
	if _, err := fmt.Sscanf(model, "model-%d", &dimensions); err != nil {
		panic(err)
	}
	hash := fnv.New64a()
	hash.Write([]byte(model + "\n" + text))
	random := rand.New(rand.NewPCG(hash.Sum64(), 0))
	vector := make([]float32, dimensions)
	for i := range vector {
		vector[i] = float32(random.NormFloat64())
	}
	return vector
}

func openWith(t testing.TB, dir string, options ...Option) *Memory {
	t.Helper()
	m, err := Open(t.Context(), dir, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shut(t, m) })
	return m
}

func shut(t testing.TB, m *Memory) {
	t.Helper()
	if m.pipeline == nil {
		return
	}
	if err := m.Close(context.Background()); err != nil {
		t.Error(err)
	}
	m.pipeline = nil
}

func observe(t *testing.T, m *Memory, workflow string, texts ...string) {
	t.Helper()
	for i, text := range texts {
		event := map[string]any{"type": "observation", "intent_id": fmt.Sprint(i), "payload": text}
		if err := m.Append(t.Context(), workflow, event); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// eventually looks until it holds; what it waits for has no signal that a test could wait for.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

func recall(t *testing.T, m *Memory, mode, query string) []Hit {
	t.Helper()
	hits, err := m.Recall(t.Context(), Query{Query: query, Mode: mode, Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// Whatever the endpoint does, events are stored and found by words; vectors follow once it answers.
func TestIngestDoesNotWaitForVectors(t *testing.T) {
	for _, state := range []string{stuck, failing, down} {
		t.Run(state, func(t *testing.T) {
			server := newEndpoint(t)
			server.set(t, state)
			m := openWith(t, t.TempDir(), WithEmbeddings(server.URL, "model-8", 8))
			observe(t, m, "wf", "the first text", "a second text")
			w, err := m.Rehydrate(t.Context(), "wf", RehydrateOptions{})
			if err != nil || w.Events != 2 || w.EntitiesTotal != 2 {
				t.Fatalf("rehydrated %+v, %v; want 2 events and entities", w, err)
			}
			if hits := recall(t, m, query.ModeText, "second"); len(hits) != 1 || hits[0].Text != "a second text" {
				t.Errorf("by words: %+v", hits)
			}
			server.set(t, "")
			eventually(t, "found by vector", func() bool {
				hits := recall(t, m, query.ModeVector, "a second text")
				return len(hits) == 2 && hits[0].Text == "a second text" && hits[0].Similarity > 0.999
			})
		})
	}
}

func TestChangeOfModel(t *testing.T) {
	server, dir := newEndpoint(t), t.TempDir()
	nearest := func(m *Memory, text string) bool {
		hits := recall(t, m, query.ModeVector, text)
		return len(hits) == 2 && hits[0].Text == text && hits[0].Similarity > 0.999
	}
	m := openWith(t, dir)
	observe(t, m, "wf", "the first text", "a second text")
	shut(t, m)
	// Another length of vectors, another model, and back to the built-in embedder.
	for _, option := range []Option{
		WithEmbeddings(server.URL, "model-8", 8), WithEmbeddings(server.URL+"/v1", "model-256", 256),
		WithEmbeddings(server.URL, "model-16", 16), func(*settings) {},
	} {
		m := openWith(t, dir, option)
		eventually(t, "embedded anew", func() bool { return nearest(m, "the first text") })
		if hits := recall(t, m, query.ModeText, "text"); len(hits) != 2 {
			t.Errorf("%d episodes, want 2", len(hits))
		}
		shut(t, m)
	}
}

// Ids and queries are data, whatever they look like.
func TestHostileNames(t *testing.T) {
	m := openWith(t, t.TempDir())
	names := []string{`' OR '1'='1`, `'; DELETE FROM episodes; --`, `\' OR true --`, `"quoted"`, "new\nline", "ünïcode ☃", "100%_"}
	for _, name := range names {
		observe(t, m, name, "text of "+name)
	}
	for _, name := range names {
		w, err := m.Rehydrate(t.Context(), name, RehydrateOptions{})
		if err != nil || w.EntitiesTotal != 1 || w.Events != 1 {
			t.Errorf("%q: rehydrated %+v, %v; want one entity", name, w, err)
		}
		for _, mode := range []string{query.ModeText, query.ModeVector, query.ModeHybrid} {
			hits, err := m.Recall(t.Context(), Query{Query: "text of " + name, Mode: mode, Workflow: name})
			if err != nil || len(hits) != 1 || hits[0].WorkflowID != name {
				t.Errorf("%q %s: recalled %+v, %v; want its one episode", name, mode, hits, err)
			}
		}
		hits, err := m.Recall(t.Context(), Query{Query: "text", Agent: name, Kind: name})
		if err != nil || len(hits) != 0 {
			t.Errorf("agent and kind %q: recalled %+v, %v; want none", name, hits, err)
		}
	}
}

// The state as of a time is what the events until then amount to.
func TestRehydrateAsOf(t *testing.T) {
	m := openWith(t, t.TempDir())
	err := m.Append(t.Context(), "wf",
		map[string]any{"type": "tool_invocation", "intent_id": "1", "tool_name": "build", "timestamp": "2026-01-01T10:00:00Z"},
		map[string]any{"type": "observation", "intent_id": "1", "payload": "built", "timestamp": "2026-01-01T10:00:05Z"},
		map[string]any{"type": "tool_invocation", "intent_id": "2", "tool_name": "deploy", "timestamp": "2026-01-01T10:00:10Z"},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		at                     string
		events, entities, open int
	}{
		{"2026-01-01T10:00:00Z", 1, 1, 1}, {"2026-01-01T10:00:05Z", 2, 1, 0}, {"2026-01-01T11:00:00Z", 3, 2, 1},
	} {
		at, err := time.Parse(time.RFC3339, want.at)
		if err != nil {
			t.Fatal(err)
		}
		w, err := m.Rehydrate(t.Context(), "wf", RehydrateOptions{At: at})
		if err != nil || int(w.Events) != want.events || int(w.EntitiesTotal) != want.entities || len(w.OpenCalls) != want.open {
			t.Errorf("%s: %+v, %v; want %d events, %d entities, %d open", want.at, w, err, want.events, want.entities, want.open)
		}
	}
	before := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	if w, err := m.Rehydrate(t.Context(), "wf", RehydrateOptions{At: before}); err == nil {
		t.Errorf("before it began: %+v, want ErrNotFound", w)
	}
	now, err := m.Rehydrate(t.Context(), "wf", RehydrateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	then, err := m.Rehydrate(t.Context(), "wf", RehydrateOptions{At: time.Now()})
	if err != nil || fmt.Sprintf("%+v", now) != fmt.Sprintf("%+v", then) {
		t.Errorf("as of now\n%+v, %v; want\n%+v", then, err, now)
	}
}
