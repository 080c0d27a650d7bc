package streams

import (
	"context"
	"fmt"
)

// Redeliver makes every consumer begin again behind what it has acknowledged, so that what a process held when it
// crashed comes at once and not after the acknowledgement wait. Only for a log that no other process consumes.
func (l *Log) Redeliver(ctx context.Context) error {
	for _, c := range l.consumers() {
		if _, err := c.stream.ResetConsumer(ctx, c.name); err != nil {
			return fmt.Errorf("streams: reset consumer %s: %w", c.name, err)
		}
	}
	return nil
}
