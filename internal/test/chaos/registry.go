package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// Mood is how a server treats a request.
type Mood string

// The moods, of the registry and of the embedding endpoint alike.
const (
	Well       Mood = "well"
	Refusing   Mood = "refuses the connection" // by closing it at once: a port that is closed cannot be had back for certain
	Hanging    Mood = "hangs"
	Resetting  Mood = "resets midway"
	Limiting   Mood = "429 with Retry-After"
	Failing    Mood = "500"
	Away       Mood = "503"
	Babbling   Mood = "garbage"
	Forgetting Mood = "does it, and the answer is lost"
)

// Moods lists all but Well.
var Moods = []Mood{Refusing, Hanging, Resetting, Limiting, Failing, Away, Babbling, Forgetting}

// hangTime is how long a hanging server says nothing. It is above what the harness tells the program to wait.
const hangTime = 2 * time.Second

// peer is a server in a mood, which may change at any moment.
type peer struct {
	*httptest.Server
	mu    sync.Mutex
	moods []Mood // one is drawn for each request
	rng   *rand.Rand
	asked map[Mood]int
}

func newPeer(rng *rand.Rand, serve http.HandlerFunc) *peer {
	p := &peer{moods: []Mood{Well}, rng: rng, asked: map[Mood]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.answer(w, r, serve) }))
	return p
}

// Be puts the server into a mood, or into several of which each request meets one.
func (p *peer) Be(moods ...Mood) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.moods = moods
}

// Met tells how many requests met another mood than Well.
func (p *peer) Met() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for mood, times := range p.asked {
		if mood != Well {
			n += times
		}
	}
	return n
}

func (p *peer) answer(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	p.mu.Lock()
	mood := p.moods[p.rng.IntN(len(p.moods))]
	p.asked[mood]++
	p.mu.Unlock()
	switch mood {
	case Well:
		serve(w, r)
	case Refusing:
		hangUp(w, "")
	case Hanging:
		wait(r.Context(), hangTime)
		hangUp(w, "")
	case Resetting:
		hangUp(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"ur")
	case Limiting:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case Failing:
		http.Error(w, "it broke", http.StatusInternalServerError)
	case Away:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case Babbling:
		_, _ = io.WriteString(w, "\x00<html>{{{")
	case Forgetting:
		serve(httptest.NewRecorder(), r)
		hangUp(w, "")
	}
}

// hangUp sends the beginning of an answer, if any, and resets the connection.
func hangUp(w http.ResponseWriter, beginning string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, beginning)
	if tcp, ok := conn.(*net.TCPConn); ok && beginning == "" {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// Registry is a capability registry that publishes what it is asked to, once per Idempotency-Key.
type Registry struct {
	*peer
	published map[string]string   // content by key
	keys      map[string][]string // keys by event_cid
	faults    []string
}

// NewRegistry starts one.
func NewRegistry(rng *rand.Rand) *Registry {
	r := &Registry{published: map[string]string{}, keys: map[string][]string{}}
	r.peer = newPeer(rng, r.publish)
	return r
}

func (r *Registry) publish(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var event struct {
		CID string `json:"event_cid"`
	}
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	key := q.Header.Get("Idempotency-Key")
	if err != nil || key == "" {
		http.Error(w, "what is this?", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, again := r.published[key]
	switch {
	case again && before != string(body):
		r.faults = append(r.faults, fmt.Sprintf("key %s is used for %s and for %s", key, before, body))
	case !again:
		r.published[key] = string(body)
		r.keys[event.CID] = append(r.keys[event.CID], key)
	}
	fmt.Fprintf(w, `{"urn":"urn:torture:%s"}`, key)
}

// Check returns how what was published differs from what should have been: each promotion under one key, with one content.
func (r *Registry) Check(want map[string]bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	faults := slices.Clone(r.faults)
	for _, cid := range slices.Sorted(maps.Keys(r.keys)) {
		if keys := r.keys[cid]; len(keys) != 1 {
			faults = append(faults, fmt.Sprintf("promotion %s was published %d times, as %v", cid, len(keys), keys))
		}
		if !want[cid] {
			faults = append(faults, fmt.Sprintf("promotion %s was published, and nobody sent it", cid))
		}
	}
	for _, cid := range slices.Sorted(maps.Keys(want)) {
		if len(r.keys[cid]) == 0 {
			faults = append(faults, fmt.Sprintf("promotion %s was never published", cid))
		}
	}
	return faults
}
