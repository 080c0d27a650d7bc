package gold

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/consumers/silver"
	"assay/streams"
)

// retryWait is how long after a failed attempt the next one is made.
const retryWait = 500 * time.Millisecond

// Run folds the messages of a consumer of SILVER and keeps the tables up to date until ctx ends, which is no error. Then
// it folds what was fetched and writes all that the tables still lack, for which it takes Options.StopWithin at most.
// The consumer must want explicit acknowledgements; a message is acknowledged once it is committed.
//
// When the store fails, Run tries again; it returns errors that it cannot mend, which wrap ErrState or tell that the
// consumer is gone, and what the last flush could not write.
func (g *Gold) Run(ctx context.Context, consumer jetstream.Consumer) error {
	if g.opts.Bury == nil {
		return fmt.Errorf("%w: Run needs Bury", ErrOptions)
	}
	draining, cancel := outlive(ctx, g.opts.StopWithin)
	defer cancel()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return g.fold(running, draining, consumer) })
	group.Go(func() error { return g.holdRegularly(running, draining) })
	group.Go(func() error { return g.flushRegularly(running, draining) })
	if err := group.Wait(); err != nil {
		return err
	}
	return g.FlushAll(draining)
}

// outlive returns a context that ends a grace period after ctx does.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, func() { cancel(context.DeadlineExceeded) })
		context.AfterFunc(longer, func() { timer.Stop() })
	})
	return longer, func() {
		stop()
		cancel(context.Canceled)
	}
}

func (g *Gold) fold(ctx, draining context.Context, consumer jetstream.Consumer) error {
	size := streams.FetchSize{Bytes: g.opts.FetchBytes, Max: g.opts.MaxFetch}
	for ctx.Err() == nil {
		err := g.foldFetch(ctx, draining, consumer, &size)
		switch {
		case err == nil, ctx.Err() != nil && errors.Is(err, context.Canceled):
		case errors.Is(err, ErrState):
			return err
		case streams.ConsumerGone(err):
			return fmt.Errorf("gold: the consumer is gone: %w", err)
		default:
			g.opts.Logger.Warn("gold: will try again", "error", err)
			wait(ctx, retryWait)
		}
	}
	return nil
}

// gatherMax bounds how long a group gathers. The more comes in the longer it takes to fold a group, and the longer the next one
// gathers, since most of what a group costs does not depend on its size.
const gatherMax = 400 * time.Millisecond

// foldFetch folds the messages of one fetch in groups, as they arrive: while one group is folded, the next gathers.
func (g *Gold) foldFetch(ctx, draining context.Context, consumer jetstream.Consumer, size *streams.FetchSize) error {
	fetched, err := streams.Fetch(ctx, consumer, size.Messages())
	if err != nil {
		return fmt.Errorf("gold: %w", err)
	}
	defer fetched.Close()
	age := time.NewTimer(g.opts.MaxAge)
	defer age.Stop()
	gather := g.opts.MaxAge
	var pending []jetstream.Msg
	messages, bytes, folded := 0, 0, 0
	for {
		select {
		case msg, more := <-fetched.Messages():
			if !more {
				size.Got(messages, bytes)
				return errors.Join(g.foldMessages(draining, pending), fetched.Err())
			}
			if len(pending) == 0 {
				age.Reset(gather)
			}
			pending = append(pending, msg)
			messages, bytes = messages+1, bytes+len(msg.Data())
			if bytes-folded < g.opts.MaxFetchBytes {
				continue
			}
		case <-age.C:
		}
		began := time.Now()
		if err := g.foldMessages(draining, pending); err != nil {
			return err
		}
		pending, folded = nil, bytes
		gather = min(max(g.opts.MaxAge, time.Since(began)), gatherMax)
	}
}

// foldMessages folds a group and acknowledges it; if that fails, what was not acknowledged is delivered again. If a message may
// be at fault, each is folded by itself, so that it fails alone.
func (g *Gold) foldMessages(ctx context.Context, msgs []jetstream.Msg) error {
	err := g.foldGood(ctx, msgs)
	if err == nil {
		return nil
	}
	if !passing(err) {
		return g.foldSingly(ctx, msgs)
	}
	for _, msg := range msgs {
		_ = msg.NakWithDelay(retryWait) // without it they come back when their wait is over
	}
	return err
}

func (g *Gold) foldGood(ctx context.Context, msgs []jetstream.Msg) error {
	batches := make([]Batch, 0, len(msgs))
	defer func() {
		for _, b := range batches {
			b.Record.Release()
		}
	}()
	good := make([]jetstream.Msg, 0, len(msgs))
	for _, msg := range msgs {
		b, err := decodeMessage(msg)
		if err == nil {
			batches, good = append(batches, b), append(good, msg)
		} else if err := g.bury(ctx, msg, err); err != nil {
			return err
		}
	}
	if len(good) == 0 {
		return nil
	}
	if err := g.Apply(ctx, batches); err != nil {
		return err
	}
	for _, msg := range good {
		if err := msg.Ack(); err != nil {
			return fmt.Errorf("gold: acknowledge: %w", err)
		}
	}
	return nil
}

// bury puts a message that is no batch on DEAD and has it delivered no more, since that would not help. Bronze has its
// events, and an audit finds them missing.
func (g *Gold) bury(ctx context.Context, msg jetstream.Msg, reason error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("gold: message without metadata: %w", err)
	}
	g.opts.Logger.Error("gold: message of SILVER goes to DEAD", "sequence", meta.Sequence.Stream, "error", reason)
	if err := g.opts.Bury(ctx, silver.BatchLetter(reason.Error(), meta.Sequence.Stream, msg.Data())); err != nil {
		return fmt.Errorf("gold: bury a message: %w", err)
	}
	if err := msg.TermWithReason(reason.Error()); err != nil {
		return fmt.Errorf("gold: terminate a message: %w", err)
	}
	return nil
}

func decodeMessage(msg jetstream.Msg) (Batch, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return Batch{}, fmt.Errorf("gold: message without metadata: %w", err)
	}
	record, err := silver.Decode(memory.DefaultAllocator, msg.Data())
	if err != nil {
		return Batch{}, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	return Batch{Seq: meta.Sequence.Stream, Record: record}, nil
}

// holdRegularly writes what is held when it makes up a write, and at least every Options.FlushEvery.
func (g *Gold) holdRegularly(ctx, draining context.Context) error {
	return g.regularly(ctx, g.enough, func() error { return g.flushHeld(draining) })
}

// flushRegularly writes what is marked every Options.FlushEvery.
func (g *Gold) flushRegularly(ctx, draining context.Context) error {
	return g.regularly(ctx, nil, func() error { return g.flushRested(draining) })
}

// flushRest is how many times what a flush took passes until the next: what comes in meanwhile is written together, and what
// changes again and again less often.
const flushRest = 2

// regularly calls flush every Options.FlushEvery or after it has rested, and whenever there is enough.
func (g *Gold) regularly(ctx context.Context, enough <-chan struct{}, flush func() error) error {
	due := time.NewTimer(g.opts.FlushEvery)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		case <-enough:
		}
		began := time.Now()
		if err := g.fellBehind(flush()); err != nil {
			return err
		}
		due.Reset(max(g.opts.FlushEvery, flushRest*time.Since(began)))
	}
}

// fellBehind passes on what ends folding. What else fails is tried again the next time.
func (g *Gold) fellBehind(err error) error {
	if err == nil || errors.Is(err, ErrState) {
		return err
	}
	g.opts.Logger.Warn("gold: tables fall behind, will try again", "error", err)
	return nil
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
