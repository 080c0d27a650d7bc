package promotion

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/sovereign/schema"
)

// listDefault is how many publications List returns if the filter does not say.
const listDefault = 1000

// Counts are numbers of publications by state.
type Counts struct {
	Published int64 `json:"published"`
	Pending   int64 `json:"pending"`
	Rejected  int64 `json:"rejected"`
}

// Filter chooses publications; zero fields choose all.
type Filter struct {
	State    State
	Workflow string
	Limit    int // 0: 1000
}

// Status tells how a running Publisher fares.
type Status struct {
	Pending   int           `json:"pending"`
	Rejected  int           `json:"rejected"`
	OldestAge time.Duration `json:"oldest_age_ns"` // since the oldest pending one was accepted
	Registry  string        `json:"registry,omitempty"`
	Breaker   string        `json:"breaker"`         // closed, open, half-open
	Until     time.Time     `json:"until,omitzero"`  // while open: when the registry is asked again
	Attempts  uint64        `json:"attempts"`        // since start
	Failures  uint64        `json:"failures"`        // since start, of the registry
	Published uint64        `json:"published_by_us"` // since start
}

// Counts counts the table's rows.
func (p *Publisher) Counts(ctx context.Context) (Counts, error) {
	var c Counts
	for state, n := range map[State]*int64{Published: &c.Published, Pending: &c.Pending, Rejected: &c.Rejected} {
		count, err := p.Store.Count(ctx, schema.Promotions, schema.Eq("state", string(state)))
		if err != nil {
			return c, fmt.Errorf("promotion: count: %w", err)
		}
		*n = count
	}
	return c, nil
}

// List returns publications, the latest event first.
func (p *Publisher) List(ctx context.Context, f Filter) ([]Publication, error) {
	var where []schema.Filter
	if f.State != "" {
		where = append(where, schema.Eq("state", string(f.State)))
	}
	if f.Workflow != "" {
		where = append(where, schema.Eq("workflow_id", f.Workflow))
	}
	if f.Limit <= 0 {
		f.Limit = listDefault
	}
	return p.rows(ctx, schema.Query{
		Where: schema.And(where...), Limit: f.Limit,
		OrderBy: []schema.Order{{Column: "ts", Descending: true}, {Column: "event_uuid"}},
	})
}

// Get returns one publication: the bucket's entry, or the row of one that is published. Errors wrap ErrUnknown.
func (p *Publisher) Get(ctx context.Context, eventUUID string) (*Publication, error) {
	pub, _, err := p.entry(ctx, eventUUID)
	if !errors.Is(err, ErrUnknown) {
		return pub, err
	}
	found, err := p.rows(ctx, schema.Query{Where: schema.Eq("event_uuid", eventUUID)})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrUnknown, eventUUID)
	}
	return &found[0], nil
}

// entry reads the bucket's entry and its revision. Errors wrap ErrUnknown.
func (p *Publisher) entry(ctx context.Context, id string) (*Publication, uint64, error) {
	entry, err := p.KV.Get(ctx, id)
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrInvalidKey) {
		return nil, 0, fmt.Errorf("%w: %s", ErrUnknown, id)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("promotion: read entry %s: %w", id, err)
	}
	pub, err := decodePublication(entry.Key(), entry.Value())
	return pub, entry.Revision(), err
}

// Changes yields what is pending and rejected, then each publication as it changes, until ctx ends or the caller stops.
func (p *Publisher) Changes(ctx context.Context) iter.Seq2[*Publication, error] {
	return func(yield func(*Publication, error) bool) {
		watcher, err := p.KV.WatchAll(ctx)
		if err != nil {
			yield(nil, fmt.Errorf("%w: %w", ErrWatch, err))
			return
		}
		defer watcher.Stop()
		start := true
		for {
			select {
			case <-ctx.Done():
				return
			case entry, ok := <-watcher.Updates():
				switch {
				case !ok:
					yield(nil, ErrWatch)
					return
				case entry == nil: // the mark between what was there and what comes
					start = false
				case start && entry.Operation() != jetstream.KeyValuePut: // published before
				case !yield(p.Get(ctx, entry.Key())):
					return
				}
			}
		}
	}
}

// Busy reports whether there is something that could be done now: messages in the stream, attempts in flight, or due. What
// waits for a later attempt, for the breaker or for a registry does not count. Of use only while Run runs.
func (p *Publisher) Busy(ctx context.Context) (bool, error) {
	info, err := p.Stream.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("promotion: consumer: %w", err)
	}
	if info.NumPending > 0 || info.NumAckPending > 0 {
		return true, nil
	}
	now := p.Clock.Now()
	_, until := p.breaker.state(now)
	return !p.queue.idle(now, p.Registry == nil || until.After(now)), nil
}

// Oldest tells when the pending publication that waits longest was accepted, the zero time if none waits. It reads the
// bucket; while Run runs, Status knows it at once.
func (p *Publisher) Oldest(ctx context.Context) (time.Time, error) {
	var oldest time.Time
	watcher, err := p.KV.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return oldest, fmt.Errorf("%w: %w", ErrWatch, err)
	}
	defer watcher.Stop()
	for {
		select {
		case <-ctx.Done():
			return oldest, context.Cause(ctx)
		case entry, ok := <-watcher.Updates():
			if !ok {
				return oldest, ErrWatch
			}
			if entry == nil { // all that is in the bucket has come
				return oldest, nil
			}
			pub, err := decodePublication(entry.Key(), entry.Value())
			if err == nil && pub.State == Pending && (oldest.IsZero() || pub.Accepted.Before(oldest)) {
				oldest = pub.Accepted
			}
		}
	}
}

// Status reports how the Publisher fares.
func (p *Publisher) Status() Status {
	now := p.Clock.Now()
	s := Status{Attempts: p.attempts.Load(), Failures: p.failures.Load(), Published: p.published.Load()}
	var oldest time.Time
	s.Pending, s.Rejected, oldest = p.queue.count()
	if !oldest.IsZero() {
		s.OldestAge = now.Sub(oldest)
	}
	if p.Registry != nil {
		s.Registry = p.Registry.Name()
	}
	s.Breaker, s.Until = p.breaker.state(now)
	return s
}
