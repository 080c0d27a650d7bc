package streams

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// entries returns what a bucket has under a pattern of keys. A watch that ends before it has told all is an error, for half a
// list would prove what is not so.
func entries(ctx context.Context, kv jetstream.KeyValue, pattern string) ([]jetstream.KeyValueEntry, error) {
	watch, err := kv.Watch(ctx, pattern, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = watch.Stop() }() // the server forgets it anyway
	var all []jetstream.KeyValueEntry
	for {
		select {
		case entry, ok := <-watch.Updates():
			switch {
			case !ok && ctx.Err() != nil:
				return nil, context.Cause(ctx)
			case !ok:
				return nil, fmt.Errorf("%w: a list was cut off after %d keys", ErrUnavailable, len(all))
			case entry == nil: // that was all
				return all, nil
			}
			all = append(all, entry)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
