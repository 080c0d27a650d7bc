package capture

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// InFlightBytesMax is the default limit on the bytes of frames between the cut and the log's acknowledgement, of all
// recorders that share a Budget together.
const InFlightBytesMax = 16 << 20

// Budget bounds the memory of recorders: each frame takes its size out of it while it is on its way to the log.
type Budget struct {
	sem  *semaphore.Weighted
	size int64
}

// NewBudget returns a Budget of size bytes.
func NewBudget(size int64) *Budget { return &Budget{semaphore.NewWeighted(size), size} }

// acquire waits for n bytes of the budget. A frame larger than the whole budget takes all of it.
func (b *Budget) acquire(ctx context.Context, n int) error {
	return b.sem.Acquire(ctx, min(int64(n), b.size))
}

// tryAcquire takes n bytes if they are there.
func (b *Budget) tryAcquire(n int) bool { return b.sem.TryAcquire(min(int64(n), b.size)) }

func (b *Budget) release(n int) { b.sem.Release(min(int64(n), b.size)) }
