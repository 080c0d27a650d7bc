package promotion

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/nats-io/nats.go"

	"assay/consumers/silver"
	"assay/sovereign/schema"
)

func TestPublishes(t *testing.T) {
	b := newBed(t)
	s := newStub(t, wellBehaved)
	b.send(0, 20)
	if got := b.run(b.options(s.registry(t))); got != (Counts{Published: 20}) {
		t.Errorf("counts are %+v", got)
	}
	if requests, published := s.count(); requests != 20 || published != 20 {
		t.Errorf("%d requests published %d promotions", requests, published)
	}
	if left := b.entries(); len(left) != 0 {
		t.Errorf("entries left in the bucket: %v", left)
	}
	sent := s.bodies["promotion-3"]
	if sent.NodeCID != "node-3" || sent.Timestamp != 1.76e9+0.75 || sent.CompressionRatio != 0.5 || len(sent.Sources) != 2 {
		t.Errorf("the registry received %+v", sent)
	}
}

func TestRecordsWhatWasPublished(t *testing.T) {
	b := newBed(t)
	b.send(0, 1)
	p, stop := b.start(b.options(newStub(t, wellBehaved).registry(t)))
	b.settle(p)
	stop()
	got, err := p.Get(t.Context(), eventID(0))
	if err != nil {
		t.Fatal(err)
	}
	if got.State != Published || got.URN != "urn:test:"+eventID(0) || got.Attempts != 1 || got.PublishedAt.IsZero() ||
		got.EventCID != "promotion-0" || got.Workflow != "wf" || !bytes.Equal(got.Payload, event(0)) ||
		!got.Time.Equal(time.Unix(1.76e9, 0)) || !strings.HasPrefix(got.Registry, "coreason http://") {
		t.Errorf("the row is %+v", got)
	}
}

// Delivered again after it was published, whatever was lost meanwhile but the table, a promotion is not sent again.
func TestRedeliveryPublishesOnce(t *testing.T) {
	b := newBed(t)
	s := newStub(t, wellBehaved)
	for range 3 {
		b.send(0, 5)
		if got := b.run(b.options(s.registry(t))); got != (Counts{Published: 5}) {
			t.Errorf("counts are %+v", got)
		}
	}
	if requests, _ := s.count(); requests != 5 {
		t.Errorf("%d requests for 5 promotions", requests)
	}
}

func TestRejected(t *testing.T) {
	for _, status := range []int{400, 404, 409, 413, 422} {
		b := newBed(t)
		s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
			http.Error(w, "ratio is not believable", status)
		})
		b.send(0, 2)
		for range 2 { // a restart does not try again
			if got := b.run(b.options(s.registry(t))); got != (Counts{Rejected: 2}) {
				t.Errorf("%d: counts are %+v", status, got)
			}
		}
		if requests, _ := s.count(); requests != 2 {
			t.Errorf("%d: %d requests for 2 promotions", status, requests)
		}
		p, err := New(b.options(nil))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Get(t.Context(), eventID(1))
		if err != nil || !strings.Contains(got.LastError, "ratio is not believable") {
			t.Errorf("%d: the reason is %+v, error %v", status, got, err)
		}
	}
}

func TestInvalidIsDead(t *testing.T) {
	b := newBed(t)
	s := newStub(t, wellBehaved)
	b.send(0, 1)
	b.sendRaw(eventID(7), []byte(`{"event_cid":"x"}`))
	b.sendRaw("not-a-uuid", event(8))
	b.send(1, 2)
	if got := b.run(b.options(s.registry(t))); got != (Counts{Published: 2}) {
		t.Errorf("counts are %+v", got)
	}
	if len(b.dead) != 2 {
		t.Fatalf("dead letters are %+v", b.dead)
	}
	if l := b.dead[0]; l.Header.Get(nats.MsgIdHdr) != "promotion/2" || l.Header.Get(silver.HeaderEventUUID) != eventID(7) ||
		l.Header.Get(silver.HeaderWorkflow) != "wf" || string(l.Data) != `{"event_cid":"x"}` ||
		!strings.Contains(l.Header.Get(silver.HeaderReason), "timestamp is missing") {
		t.Errorf("dead letter is %+v", l)
	}
}

// Without a registry promotions wait; with one they are tried at once.
func TestRegistryGivenLater(t *testing.T) {
	b := newBed(t)
	b.send(0, 10)
	if got := b.run(b.options(nil)); got != (Counts{Pending: 10}) {
		t.Fatalf("counts are %+v", got)
	}
	if got := b.run(b.options(newStub(t, wellBehaved).registry(t))); got != (Counts{Published: 10}) {
		t.Errorf("counts are %+v", got)
	}
}

