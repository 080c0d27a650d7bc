package streams

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// Rewind makes Silver start over from the first frame of BRONZE, and drops the batches that Gold has not taken: what they
// say comes again. Sequences of SILVER go on where they were. Promotions that are not handled yet stay, as do dead letters
// whose frames BRONZE may no longer have. Nobody may consume BRONZE or SILVER meanwhile.
//
// It can be repeated after an error.
func (l *Log) Rewind(ctx context.Context) error {
	err := l.bronze.DeleteConsumer(ctx, ConsumerSilver)
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fmt.Errorf("streams: rewind consumer %s: %w", ConsumerSilver, err)
	}
	if err := l.silver.Purge(ctx); err != nil {
		return fmt.Errorf("streams: rewind: empty %s: %w", StreamSilver, err)
	}
	return l.openConsumers(ctx)
}
