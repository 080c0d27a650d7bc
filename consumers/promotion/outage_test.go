package promotion

import (
	"net"
	"net/http"
	"testing"
	"time"

	"assay/internal/test/program"
)

// misbehaviours are ways for a registry to fail; each is repaired after some requests.
var misbehaviours = map[string]func(n int, w http.ResponseWriter, r *http.Request, publish func()){
	"500": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
		w.WriteHeader(http.StatusInternalServerError)
	},
	"401": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(http.StatusUnauthorized) },
	"403": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(http.StatusForbidden) },
	"503": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
		w.WriteHeader(http.StatusServiceUnavailable)
	},
	"408": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
		w.WriteHeader(http.StatusRequestTimeout)
	},
	"garbage": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) { _, _ = w.Write([]byte("<html>")) },
	"no urn":  func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) { _, _ = w.Write([]byte(`{"urn":""}`)) },
	"redirects": func(_ int, w http.ResponseWriter, r *http.Request, _ func()) {
		http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
	},
	"429 with Retry-After": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(http.StatusTooManyRequests)
	},
	"hangs": func(_ int, _ http.ResponseWriter, r *http.Request, _ func()) { <-r.Context().Done() },
	"resets before the answer": func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
		reset(w)
	},
	"resets midway in the answer": func(_ int, w http.ResponseWriter, _ *http.Request, publish func()) {
		publish()
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"urn":"urn:`))
		_ = http.NewResponseController(w).Flush()
		reset(w)
	},
	"publishes but the answer is lost": func(_ int, w http.ResponseWriter, _ *http.Request, publish func()) {
		publish()
		reset(w)
	},
	"publishes but says 500": func(_ int, w http.ResponseWriter, _ *http.Request, publish func()) {
		publish()
		w.WriteHeader(http.StatusInternalServerError)
	},
}

// reset breaks the connection under the handler.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// However the registry fails for however long, every promotion is published once it works again.
func TestMisbehavingRegistry(t *testing.T) {
	for name, misbehave := range misbehaviours {
		t.Run(name, func(t *testing.T) {
			b, clock := newBed(t), newManualClock()
			s := newStub(t, misbehave)
			o := b.options(s.registry(t))
			o.Clock, o.Timeout = clock, 100*time.Millisecond
			b.send(0, 12)
			p, stop := b.start(o)
			for range 20 {
				b.settle(p)
				clock.skip()
			}
			b.settle(p)
			if got := b.counts(p); got != (Counts{Pending: 12}) {
				t.Fatalf("while it fails, counts are %+v", got)
			}
			s.setBehaviour(wellBehaved)
			for b.counts(p).Published < 12 {
				clock.skip()
				b.settle(p)
			}
			stop()
			if left := b.entries(); len(left) != 0 {
				t.Errorf("entries left in the bucket: %v", left)
			}
			if _, published := s.count(); published != 12 {
				t.Errorf("published %d", published)
			}
		})
	}
}

// A month without a network, with a restart a week: every attempt is refused, the promotions wait, then are published.
func TestMonthWithoutNetwork(t *testing.T) {
	b, clock := newBed(t), newManualClock()
	s := newStub(t, wellBehaved)
	away, err := Open(KindCoReason, Endpoint{URL: "http://" + program.FreeAddress(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer away.Close()
	b.send(0, 50)
	started := clock.Now()
	var attempts uint64
	for week := 1; week <= 4; week++ {
		o := b.options(away)
		o.Clock, o.Backoff = clock, Backoff{Base: time.Second, Max: 4 * time.Hour}
		p, stop := b.start(o)
		for b.settle(p); clock.Now().Sub(started) < time.Duration(week)*7*24*time.Hour; b.settle(p) {
			clock.skip()
		}
		if got := p.Status(); got.Pending != 50 || got.OldestAge != clock.Now().Sub(started) {
			t.Errorf("status after week %d is %+v", week, got)
		}
		attempts += p.Status().Attempts
		stop()
	}
	if got := b.run(b.options(s.registry(t))); got != (Counts{Published: 50}) {
		t.Errorf("counts are %+v", got)
	}
	if requests, published := s.count(); requests != 50 || published != 50 {
		t.Errorf("%d requests published %d promotions", requests, published)
	}
	t.Logf("%d attempts in four weeks for 50 promotions", attempts)
}

// The registry's Retry-After pauses all publications, and a restart does not shorten it for the one that it was about.
func TestRetryAfter(t *testing.T) {
	b, clock := newBed(t), newManualClock()
	s := newStub(t, misbehaviours["429 with Retry-After"])
	o := b.options(s.registry(t))
	o.Clock, o.Concurrency = clock, 1
	b.send(0, 10)
	p, stop := b.start(o)
	b.settle(p)
	if got := p.Status(); got.Breaker != "open" || !got.Until.Equal(clock.Now().Add(2*time.Hour)) || got.Attempts != 1 {
		t.Errorf("status is %+v", got)
	}
	clock.advance(2*time.Hour - time.Second)
	b.settle(p)
	stop()
	if requests, _ := s.count(); requests != 1 {
		t.Errorf("%d requests within two hours", requests)
	}

	s.setBehaviour(wellBehaved)
	o = b.options(s.registry(t))
	o.Clock, o.Concurrency = clock, 1
	p, stop = b.start(o)
	b.settle(p)
	if got := b.counts(p); got != (Counts{Published: 9, Pending: 1}) {
		t.Errorf("counts after a restart are %+v", got)
	}
	clock.advance(time.Second)
	b.settle(p)
	stop()
	if got := b.counts(p); got != (Counts{Published: 10}) {
		t.Errorf("counts after two hours are %+v", got)
	}
}

// In an outage the breaker lets one request through at a time, however many promotions are pending.
func TestBreakerSparesTheRegistry(t *testing.T) {
	b, clock := newBed(t), newManualClock()
	s := newStub(t, misbehaviours["503"])
	o := b.options(s.registry(t))
	o.Clock = clock
	b.send(0, 500)
	p, stop := b.start(o)
	b.settle(p)
	first, _ := s.count()
	if first > breakerThreshold+o.withDefaults().Concurrency {
		t.Errorf("%d requests before the breaker opened", first)
	}
	for range 10 {
		clock.skip()
		b.settle(p)
	}
	stop()
	if requests, _ := s.count(); requests > first+10 {
		t.Errorf("%d requests in 10 probes", requests-first)
	}
}

func TestManyPending(t *testing.T) {
	if testing.Short() {
		t.Skip("10,000 promotions")
	}
	const many = 10_000
	b := newBed(t)
	s := newStub(t, misbehaviours["503"])
	b.send(0, many)
	began := time.Now()
	if got := b.run(b.options(s.registry(t))); got != (Counts{Pending: many}) {
		t.Fatalf("counts are %+v", got)
	}
	t.Logf("taken in: %v, %d merges", time.Since(began), b.store.merges)
	b.store.merges = 0
	began = time.Now()
	p, stop := b.start(b.options(nil))
	b.settle(p)
	t.Logf("started with %d pending: %v", p.Status().Pending, time.Since(began))
	stop()
	s.setBehaviour(wellBehaved)
	began = time.Now()
	if got := b.run(b.options(s.registry(t))); got != (Counts{Published: many}) {
		t.Fatalf("counts are %+v", got)
	}
	t.Logf("published: %v, %d merges", time.Since(began), b.store.merges)
	if _, published := s.count(); published != many {
		t.Errorf("published %d", published)
	}
}
