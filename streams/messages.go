package streams

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	// messagesInFlightMax limits what PublishMsgs has under way; nats.go starts to stall at 4,000.
	messagesInFlightMax = 1000
	// messagesTimeout is how long PublishMsgs retries while the log does not answer.
	messagesTimeout = 30 * time.Second
	// messagesBatchBytesMax bounds the bodies of an atomic batch. Messages so large gain nothing from sharing a sync.
	messagesBatchBytesMax = 4 << 20
)

// MsgPublisher stores messages durably. A Log does.
type MsgPublisher interface {
	// PublishMsgs stores messages durably, in order, before it returns.
	PublishMsgs(ctx context.Context, msgs ...*nats.Msg) error
}

// PublishMsgs writes messages to SILVER, DEAD or PROMOTION and returns when all are durable. Each should have a
// Nats-Msg-Id, so that publishing it again is recognised. Messages of different streams are not ordered.
//
// On an error some may be stored; publish all again. Errors wrap ErrTooLarge, ErrFull or ErrUnavailable, or are the
// context's.
func (l *Log) PublishMsgs(ctx context.Context, msgs ...*nats.Msg) error {
	for _, part := range batches(msgs) {
		_, err := retry(ctx, messagesTimeout, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, l.publishPart(ctx, part)
		})
		if err != nil {
			return publishError(err)
		}
	}
	return nil
}

// batches divides messages into such of one stream that go out at a time.
func batches(msgs []*nats.Msg) (parts [][]*nats.Msg) {
	last, bytes := map[string]int{}, map[string]int{} // of each stream: its last part, and the bytes of that
	for _, msg := range msgs {
		stream, _, _ := strings.Cut(msg.Subject, ".")
		i, ok := last[stream]
		if !ok || len(parts[i]) == messagesInFlightMax || bytes[stream]+len(msg.Data) > messagesBatchBytesMax {
			i = len(parts)
			parts = append(parts, nil)
			last[stream], bytes[stream] = i, 0
		}
		parts[i] = append(parts[i], msg)
		bytes[stream] += len(msg.Data)
	}
	return parts
}

// publishPart writes messages of one stream: as an atomic batch, with one sync, if there are enough of them to gain by it and
// the stream has none of them yet.
func (l *Log) publishPart(ctx context.Context, msgs []*nats.Msg) error {
	if l.worthBatch(len(msgs)) {
		_, err := jetstreamext.PublishMsgBatch(ctx, l.js, msgs, jetstreamext.BatchFlowControl{})
		if errorCode(err) != codeBatchDuplicate {
			return err
		}
		for _, msg := range msgs {
			unbatch(msg)
		}
	}
	return l.publishTogether(ctx, msgs)
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
