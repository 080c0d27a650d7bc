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
	if g.opts.DeadLetters == nil {
		return fmt.Errorf("%w: Run needs DeadLetters", ErrOptions)
	}
	draining, cancel := outlive(ctx, g.opts.StopWithin)
	defer cancel()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return g.fold(running, draining, consumer) })
	group.Go(func() error { return g.tables.WriteHeldRegularly(running, draining) })
	group.Go(func() error { return g.tables.FlushRegularly(running, draining) })
	if err := group.Wait(); err != nil {
		return err
	}
	return g.FlushAll(draining)
}

// Apply folds a group of batches and commits it as one: when it returns nil, traces has a row of each new event and the
// state, on disk, knows them. After an error nothing of the group counts, and it can be applied again. The caller keeps
// the records until Apply returns.
func (g *Gold) Apply(ctx context.Context, batches []Batch) error {
	return g.engine.Apply(ctx, batches)
}

// Flush brings the tables up to date, but for entities that have neither ended nor been quiet for Options.QuietAfter.
func (g *Gold) Flush(ctx context.Context) error { return g.tables.Flush(ctx) }

// FlushAll brings the tables wholly up to date, as at a clean stop.
func (g *Gold) FlushAll(ctx context.Context) error { return g.tables.FlushAll(ctx) }

// BetweenFlushes runs do while Gold writes no derived table. Whoever else changes rows of these tables does it there, so that
// neither overwrites what the other has just written. Folding goes on meanwhile; flushes wait.
func (g *Gold) BetweenFlushes(do func() error) error { return g.tables.BetweenFlushes(do) }

// RewriteEpisodes has the following flushes write all episodes anew, as when their table was laid anew. Rows that the table
// still has are replaced. What is to be done is on disk when it returns.
func (g *Gold) RewriteEpisodes(ctx context.Context) error { return g.tables.RewriteEpisodes(ctx) }

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
		} else if err := g.deadLetter(ctx, msg, err); err != nil {
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

// deadLetter puts a message that is no batch on DEAD and has it delivered no more, since that would not help. Bronze has its
// events, and an audit finds them missing.
func (g *Gold) deadLetter(ctx context.Context, msg jetstream.Msg, reason error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("gold: message without metadata: %w", err)
	}
	g.opts.Logger.Error("gold: message of SILVER goes to DEAD", "sequence", meta.Sequence.Stream, "error", reason)
	if err := g.opts.DeadLetters.PublishMsgs(ctx, silver.BatchLetter(reason.Error(), meta.Sequence.Stream, msg.Data())); err != nil {
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

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
