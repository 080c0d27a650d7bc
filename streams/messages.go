package streams

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// messagesInFlightMax limits what PublishMsgs has under way; nats.go starts to stall at 4,000.
	messagesInFlightMax = 1000
	// messagesTimeout is how long PublishMsgs retries while the log does not answer.
	messagesTimeout = 30 * time.Second
)

// PublishMsgs writes messages to SILVER, DEAD or PROMOTION and returns when all are durable. Each should have a
// Nats-Msg-Id, so that publishing it again is recognised.
//
// On an error some may be stored; publish all again. Errors wrap ErrTooLarge, ErrFull or ErrUnavailable, or are the
// context's.
func (l *Log) PublishMsgs(ctx context.Context, msgs ...*nats.Msg) error {
	for len(msgs) > 0 {
		n := min(len(msgs), messagesInFlightMax)
		_, err := retry(ctx, messagesTimeout, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, l.publishTogether(ctx, msgs[:n])
		})
		if err != nil {
			return publishError(err)
		}
		msgs = msgs[n:]
	}
	return nil
}

// publishTogether sends all messages before it waits for their acknowledgements.
func (l *Log) publishTogether(ctx context.Context, msgs []*nats.Msg) error {
	futures := make([]jetstream.PubAckFuture, len(msgs))
	for i, msg := range msgs {
		future, err := l.js.PublishMsgAsync(msg)
		if err != nil {
			return fmt.Errorf("message to %s: %w", msg.Subject, err)
		}
		futures[i] = future
	}
	for i, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			return fmt.Errorf("message to %s: %w", msgs[i].Subject, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
