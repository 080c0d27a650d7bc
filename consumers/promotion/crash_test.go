package promotion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"assay/sovereign/schema"
	"assay/streams"
)

var errKilled = errors.New("killed")

// life lets a process take so many steps outside itself, then ends it as kill -9 would: its connection is gone, and
// nothing that it does afterwards reaches anybody.
type life struct {
	mu    sync.Mutex
	steps int
	late  bool // the last step takes effect, and its result is lost
	dead  bool
	nc    *nats.Conn
	end   context.CancelFunc
}

func (l *life) step(do func() error) error {
	l.mu.Lock()
	if l.dead {
		l.mu.Unlock()
		return errKilled
	}
	l.steps--
	last := l.steps == 0
	l.dead = last
	l.mu.Unlock()
	if !last {
		return do()
	}
	if l.late {
		_ = do()
	}
	l.nc.Close()
	l.end()
	return errKilled
}

func (l *life) survived() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.dead
}

type mortalKV struct {
	jetstream.KeyValue
	life *life
}

func (m mortalKV) Get(ctx context.Context, key string) (e jetstream.KeyValueEntry, err error) {
	err = m.life.step(func() (err error) { e, err = m.KeyValue.Get(ctx, key); return err })
	return e, err
}

func (m mortalKV) Create(ctx context.Context, key string, value []byte, opts ...jetstream.KVCreateOpt) (r uint64, err error) {
	err = m.life.step(func() (err error) { r, err = m.KeyValue.Create(ctx, key, value, opts...); return err })
	return r, err
}

func (m mortalKV) Update(ctx context.Context, key string, value []byte, revision uint64) (r uint64, err error) {
	err = m.life.step(func() (err error) { r, err = m.KeyValue.Update(ctx, key, value, revision); return err })
	return r, err
}

func (m mortalKV) Purge(ctx context.Context, key string, opts ...jetstream.KVDeleteOpt) error {
	return m.life.step(func() error { return m.KeyValue.Purge(ctx, key, opts...) })
}

type mortalStore struct {
	schema.Store
	life *life
}

func (m mortalStore) Append(ctx context.Context, table string, rows arrow.Record) error {
	return m.life.step(func() error { return m.Store.Append(ctx, table, rows) })
}

func (m mortalStore) Merge(ctx context.Context, table string, rows arrow.Record) error {
	return m.life.step(func() error { return m.Store.Merge(ctx, table, rows) })
}

func (m mortalStore) Query(ctx context.Context, q schema.Query) (r array.RecordReader, err error) {
	err = m.life.step(func() (err error) { r, err = m.Store.Query(ctx, q); return err })
	return r, err
}

type mortalRegistry struct {
	Registry
	life *life
}

func (m mortalRegistry) Publish(ctx context.Context, p *Promotion) (urn string, err error) {
	err = m.life.step(func() (err error) { urn, err = m.Registry.Publish(ctx, p); return err })
	return urn, err
}

func (m mortalRegistry) Lookup(ctx context.Context, p *Promotion) (urn string, found bool, err error) {
	err = m.life.step(func() (err error) { urn, found, err = m.Registry.Lookup(ctx, p); return err })
	return urn, found, err
}

type mortalLog struct {
	bedLog
	life *life
}

func (m mortalLog) CreatePublications(ctx context.Context, entries []streams.Entry) (first uint64, err error) {
	err = m.life.step(func() (err error) { first, err = m.bedLog.CreatePublications(ctx, entries); return err })
	return first, err
}

// live runs a Publisher that dies after so many steps, or until there is nothing to do; it reports whether it survived.
func (b *bed) live(steps int, late bool, registry Registry) bool {
	b.t.Helper()
	l := b.connect()
	o := b.options(nil)
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	life := &life{steps: steps, late: late, nc: l.nc, end: cancel}
	stream, err := l.js.Consumer(ctx, "PROMOTION", "promotion")
	if err != nil {
		b.t.Fatal(err)
	}
	kv, err := l.js.KeyValue(ctx, "publications")
	if err != nil {
		b.t.Fatal(err)
	}
	o.Stream, o.KV, o.Store = stream, mortalKV{kv, life}, mortalStore{b.store, life}
	o.Registry = mortalRegistry{registry, life}
	o.Log = mortalLog{bedLog{b, l.js}, life}
	o.Logger = slog.New(slog.DiscardHandler)
	p, err := New(o)
	if err != nil {
		b.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = p.Run(ctx) // a killed process has nobody to report to
	}()
	for {
		busy, err := p.Busy(ctx)
		if err == nil && !busy || ctx.Err() != nil {
			break
		}
	}
	cancel()
	<-done
	return life.survived()
}

