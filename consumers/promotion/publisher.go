package promotion

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/sovereign/schema"
	"assay/streams"
)

// Defaults of Options.
const (
	DefaultConcurrency = 8
	DefaultTimeout     = 5 * time.Second
)

// DefaultBackoff asks a registry that is away every few minutes at most.
var DefaultBackoff = Backoff{Base: time.Second, Max: 5 * time.Minute}

// Times and limits that are not for configuration.
const (
	leaseTimeouts   = 4                // length of a lease in Timeouts: ask, send, look into a 400, and record
	localRetryDelay = time.Second      // before trying again what failed on our own side
	localRetryMax   = 30 * time.Second // highest bound of that wait
	storeTimeout    = time.Minute      // of one call of the store or the bucket
)

// Log keeps what a Publisher writes besides rows. A streams.Log does.
type Log interface {
	// PublishMsgs keeps messages that are no promotions in DEAD: durably, for they are acknowledged afterwards.
	streams.MsgPublisher
	// CreatePublications adds entries to the bucket together, or none of them, and returns the revision of the first; the others' follow.
	CreatePublications(ctx context.Context, entries []streams.Entry) (first uint64, err error)
}

// Options says what a Publisher works with. Stream, KV, Log and Store are required.
type Options struct {
	Stream   jetstream.Consumer // of PROMOTION: durable, explicit acknowledgement
	KV       jetstream.KeyValue // the bucket publications
	Log      Log
	Store    schema.Store
	Registry Registry // nil: none is configured and promotions stay pending

	// Instance names this process among those that share the bucket, in its leases. One that keeps its name through a
	// restart takes up its own unfinished attempts at once; "" takes a random name, and they wait for the leases' end.
	Instance    string
	Backoff     Backoff       // zero: DefaultBackoff
	Concurrency int           // attempts at a time; 0: DefaultConcurrency
	Timeout     time.Duration // of one exchange with the registry; 0: DefaultTimeout
	Logger      *slog.Logger  // nil: none
	Clock       Clock         // nil: the machine's
}

// Publisher consumes PROMOTION and publishes. Its methods are safe for concurrent use; those that read and command work
// with or without Run, also from another process.
type Publisher struct {
	Options
	breaker  *breaker
	queue    *queue
	outcomes chan outcome
	markers  []jetstream.KVDeleteOpt // how entries are deleted

	attempts, failures, published atomic.Uint64
}

// New returns a Publisher. Errors wrap ErrOptions.
func New(o Options) (*Publisher, error) {
	if o.Stream == nil || o.KV == nil || o.Log == nil || o.Store == nil {
		return nil, fmt.Errorf("%w: Stream, KV, Log and Store are required", ErrOptions)
	}
	o = o.withDefaults()
	if o.Concurrency < 1 || o.Timeout <= 0 || o.Backoff.Base <= 0 || o.Backoff.Max < o.Backoff.Base {
		return nil, fmt.Errorf("%w: concurrency, timeout and backoff must be positive", ErrOptions)
	}
	name := ""
	if o.Registry != nil {
		name = o.Registry.Name()
	}
	return &Publisher{
		Options: o, breaker: &breaker{backoff: o.Backoff}, queue: newQueue(o.Instance, name),
		outcomes: make(chan outcome, outcomesWaitingMax),
	}, nil
}

func (o Options) withDefaults() Options {
	if o.Instance == "" {
		o.Instance = uuid.NewString()
	}
	if o.Backoff == (Backoff{}) {
		o.Backoff = DefaultBackoff
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	return o
}

// Run consumes and publishes until ctx ends, then lets attempts in flight finish, which takes a few Timeouts at most, and
// returns nil. It is called once. Errors wrap ErrWatch.
func (p *Publisher) Run(ctx context.Context) error {
	if err := p.chooseMarkers(ctx); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.watch(gctx) })
	g.Go(func() error { return p.consume(gctx) })
	g.Go(func() error { return p.dispatch(gctx) })
	g.Go(func() error { return p.record(gctx) })
	if err := g.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// chooseMarkers lets the markers of deleted entries expire where the bucket allows it, so that a bucket that is empty
