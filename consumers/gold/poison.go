package gold

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/streams"
)

const (
	// failedMax bounds the messages that are remembered to have failed.
	failedMax = 10_000
	// retryWaitMax is the longest pause between two attempts at a message that fails.
	retryWaitMax = 10 * time.Second
)

// passing reports whether a failure is the store's, the state's or the log's, or a stop, and no fault of a message.
func passing(err error) bool {
	for _, e := range []error{
		ErrStore, ErrState, streams.ErrUnavailable, streams.ErrFull, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// foldSingly folds messages one by one. One that goes on failing goes to DEAD, so that the rest goes on.
func (g *Gold) foldSingly(ctx context.Context, msgs []jetstream.Msg) error {
	var failed error
	for _, msg := range msgs {
		err := g.foldGood(ctx, []jetstream.Msg{msg})
		if err != nil && !passing(err) {
			err = g.giveUp(ctx, msg, err)
		}
		if err != nil {
			_ = msg.NakWithDelay(retryWait) // without it it comes back when its wait is over
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// giveUp counts a failure of a message, has it come again after a pause that grows, and sends it to DEAD when it has failed
// Options.MaxFailures times.
func (g *Gold) giveUp(ctx context.Context, msg jetstream.Msg, reason error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("gold: message without metadata: %w", err)
	}
	seq := meta.Sequence.Stream
	if len(g.failed) >= failedMax {
		clear(g.failed) // they are found again
	}
	g.failed[seq]++
	// A process that is killed forgets what it has counted, but the log knows how often it delivered the message; since that may have
	// had other reasons, it has failed before in this process too.
	delivered := meta.NumDelivered > uint64(g.opts.MaxFailures)
	if n := g.failed[seq]; n < g.opts.MaxFailures && (n == 1 || !delivered) {
		g.opts.Logger.Warn("gold: a message of SILVER fails", "sequence", seq, "times", n, "error", reason)
		_ = msg.NakWithDelay(min(retryWait<<n, retryWaitMax)) // without it it comes back when its wait is over
		return nil
	}
	if err := g.deadLetter(ctx, msg, fmt.Errorf("it failed again and again: %w", reason)); err != nil {
		return err
	}
	delete(g.failed, seq)
	return nil
}
