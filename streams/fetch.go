package streams

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// fetchExpiry is how long the server keeps a request for messages that are still to come; then it is repeated.
	fetchExpiry = 30 * time.Second
	// fetchHeartbeat is how often the server says meanwhile that it still knows the request; two missing ones end the fetch.
	fetchHeartbeat = 5 * time.Second
	// fetchLeaveWait limits the wait for what had arrived when a fetch was left.
	fetchLeaveWait = time.Second
)

// Fetching is a request for messages of a durable consumer, and those that have come.
type Fetching struct {
	msgs   chan jetstream.Msg
	cancel context.CancelFunc
	err    error // set before msgs is closed
}

// Fetch asks a consumer for n messages and passes them on as they arrive. It asks for FetchBytesMax at a time, and for more
// when half of the messages that it has asked for are taken, so that no more than twice that waits. It ends when all have come,
// the context ends or the consumer is gone; the caller must Close it.
//
// jetstream's own Fetch ends at the server's word that a limit in bytes is reached or that the batch is complete. A
// replicated consumer sends messages only once a majority knows of them, and that word at once, so it overtakes them, and
// what comes after it is lost until the ack wait is over. An iterator that stops after n messages takes it for an
// account of what is still to come, whatever the order.
func Fetch(ctx context.Context, consumer jetstream.Consumer, n int) (*Fetching, error) {
	messages, err := consumer.Messages(jetstream.PullMaxMessagesWithBytesLimit(n, FetchBytesMax), jetstream.StopAfter(n),
		jetstream.PullExpiry(fetchExpiry), jetstream.PullHeartbeat(fetchHeartbeat))
	if err != nil {
		return nil, fmt.Errorf("streams: fetch: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Fetching{msgs: make(chan jetstream.Msg), cancel: cancel}
	go f.run(ctx, messages, n)
	return f, nil
}

// Messages are those that have come, until the fetch has ended.
func (f *Fetching) Messages() <-chan jetstream.Msg { return f.msgs }

// Err is why the fetch ended early, nil if it did not or its context ended; it may be called once Messages is closed.
func (f *Fetching) Err() error { return f.err }

// Close ends the fetch and gives back the messages that nobody has taken, so that they come again at once and not when
// their ack wait is over.
func (f *Fetching) Close() {
	f.cancel()
	for msg := range f.msgs {
		_ = msg.Nak() // without it they come back when their wait is over
	}
}

func (f *Fetching) run(ctx context.Context, messages jetstream.MessagesContext, n int) {
	defer f.cancel()
	defer close(f.msgs)
	defer messages.Stop()
	for range n {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if ctx.Err() != nil {
			if err == nil {
				f.msgs <- msg
			}
			f.leave(messages)
			return
		}
		if err != nil {
			f.err = fmt.Errorf("streams: fetch: %w", err)
			return
		}
		f.msgs <- msg
	}
}

// leave asks for nothing more and takes what has arrived.
func (f *Fetching) leave(messages jetstream.MessagesContext) {
	messages.Drain()
	for {
		msg, err := messages.Next(jetstream.NextMaxWait(fetchLeaveWait))
		if err != nil {
			return
		}
		f.msgs <- msg
	}
}

// ConsumerGone reports whether an error says that a consumer exists no more, so that asking it again is in vain.
func ConsumerGone(err error) bool {
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDeleted)
}