// Killed at any step, before or after the step took effect, and started again, the publisher publishes each promotion
// once, or records its rejection; nothing is left over.
func TestCrashAtEveryStep(t *testing.T) {
	kinds := map[string]func(t *testing.T) (Registry, func() map[string]int){
		"coreason": func(t *testing.T) (Registry, func() map[string]int) {
			t.Helper()
			s := newStub(t, wellBehaved)
			return s.registry(t), func() map[string]int {
				once := map[string]int{}
				for id := range s.published { // idempotent: a key is published once however often it is sent
					once[id] = 1
				}
				return once
			}
		},
		"mcp": func(t *testing.T) (Registry, func() map[string]int) {
			t.Helper()
			s := newMCPStub(t)
			return s.registry(t), func() map[string]int { return s.published }
		},
	}
	for kind, open := range kinds {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/late=%v", kind, late), func(t *testing.T) {
				const promotions = 2
				for steps, survived := 1, false; !survived; steps++ {
					b := newBed(t)
					registry, published := open(t)
					b.send(0, promotions)
					survived = b.live(steps, late, registry)
					if got := b.run(b.options(registry)); got != (Counts{Published: promotions}) {
						t.Fatalf("killed at step %d: counts are %+v", steps, got)
					}
					if left := b.entries(); len(left) != 0 {
						t.Errorf("killed at step %d: entries left: %v", steps, left)
					}
					for i := range promotions {
						if n := published()[eventID(i)]; n != 1 {
							t.Errorf("killed at step %d: promotion %d published %d times", steps, i, n)
						}
					}
				}
			})
		}
	}
}

func TestCrashWhileRejecting(t *testing.T) {
	for steps, survived := 1, false; !survived; steps++ {
		b := newBed(t)
		s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
			w.WriteHeader(http.StatusUnprocessableEntity)
		})
		b.send(0, 1)
		survived = b.live(steps, steps%2 == 0, s.registry(t))
		if got := b.run(b.options(s.registry(t))); got != (Counts{Rejected: 1}) {
			t.Fatalf("killed at step %d: counts are %+v", steps, got)
		}
		if left := b.entries(); len(left) != 1 {
			t.Errorf("killed at step %d: entries are %v", steps, left)
		}
	}
}

// Another instance takes over what a dead one had leased, but not before the lease ends.
func TestLeaseOfDeadInstance(t *testing.T) {
	b, clock := newBed(t), newManualClock()
	s := newMCPStub(t)
	b.send(0, 1)
	o := b.options(nil)
	o.Clock = clock
	p, stop := b.start(o)
	b.settle(p)
	stop()
	pub, revision, err := p.entry(t.Context(), eventID(0))
	if err != nil {
		t.Fatal(err)
	}
	p.Instance = "dead"
	if _, err := p.lease(t.Context(), pub, revision); err != nil {
		t.Fatal(err)
	}
	promotion, err := pub.promotion()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.registry(t).Publish(t.Context(), &promotion); err != nil { // its last act
		t.Fatal(err)
	}

	o = b.options(s.registry(t))
	o.Clock, o.Instance = clock, "alive"
	p, stop = b.start(o)
	b.settle(p)
	clock.advance(leaseTimeouts*o.Timeout - time.Millisecond)
	b.settle(p)
	if got := b.counts(p); got != (Counts{Pending: 1}) {
		t.Errorf("counts before the lease ends are %+v", got)
	}
	clock.advance(time.Millisecond)
	b.settle(p)
	stop()
	if got := b.counts(p); got != (Counts{Published: 1}) {
		t.Errorf("counts after the lease ended are %+v", got)
	}
	if s.posts != 1 || s.gets != 1 {
		t.Errorf("%d POST and %d GET: the registry must be asked, not sent it again", s.posts, s.gets)
	}
}

// Two instances on one stream and one bucket share the work; neither sends what the other sends.
func TestTwoInstances(t *testing.T) {
	b := newBed(t)
	s := newMCPStub(t)
	first, second := b.options(s.registry(t)), b.options(s.registry(t))
	first.Instance, second.Instance = "", ""
	p1, stop1 := b.start(first)
	p2, stop2 := b.start(second)
	b.send(0, 300)
	for b.counts(p1).Published < 300 {
		b.settle(p1)
		b.settle(p2)
	}
	stop1()
	stop2()
	if s.posts != 300 || s.gets != 0 {
		t.Errorf("%d POST and %d GET for 300 promotions", s.posts, s.gets)
	}
	if left := b.entries(); len(left) != 0 {
		t.Errorf("entries left: %v", left)
	}
	t.Logf("shares: %d and %d", p1.Status().Published, p2.Status().Published)
}

// Entries that are written together are all there or none, and those of messages that come again are known.
func TestCrashWhileEntriesAreWrittenTogether(t *testing.T) {
	const promotions = 3 * entriesTogetherMin
	for _, late := range []bool{false, true} {
		for steps := 1; steps <= 4; steps++ { // the table is asked and written, the entries are written
			b := newBed(t)
			s := newMCPStub(t)
			b.send(0, promotions)
			b.live(steps, late, s.registry(t))
			if got := b.run(b.options(s.registry(t))); got != (Counts{Published: promotions}) {
				t.Fatalf("killed at step %d: counts are %+v", steps, got)
			}
			if left := b.entries(); len(left) != 0 {
				t.Errorf("killed at step %d: entries left: %v", steps, left)
			}
		}
	}
}
