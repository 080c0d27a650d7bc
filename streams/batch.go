package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// batchFramesMin is the size from which an atomic batch is worth its price on a single node: the server gives every batch a
// store of its own on disk, which takes as long as about 24 messages by themselves with a sync each (BenchmarkCommit).
// With replicas the batch is kept in memory and spares round trips, so that two messages are enough.
const batchFramesMin = 24

const (
	// attemptTimeout limits the wait for one answer of the log; a slow disk may take seconds for a sync.
	attemptTimeout = 10 * time.Second
	// retryInterval is the first pause between attempts; pauses grow up to retryIntervalMax.
	retryInterval    = 20 * time.Millisecond
	retryIntervalMax = time.Second
)

// errAttemptTimeout is the cause with which an attempt's context ends, to tell it from the caller's.
var errAttemptTimeout = errors.New("streams: no answer from the log")

// store writes messages in their order. On an error the acknowledgements are those of the first messages, which are
// stored nonetheless.
func (p *Publisher) store(ctx context.Context, msgs []*nats.Msg) ([]Ack, error) {
	if !p.log.worthBatch(len(msgs)) {
		return p.storeSingly(ctx, msgs)
	}
	acks, err := p.storeBatch(ctx, msgs)
	if errorCode(err) == codeBatchDuplicate {
		// The log has at least one of the messages, and does not say which: an earlier attempt whose answer was lost, or
		// a client that repeats itself. One by one, it says so of each.
		return p.storeSingly(ctx, msgs)
	}
	return acks, publishError(err)
}

// worthBatch tells whether so many messages are written sooner as an atomic batch than by themselves.
func (l *Log) worthBatch(msgs int) bool {
	return msgs >= 2 && (l.cfg.Replicas > 1 || msgs >= batchFramesMin)
}

// unbatch takes away what makes a message a part of a batch.
func unbatch(msg *nats.Msg) {
	for _, name := range []string{
		jetstreamext.BatchIDHeader, jetstreamext.BatchSeqHeader, jetstreamext.BatchCommitHeader,
	} {
		msg.Header.Del(name)
	}
}

// storeBatch writes messages as one atomic batch: all or none, with one sync.
func (p *Publisher) storeBatch(ctx context.Context, msgs []*nats.Msg) ([]Ack, error) {
	ack, err := retry(ctx, p.cfg.Timeout, func(ctx context.Context) (*jetstreamext.BatchAck, error) {
		p.count(func(s *PublisherStats) { s.Batches++ })
		return jetstreamext.PublishMsgBatch(ctx, p.log.js, msgs, jetstreamext.BatchFlowControl{})
	})
	if err != nil {
		return nil, err
	}
	acks := make([]Ack, len(msgs))
	first := ack.Sequence + 1 - uint64(len(msgs)) // a batch is stored without gaps
	for i := range acks {
		acks[i].Seq = first + uint64(i)
	}
	return acks, nil
}

// storeSingly writes messages one after the other and stops at the first failure.
func (p *Publisher) storeSingly(ctx context.Context, msgs []*nats.Msg) ([]Ack, error) {
	acks := make([]Ack, 0, len(msgs))
	for _, msg := range msgs {
		unbatch(msg)
		ack, err := retry(ctx, p.cfg.Timeout, func(ctx context.Context) (*jetstream.PubAck, error) {
			p.count(func(s *PublisherStats) { s.Singles++ })
			return p.log.js.PublishMsg(ctx, msg)
		})
		if err != nil {
			return acks, publishError(err)
		}
		acks = append(acks, Ack{Seq: ack.Sequence, Duplicate: ack.Duplicate})
	}
	return acks, nil
}

// retry calls publish until it succeeds, is refused for good or has failed for as long as limit. It may be called again
// after an attempt that went through unnoticed: message ids make that harmless.
func retry[T any](ctx context.Context, limit time.Duration, publish func(context.Context) (T, error)) (T, error) {
	return retryEach(ctx, limit, attemptTimeout, publish)
}

// askTimeout limits the wait for one answer to a question: a stream or a consumer that was just made, or has lost its leader, does not
// answer at all, and the same question a moment later is answered.
const askTimeout = 2 * time.Second

// ask asks the log's API until it answers, within requestTimeout.
func ask[T any](ctx context.Context, question func(context.Context) (T, error)) (T, error) {
	return retryEach(ctx, requestTimeout, askTimeout, question)
}

// retryEach is retry with a limit for each attempt.
func retryEach[T any](ctx context.Context, limit, each time.Duration, publish func(context.Context) (T, error)) (T, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = retryInterval, retryIntervalMax
	return backoff.Retry(ctx, func() (T, error) {
		attempt, cancel := context.WithTimeoutCause(ctx, each, errAttemptTimeout)
		defer cancel()
		result, err := publish(attempt)
		if err != nil && ctx.Err() == nil && errors.Is(context.Cause(attempt), errAttemptTimeout) {
			err = fmt.Errorf("%w within %v: %w", errAttemptTimeout, each, err)
		}
		if err != nil && !transient(err) {
			return result, backoff.Permanent(err)
		}
		return result, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(limit))
}