// does not grow.
func (p *Publisher) chooseMarkers(ctx context.Context) error {
	status, err := p.KV.Status(ctx)
	if err != nil {
		return fmt.Errorf("promotion: bucket: %w", err)
	}
	if ttl := status.LimitMarkerTTL(); ttl > 0 {
		p.markers = []jetstream.KVDeleteOpt{jetstream.PurgeTTL(ttl)}
	}
	return nil
}

// watch mirrors the bucket into the queue: first what is in it, then every change, whoever makes it.
func (p *Publisher) watch(ctx context.Context) error {
	watcher, err := p.KV.WatchAll(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWatch, err)
	}
	defer watcher.Stop()
	start := true
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case entry, ok := <-watcher.Updates():
			switch {
			case !ok:
				return ErrWatch
			case entry == nil: // the mark between what was there and what comes
				start = false
				p.queue.load()
			case entry.Operation() != jetstream.KeyValuePut:
				p.queue.forget(entry.Key(), entry.Revision())
			default:
				p.see(entry, start)
			}
		}
	}
}

func (p *Publisher) see(entry jetstream.KeyValueEntry, start bool) {
	publication, err := decodePublication(entry.Key(), entry.Value())
	if err != nil {
		p.Logger.Warn("promotion: entry passed over", "error", err)
		return
	}
	p.queue.observe(publication, entry.Revision(), start)
}

// dispatch starts attempts as they become due, at most Concurrency at a time, and waits for them before it returns.
func (p *Publisher) dispatch(ctx context.Context) error {
	defer close(p.outcomes)
	var attempts sync.WaitGroup
	defer attempts.Wait()
	slots := make(chan struct{}, p.Concurrency)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		next, err := p.next(ctx)
		if err != nil {
			return err
		}
		attempts.Go(func() {
			defer func() { <-slots }()
			p.attempt(ctx, next)
		})
	}
}

// next waits until a publication may be tried: for a change of the queue or the one alarm, so idling costs nothing.
func (p *Publisher) next(ctx context.Context) (ticket, error) {
	for {
		t, ok, again := p.queue.take(p.Clock.Now(), p.admit)
		if ok {
			return t, nil
		}
		var ring <-chan time.Time
		release := func() {}
		if !again.IsZero() {
			ring, release = p.Clock.Alarm(again)
		}
		select {
		case <-ctx.Done():
			release()
			return ticket{}, context.Cause(ctx)
		case <-p.queue.changed:
		case <-ring:
		}
		release()
	}
}

// admit asks the breaker; without a registry nothing is tried.
func (p *Publisher) admit(now time.Time) (probe, ok bool, again time.Time) {
	if p.Registry == nil {
		return false, false, time.Time{}
	}
	return p.breaker.admit(now)
}

// pause waits, or returns the cause why ctx ended.
func (p *Publisher) pause(ctx context.Context, wait time.Duration) error {
	ring, release := p.Clock.Alarm(p.Clock.Now().Add(wait))
	defer release()
	select {
	case <-ring:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// persist repeats a step that must not be lost until it succeeds, or gives up when ctx ends. The step itself may outlive
// ctx by storeTimeout, so that a stop does not cut it off.
func (p *Publisher) persist(ctx context.Context, what string, step func(context.Context) error) error {
	wait := Backoff{Base: localRetryDelay, Max: localRetryMax}
	for failures := 1; ; failures++ {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
		err := step(limited)
		cancel()
		if err == nil {
			return nil
		}
		p.Logger.Warn("promotion: "+what+" failed, trying again", "error", err)
		if stopped := p.pause(ctx, wait.delay(failures)); stopped != nil {
			return errors.Join(err, stopped)
		}
	}
}
