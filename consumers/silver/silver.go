package silver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/consumers/bronze"
	"assay/streams"
)

// Options configure Silver.
type Options struct {
	// Decode turns a frame into events with their dispositions. It must be pure.
	Decode func(f *streams.Frame, seq uint64) []bronze.Event
	Keys   Keys
	// Namespace of all identities.
	Namespace uuid.UUID
	// Publish stores messages durably, in order, before it returns.
	Publish func(ctx context.Context, msgs ...*nats.Msg) error
	Logger  *slog.Logger

	Workers    int           // parallel fetch loops
	Partitions int           // subjects silver.0 … to spread rows over, by workflow
	MaxRows    int           // a batch is published when it has so many rows,
	MaxBytes   int           // or so many bytes,
	MaxAge     time.Duration // or its first row has waited so long
	MaxFetch   int           // frames asked for at a time
}

// DefaultOptions returns the limits that serve both a laptop and a busy node; the caller adds what has no default.
func DefaultOptions() Options {
	return Options{
		Namespace: uuid.MustParse("91e8f5f8-3e28-592a-ab23-5295dcf92dd7"),
		Workers:   2, Partitions: 1,
		MaxRows: 16_384, MaxBytes: 8 << 20, MaxAge: 25 * time.Millisecond, MaxFetch: 1000,
	}
}

func (o *Options) validate() error {
	switch {
	case o.Decode == nil, o.Keys == nil, o.Publish == nil, o.Logger == nil:
		return fmt.Errorf("%w: Decode, Keys, Publish and Logger are needed", ErrOptions)
	case o.Workers < 1, o.Partitions < 1, o.MaxRows < 1, o.MaxBytes < 1, o.MaxFetch < 1, o.MaxAge <= 0:
		return fmt.Errorf("%w: every limit must be positive", ErrOptions)
	}
	return nil
}

// Silver consumes BRONZE.
type Silver struct{ opts Options }

// New returns a Silver. Errors wrap ErrOptions.
func New(opts Options) (*Silver, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	return &Silver{opts: opts}, nil
}

// Run processes frames until ctx ends, which is no error. Frames whose batch was not yet published stay
// unacknowledged and are delivered again.
func (s *Silver) Run(ctx context.Context, consumer jetstream.Consumer) error {
	group, ctx := errgroup.WithContext(ctx)
	for range s.opts.Workers {
		group.Go(func() error {
			w := s.newWorker()
			defer w.release()
			return w.run(ctx, consumer)
		})
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// worker is one fetch loop with its own builders.
type worker struct {
	*Options
	partitions []*Batch
	letters    []*nats.Msg     // for DEAD and PROMOTION
	pending    []jetstream.Msg // frames to acknowledge once all that was made of them is stored
}

func (s *Silver) newWorker() *worker {
	w := &worker{Options: &s.opts}
	for range s.opts.Partitions {
		w.partitions = append(w.partitions, s.opts.NewBatch())
	}
	return w
}

func (w *worker) release() {
	for _, b := range w.partitions {
		b.Release()
	}
}

// Waits of a worker. A fetch that brings nothing ends after fetchWait and is asked again, so that a consumer which the
// server has lost is noticed; a failed attempt is repeated after retryWait.
const (
	fetchWait = 2 * time.Second
	retryWait = 250 * time.Millisecond
)

func (w *worker) run(ctx context.Context, consumer jetstream.Consumer) error {
	for ctx.Err() == nil {
		fetched, err := consumer.Fetch(w.MaxFetch, jetstream.FetchMaxWait(fetchWait))
		if err == nil {
			err = w.drain(ctx, fetched)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDeleted) {
			return fmt.Errorf("silver: the consumer is gone: %w", err)
		}
		w.Logger.Warn("silver: will try again", "error", err, "frames", len(w.pending))
		if err := wait(ctx, retryWait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// drain takes the frames of one fetch as they arrive and publishes a batch whenever one is full or old enough.
func (w *worker) drain(ctx context.Context, fetched jetstream.MessageBatch) error {
	age := time.NewTimer(w.MaxAge)
	defer age.Stop()
	for {
		select {
		case msg, ok := <-fetched.Messages():
			if !ok {
				return errors.Join(w.flush(ctx), ignoreEmpty(fetched.Error()))
			}
			if len(w.pending) == 0 {
				age.Reset(w.MaxAge)
			}
			if err := w.take(msg); err != nil {
				return err
			}
			if !w.full() {
				continue
			}
		case <-age.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
}

// ignoreEmpty passes over what a fetch reports when it simply brought nothing.
func ignoreEmpty(err error) error {
	if errors.Is(err, nats.ErrTimeout) || errors.Is(err, jetstream.ErrNoMessages) {
		return nil
	}
	return err
}

func (w *worker) full() bool {
	rows, bytes := 0, 0
	for _, b := range w.partitions {
		rows += b.Rows()
		bytes += b.Bytes()
	}
	return rows >= w.MaxRows || bytes >= w.MaxBytes
}

// take decodes one frame into the batches.
func (w *worker) take(msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("silver: message without metadata: %w", err)
	}
	w.pending = append(w.pending, msg)
	for _, e := range w.Events(streams.Message{
		Subject: msg.Subject(), Header: msg.Headers(), Data: msg.Data(), Seq: meta.Sequence.Stream, Time: meta.Timestamp,
	}) {
		if err := w.partitions[partition(e.WorkflowID, w.Partitions)].Append(&e); err != nil {
			return err
		}
		switch {
		case e.Disposition == bronze.Dead:
			w.letters = append(w.letters, deadLetter(&e))
		case e.Kind == bronze.KindPromotion:
			w.letters = append(w.letters, PromotionMessage(w.Namespace, &e))
		}
	}
	return nil
}

// flush publishes what was gathered and then acknowledges the frames that it came from. When it fails, the gathered
// rows are dropped together with their frames' acknowledgements: the log delivers the frames again.
func (w *worker) flush(ctx context.Context) error {
	frames, letters := w.pending, w.letters
	w.pending, w.letters = nil, nil
	msgs := letters
	for i, b := range w.partitions {
		if b.Rows() == 0 {
			continue
		}
		msg, err := w.message(i, b)
		if err != nil {
			return err
		}
		msgs = append(msgs, msg)
	}
	if len(msgs) > 0 {
		if err := w.Publish(ctx, msgs...); err != nil {
			nakAll(frames)
			return fmt.Errorf("silver: publish: %w", err)
		}
	}
	for _, msg := range frames {
		if err := msg.Ack(); err != nil {
			return fmt.Errorf("silver: acknowledge: %w", err)
		}
	}
	w.Logger.Debug("silver: batch published", "frames", len(frames), "messages", len(msgs))
	return nil
}

// nakAll asks for the frames again at once. That it may fail is no harm: they come back when their wait is over.
func nakAll(frames []jetstream.Msg) {
	for _, msg := range frames {
		_ = msg.NakWithDelay(retryWait)
	}
}

func (w *worker) message(partition int, b *Batch) (*nats.Msg, error) {
	record, err := b.Record()
	if err != nil {
		return nil, err
	}
	defer record.Release()
	body, err := Encode(memory.DefaultAllocator, record)
	if err != nil {
		return nil, err
	}
	msg := nats.NewMsg("silver." + strconv.Itoa(partition))
	msg.Header.Set("Content-Type", "application/vnd.apache.arrow.stream")
	msg.Header.Set(HeaderRows, strconv.FormatInt(record.NumRows(), 10))
	msg.Data = body
	return msg, nil
}

// HeaderRows is the header of a SILVER message that tells how many rows it has.
const HeaderRows = "Assay-Rows"

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
