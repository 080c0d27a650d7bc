package silver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"assay/consumers/bronze"
	"assay/kernels"
	"assay/streams"
)

// Decoder turns frames into events with their dispositions. bronze.Decoder does, with both gates.
type Decoder interface {
	// Decode returns the events of the frame that the log has at a sequence. It must be pure.
	Decode(f *streams.Frame, seq uint64) []bronze.Event
}

// Options configure Silver.
type Options struct {
	Decoder Decoder
	Keys    Keys
	// Namespace of all identities.
	Namespace uuid.UUID
	Publisher streams.MsgPublisher
	Logger    *slog.Logger
	// Forgotten tells which events are forgotten: they are passed over; nil: none is.
	Forgotten *streams.Forgotten

	// Trials finds the frames that end the process which decodes them; nil: none does.
	Trials *Trials

	Workers    int           // parallel fetch loops
	Partitions int           // of the log: subjects silver.0 … to which rows go by their workflow's partition
	MaxRows    int           // a batch is published when it has so many rows,
	MaxBytes   int           // or so many bytes,
	MaxFrames  int           // or comes from so many frames,
	MaxAge     time.Duration // or its first row has waited so long; longer while more frames wait
	MaxFetch   int           // frames asked for at a time,
	FetchBytes int           // and about how many bytes, by each worker

	// MaxFailures is how often a frame may fail, with its batch and then by itself, before DEAD gets it. The pauses between grow to
	// 5 s, so that by default half a minute passes, in which what is no fault of the frame's is mended, or known for what it is. One that the
	// log has delivered more often than that may fail twice only: earlier processes did not get as far.
	MaxFailures int
}

// DefaultOptions returns the limits that serve both a laptop and a busy node; the caller adds what has no default.
func DefaultOptions() Options {
	return Options{
		Namespace: kernels.Namespace,
		Workers:   1, Partitions: 1,
		MaxRows: 16_384, MaxBytes: 4 << 20, MaxFrames: 4000, MaxAge: 25 * time.Millisecond, MaxFetch: 1000, FetchBytes: 4 << 20,
		MaxFailures: 10,
	}
}

func (o *Options) validate() error {
	switch {
	case o.Decoder == nil, o.Keys == nil, o.Publisher == nil, o.Logger == nil:
		return fmt.Errorf("%w: Decoder, Keys, Publisher and Logger are needed", ErrOptions)
	case o.Workers < 1, o.Partitions < 1, o.MaxRows < 1, o.MaxBytes < 1, o.MaxFrames < 1, o.MaxFetch < 1, o.FetchBytes < 1, o.MaxFailures < 1, o.MaxAge <= 0:
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

// Run processes frames until ctx ends, which is no error. Frames whose batch was not yet published are given back to the
// log, which delivers them again; those that were under way to a worker come again after the consumer's AckWait.
func (s *Silver) Run(ctx context.Context, consumer jetstream.Consumer) error {
	if t := s.opts.Trials; t != nil {
		if err := t.begin(ctx, consumer, s.opts.Workers*s.opts.MaxFetch); err != nil {
			return err
		}
		defer t.end(ctx)
	}
	group, ctx := errgroup.WithContext(ctx)
	for range s.opts.Workers {
		group.Go(func() error {
			w := newWorker(&s.opts, consumer)
			defer w.release()
			return w.run(ctx)
		})
	}
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