// What waits for a registry that is away is tried at once when the program starts again, at the same registry or another.
func TestRestartTriesAgain(t *testing.T) {
	b := newBed(t)
	s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	b.send(0, 10)
	if got := b.run(b.options(s.registry(t))); got != (Counts{Pending: 10}) {
		t.Fatalf("counts are %+v", got)
	}
	s.setBehaviour(wellBehaved)
	if got := b.run(b.options(s.registry(t))); got != (Counts{Published: 10}) {
		t.Errorf("counts are %+v", got)
	}
}

func TestCommands(t *testing.T) {
	b := newBed(t)
	s := newStub(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
		w.WriteHeader(http.StatusUnprocessableEntity)
	})
	b.send(0, 3)
	b.run(b.options(s.registry(t)))
	s.setBehaviour(wellBehaved)
	p, stop := b.start(b.options(s.registry(t)))
	b.settle(p)
	ctx := t.Context()
	for pub, err := range p.Changes(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if pub.EventUUID != eventID(0) {
			continue
		}
		if pub.State == Published {
			break
		}
		if pub.State == Rejected && pub.Lease == nil {
			if err := p.Retry(ctx, eventID(0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Retry(ctx, eventID(0)); !errors.Is(err, ErrPublished) {
		t.Errorf("retry of what is published: %v", err)
	}
	if err := p.Retry(ctx, eventID(99)); !errors.Is(err, ErrUnknown) {
		t.Errorf("retry of what is unknown: %v", err)
	}
	if err := p.Reject(ctx, eventID(1), "superseded"); err != nil {
		t.Fatal(err)
	}
	listed, err := p.List(ctx, Filter{State: Rejected, Workflow: "wf"})
	if err != nil || len(listed) != 2 || listed[0].EventUUID != eventID(2) || listed[1].LastError != "superseded" {
		t.Errorf("rejected are %+v, error %v", listed, err)
	}
	stop()
	if got := b.counts(p); got != (Counts{Published: 1, Rejected: 2}) {
		t.Errorf("counts are %+v", got)
	}
}

// flakyStore fails a number of times before it works.
type flakyStore struct {
	schema.Store
	mu       sync.Mutex
	failures int
}

func (f *flakyStore) Append(ctx context.Context, table string, rows arrow.Record) error {
	return f.write(func() error { return f.Store.Append(ctx, table, rows) })
}

func (f *flakyStore) Merge(ctx context.Context, table string, rows arrow.Record) error {
	return f.write(func() error { return f.Store.Merge(ctx, table, rows) })
}

// write fails before it writes, and once after it.
func (f *flakyStore) write(write func() error) error {
	f.mu.Lock()
	f.failures--
	left := f.failures
	f.mu.Unlock()
	if left == 0 {
		_ = write() // the answer is lost
	}
	if left >= 0 {
		return errors.New("disk full")
	}
	return write()
}

// While the store takes nothing, nothing is acknowledged or forgotten; once it does, everything arrives.
func TestStoreAway(t *testing.T) {
	b, clock := newBed(t), newManualClock()
	s := newStub(t, wellBehaved)
	o := b.options(s.registry(t))
	o.Clock, o.Store, o.Logger = clock, &flakyStore{Store: b.store, failures: 50}, nil
	b.send(0, 3)
	p, stop := b.start(o)
	for b.counts(p).Published < 3 {
		clock.advance(localRetryMax)
	}
	b.settle(p)
	stop()
	if requests, _ := s.count(); requests != 3 {
		t.Errorf("%d requests for 3 promotions", requests)
	}
	if left := b.entries(); len(left) != 0 {
		t.Errorf("entries left: %v", left)
	}
}

// The promotions of the recorded runs are valid and are published.
func TestRecordedRuns(t *testing.T) {
	f, err := os.Open(filepath.Join(repositoryRoot(t), "..", "shared", "data", "events", "swe-agent.ndjson"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no recorded runs in ../shared/data")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := newBed(t)
	sent := 0
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if bytes.Contains(lines.Bytes(), []byte(`"topology_class": "epistemic_promotion"`)) {
			b.sendRaw(eventID(sent), bytes.Clone(lines.Bytes()))
			sent++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	<-b.js.PublishAsyncComplete()
	if got := b.run(b.options(newStub(t, wellBehaved).registry(t))); got.Published != int64(sent) || sent == 0 || len(b.dead) != 0 {
		t.Errorf("of %d promotions: %+v, dead %+v", sent, got, b.dead)
	}
}

// repositoryRoot walks up to the directory that has the go.mod.
func repositoryRoot(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
}
