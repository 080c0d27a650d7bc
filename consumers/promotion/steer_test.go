package promotion

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func refuse(_ int, w http.ResponseWriter, _ *http.Request, _ func()) {
	w.WriteHeader(http.StatusUnprocessableEntity)
}

// All that was rejected is tried again by one command, in few commits, once each.
func TestRetryRejected(t *testing.T) {
	const many = retriedTogetherMax + 100
	b := newBed(t)
	s := newStub(t, refuse)
	b.send(0, many)
	if got := b.run(b.options(s.registry(t))); got != (Counts{Rejected: many}) {
		t.Fatalf("counts are %+v", got)
	}
	p, err := New(b.options(nil))
	if err != nil {
		t.Fatal(err)
	}
	b.store.merges = 0
	if n, err := p.RetryRejected(t.Context()); n != many || err != nil || b.store.merges != 2 {
		t.Errorf("retried %d in %d commits, error %v", n, b.store.merges, err)
	}
	if got := b.counts(p); got != (Counts{Pending: many}) {
		t.Errorf("counts are %+v", got)
	}
	s.setBehaviour(wellBehaved)
	if got := b.run(b.options(s.registry(t))); got != (Counts{Published: many}) {
		t.Errorf("counts are %+v", got)
	}
	if n, err := p.RetryRejected(t.Context()); n != 0 || err != nil {
		t.Errorf("retried %d of none, error %v", n, err)
	}
}

// A crash after the row and before the entry leaves a lease; a command then does not undo what was published.
func TestSteeringKeepsWhatIsPublished(t *testing.T) {
	b, clock := newBed(t), newManualClock()
	o := b.options(nil)
	o.Clock = clock
	b.send(0, 2)
	b.run(o)
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		pub, revision, err := p.entry(t.Context(), eventID(i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.lease(t.Context(), pub, revision); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			pub.State, pub.URN = Published, "urn:test:1"
			if err := p.merge(t.Context(), []*Publication{pub}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := p.Reject(t.Context(), eventID(0), "too late"); !errors.Is(err, ErrPublished) {
		t.Errorf("reject of what is published: %v", err)
	}
	if err := p.Reject(t.Context(), eventID(1), "superseded"); !errors.Is(err, ErrBusy) {
		t.Errorf("reject during an attempt: %v", err)
	}
	clock.advance(leaseTimeouts * o.Timeout)
	if err := p.Reject(t.Context(), eventID(1), "superseded"); err != nil {
		t.Errorf("reject after an attempt that was cut off: %v", err)
	}
	if got := b.counts(p); got != (Counts{Published: 1, Rejected: 1}) {
		t.Errorf("counts are %+v", got)
	}
}

func TestOldest(t *testing.T) {
	b, clock := newBed(t), newManualClock()
	o := b.options(nil)
	o.Clock = clock
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	oldest := func(want time.Time) {
		t.Helper()
		if got, err := p.Oldest(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("the oldest is of %v, want %v, error %v", got, want, err)
		}
	}
	oldest(time.Time{})
	first := clock.Now()
	for i := range 2 {
		b.send(i, i+1)
		b.run(o)
		clock.advance(time.Hour)
	}
	oldest(first)
	if err := p.Reject(t.Context(), eventID(0), "superseded"); err != nil {
		t.Fatal(err)
	}
	oldest(first.Add(time.Hour))
}
