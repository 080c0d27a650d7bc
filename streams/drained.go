package streams

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Drained tells whether a consumer has acknowledged all that its stream holds.
//
// The server tells consumers of new messages a moment after it has acknowledged them to the publisher, so a consumer that
// says that nothing is pending is asked about again: the stream knows whether anything comes behind what was delivered.
func (l *Log) Drained(ctx context.Context, consumer jetstream.Consumer) (bool, error) {
	info, err := consumer.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("read consumer: %w", err)
	}
	if info.NumPending > 0 || info.NumAckPending > 0 {
		return false, nil
	}
	stream, err := l.js.Stream(ctx, info.Stream)
	if err != nil {
		return false, fmt.Errorf("read stream %s: %w", info.Stream, err)
	}
	if stream.CachedInfo().State.LastSeq <= info.Delivered.Stream {
		return true, nil
	}
	_, err = stream.GetMsg(ctx, info.Delivered.Stream+1, jetstream.WithGetMsgSubject(cmp.Or(info.Config.FilterSubject, ">")))
	if errors.Is(err, jetstream.ErrMsgNotFound) { // what came behind was removed
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("read stream %s: %w", info.Stream, err)
	}
	return false, nil
}
