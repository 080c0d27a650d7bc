package promotion

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// stub is a capability registry that misbehaves on request. It publishes each idempotency key once.
type stub struct {
	*httptest.Server
	mu        sync.Mutex
	behave    func(n int, w http.ResponseWriter, r *http.Request, publish func()) // of the nth request, from 0
	requests  int
	published map[string]int // requests that published or would have, by idempotency key
	bodies    map[string]Promotion
}

// wellBehaved answers each request as it should.
func wellBehaved(_ int, w http.ResponseWriter, r *http.Request, publish func()) {
	publish()
	answerURN(w, r)
}

func answerURN(w http.ResponseWriter, r *http.Request) {
	_ = json.NewEncoder(w).Encode(map[string]string{"urn": "urn:test:" + r.Header.Get("Idempotency-Key")})
}

func newStub(t *testing.T, behave func(n int, w http.ResponseWriter, r *http.Request, publish func())) *stub {
	s := &stub{behave: behave, published: map[string]int{}, bodies: map[string]Promotion{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var p Promotion
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/api/v1/registry/capabilities/publish" ||
		r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &p) != nil {
		http.Error(w, "not a publication", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	n := s.requests
	s.requests++
	s.bodies[p.EventCID] = p
	behave := s.behave
	s.mu.Unlock()
	behave(n, w, r, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.published[r.Header.Get("Idempotency-Key")]++
	})
}

func (s *stub) setBehaviour(behave func(n int, w http.ResponseWriter, r *http.Request, publish func())) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behave = behave
}

func (s *stub) count() (requests, published int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, len(s.published)
}

// registry is a client of the stub.
func (s *stub) registry(t *testing.T) Registry {
	t.Helper()
	r, err := Open(KindCoReason, Endpoint{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}
