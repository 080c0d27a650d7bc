package streams

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// batchFramesMax is the server's limit on the messages of an atomic batch.
const batchFramesMax = 1000

// PublisherConfig bounds what a Publisher holds. A field that is 0 has its default.
type PublisherConfig struct {
	MaxBatch      int           // frames in a batch; 1,000, which is also the most
	MaxBatchBytes int64         // bytes in a batch, a larger frame being a batch of its own; 3 MiB
	MaxQueueBytes int64         // bytes waiting or under way, above which Send and Publish wait; 8 MiB
	Timeout       time.Duration // how long a batch is retried while the log does not answer; 30 s
}

func (c PublisherConfig) withDefaults() PublisherConfig {
	if c.MaxBatch <= 0 || c.MaxBatch > batchFramesMax {
		c.MaxBatch = batchFramesMax
	}
	if c.MaxBatchBytes <= 0 {
		c.MaxBatchBytes = 3 << 20
	}
	if c.MaxQueueBytes <= 0 {
		c.MaxQueueBytes = 8 << 20
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	return c
}

// Publisher writes frames to BRONZE by group commit: while one atomic batch is on its way to the disk, the frames of all
// callers gather and make the next. So a lone frame waits for nobody, and a thousand share one sync. Batches follow each
// other, so frames are stored in the order in which they were sent.
type Publisher struct {
	log  *Log
	cfg  PublisherConfig
	room *semaphore.Weighted // of MaxQueueBytes

	mu     sync.Mutex // guards queue, closed and stats
	queue  []*entry   // limited by room
	closed bool
	stats  PublisherStats
	wake   chan struct{} // tells run that the queue or closed has changed; holds one

	abandon context.CancelCauseFunc // ends what is under way
	done    chan struct{}           // closed when run has returned
}

// PublisherStats counts what a Publisher has done since its start.
type PublisherStats struct {
	Frames     uint64 // acknowledged, duplicates included
	Bytes      uint64 // of their bodies
	Duplicates uint64 // frames that the log had already
	Batches    uint64 // atomic batches sent, retries included
	Singles    uint64 // frames sent by themselves, retries included
}

// NewPublisher starts a publisher; Close must be called in any case.
func (l *Log) NewPublisher(cfg PublisherConfig) *Publisher {
	cfg = cfg.withDefaults()
	ctx, abandon := context.WithCancelCause(context.Background())
	p := &Publisher{
		log: l, cfg: cfg, room: semaphore.NewWeighted(cfg.MaxQueueBytes),
		wake: make(chan struct{}, 1), abandon: abandon, done: make(chan struct{}),
	}
	go p.run(ctx)
	return p
}

// Publish stores frames and returns when they are durable: one acknowledgement a frame, in their order.
//
// On an error the acknowledgements say what is durable nonetheless; those with Seq 0 may be or not, and publishing their
// frames again is safe. After the first frame that fails, none of the call is published. Errors wrap ErrFrame,
// ErrTooLarge, ErrFull, ErrUnavailable or ErrClosed, or are the context's. The frames must not be changed meanwhile.
func (p *Publisher) Publish(ctx context.Context, frames ...*Frame) ([]Ack, error) {
	return p.Send(ctx, frames...).Wait(ctx)
}

// Send is the first half of Publish: it returns when the frames are in the queue, waiting while that is full. Frames that
// one goroutine sends are stored in that order. The receipt has all errors.
func (p *Publisher) Send(ctx context.Context, frames ...*Frame) *Receipt {
	r := newReceipt(len(frames))
	for i, f := range frames {
		if err := p.enqueue(ctx, r, i, f); err != nil {
			for j := i; j < len(frames); j++ {
				r.settle(j, Ack{}, err)
			}
			break
		}
	}
	return r
}

// Close refuses new frames, writes out those it has and returns. If ctx ends first, what is left fails with ErrClosed.
func (p *Publisher) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.signal()
	defer p.abandon(ErrClosed)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.abandon(ErrClosed)
		<-p.done
		return fmt.Errorf("%w with frames unwritten: %w", ErrClosed, context.Cause(ctx))
	}
}

// Stats returns the counters.
func (p *Publisher) Stats() PublisherStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

func (p *Publisher) enqueue(ctx context.Context, r *Receipt, i int, f *Frame) error {
	if err := f.validate(); err != nil {
		return err
	}
	e := newEntry(r, i, f)
	if limit := p.log.MessageBytesMax(); e.bytes > limit {
		return fmt.Errorf("%w: frame at position %d of %s has %d bytes with headers, the limit is %d",
			ErrTooLarge, f.Position, f.Stream, e.bytes, limit)
	}
	if err := p.room.Acquire(ctx, p.weight(e)); err != nil {
		return fmt.Errorf("streams: wait for room in the queue: %w", context.Cause(ctx))
	}
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.queue = append(p.queue, e)
	}
	p.mu.Unlock()
	if closed {
		p.room.Release(p.weight(e))
		return ErrClosed
	}
	p.signal()
	return nil
}

// weight is what an entry takes of the room; an entry larger than all of it takes all of it.
func (p *Publisher) weight(e *entry) int64 { return min(int64(e.bytes), p.cfg.MaxQueueBytes) }

func (p *Publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run writes batch after batch until the publisher is closed and the queue empty.
func (p *Publisher) run(ctx context.Context) {
	defer close(p.done)
	for {
		batch, closed := p.gather()
		switch {
		case len(batch) > 0:
			p.commit(ctx, batch)
		case closed:
			return
		default:
			<-p.wake
		}
	}
}

// gather takes the next batch off the queue: all that waits, up to the limits.
func (p *Publisher) gather() (batch []*entry, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, bytes := 0, int64(0)
	for n < len(p.queue) && n < p.cfg.MaxBatch {
		bytes += int64(p.queue[n].bytes)
		if n > 0 && bytes > p.cfg.MaxBatchBytes {
			break
		}
		n++
	}
	batch = slices.Clone(p.queue[:n])
	clear(p.queue[:n]) // lets go of the bodies as soon as they are written
	if p.queue = p.queue[n:]; len(p.queue) == 0 {
		p.queue = nil
	}
	return batch, p.closed
}

// commit stores a batch and settles each of its entries.
func (p *Publisher) commit(ctx context.Context, batch []*entry) {
	set := newBatchSet(batch)
	var acks []Ack
	err := context.Cause(ctx)
	if err == nil {
		acks, err = p.store(ctx, set.msgs)
	}
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx) // not the failure that the abandoning made
	}
	outcomes := set.outcomes(acks)
	p.count(func(s *PublisherStats) {
		for i, ack := range outcomes {
			s.add(ack, len(batch[i].msg.Data))
		}
	})
	for _, e := range batch {
		p.room.Release(p.weight(e))
	}
	set.settle(outcomes, err)
}

func (p *Publisher) count(change func(*PublisherStats)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.stats)
}

func (s *PublisherStats) add(ack Ack, bytes int) {
	if ack.Seq == 0 {
		return
	}
	s.Frames++
	s.Bytes += uint64(bytes)
	if ack.Duplicate {
		s.Duplicates++
	}
}
