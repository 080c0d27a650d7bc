package silver

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/kernels"
	"assay/streams"
)

// worker is one fetch loop with its own builders.
type worker struct {
	*Options
	consumer   jetstream.Consumer
	partitions []*Batch
	letters    []*nats.Msg     // for DEAD and PROMOTION
	pending    []jetstream.Msg // frames to acknowledge once all that was made of them is stored
	age        *time.Timer     // fires when the first of them has waited for MaxAge
	patience   int             // how many times more it may, while frames wait behind them
	behind     bool            // they do
	pause      time.Duration   // after the next failure
	size       streams.FetchSize
	suspects   suspects
}

func newWorker(opts *Options, consumer jetstream.Consumer) *worker {
	w := &worker{
		Options: opts, consumer: consumer, age: time.NewTimer(opts.MaxAge), pause: retryWait, suspects: suspects{},
		size: streams.FetchSize{Bytes: opts.FetchBytes, Max: opts.MaxFetch},
	}
	w.partitions = w.newPartitions()
	return w
}

func (w *worker) newPartitions() []*Batch {
	partitions := make([]*Batch, w.Partitions)
	for i := range partitions {
		partitions[i] = w.NewBatch()
	}
	return partitions
}

func (w *worker) release() {
	w.age.Stop()
	for _, b := range w.partitions {
		b.Release()
	}
}

// patienceMax is how many times MaxAge a batch may wait longer while more frames are there to fill it: they would only wait
// behind it, and one large batch costs all that follow less than several small ones.
const patienceMax = 10

// Waits of a worker. After a failure it pauses for retryWait, and twice as long each time up to retryWaitMax.
const (
	retryWait    = 100 * time.Millisecond
	retryWaitMax = 5 * time.Second
)

func (w *worker) run(ctx context.Context) error {
	for {
		err := w.fetch(ctx)
		switch {
		case ctx.Err() != nil:
			w.giveBack(0)
			return ctx.Err()
		case streams.ConsumerGone(err):
			return fmt.Errorf("silver: the consumer is gone: %w", err)
		case err != nil:
			w.recover(ctx, err)
		}
	}
}

// fetch takes the frames of one fetch as they arrive and publishes a batch whenever one is full or old enough. What is
// neither waits for the frames of the next fetch.
func (w *worker) fetch(ctx context.Context) error {
	fetched, err := streams.Fetch(ctx, w.consumer, w.size.Messages())
	if err != nil {
		return fmt.Errorf("silver: %w", err)
	}
	defer fetched.Close()
	frames, bytes := 0, 0
	for {
		select {
		case msg, ok := <-fetched.Messages():
			if !ok {
				w.size.Got(frames, bytes)
				return fetched.Err()
			}
			frames, bytes = frames+1, bytes+len(msg.Data())
			if err := w.take(ctx, msg); err != nil {
				return err
			}
			if !w.full() {
				continue
			}
		case <-w.age.C:
			if w.behind && w.patience > 0 {
				w.patience--
				w.age.Reset(w.MaxAge)
				continue
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := w.flush(ctx); err != nil {
			w.recover(ctx, err)
		}
	}
}

// take decodes one frame into the batches.
func (w *worker) take(ctx context.Context, msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("silver: message without metadata: %w", err)
	}
	w.behind = meta.NumPending > 0
	m := messageOf(msg, meta.Sequence.Stream, meta.Timestamp)
	switch {
	case w.Trials.tries(m.Seq):
		return w.Trials.alone(ctx, m.Seq, func() { w.takeAlone(ctx, msg, m) })
	case w.suspects[m.Seq] > 0:
		w.takeAlone(ctx, msg, m)
		return nil
	}
	return w.Trials.beside(func() error { return w.gather(msg, w.Events(m)) })
}

// gather adds the events of a frame to the batches.
func (w *worker) gather(msg jetstream.Msg, events []bronze.Event) (err error) {
	defer recovered(&err)
	if len(w.pending) == 0 {
		w.age.Reset(w.MaxAge)
		w.patience = patienceMax
	}
	w.pending = append(w.pending, msg)
	for i := range events {
		e := &events[i]
		w.spread(e)
		switch {
		case e.Disposition == bronze.Dead:
			w.letters = append(w.letters, DeadLetter(e))
		case e.Kind == bronze.KindPromotion:
			w.letters = append(w.letters, PromotionMessage(w.Namespace, e))
		}
	}
	return nil
}

// spread adds an event to the batch of its workflow's partition. What one takes back may be anybody's, and so may the call be that
// another is a view of: those are told to all, the latter without what it says of it.
func (w *worker) spread(e *bronze.Event) {
	own := w.partitions[kernels.Partition(e.WorkflowID, w.Partitions)]
	own.Append(e)
	if len(w.partitions) == 1 || e.Disposition != bronze.Kept {
		return
	}
	told := *e
	switch {
	case bronze.IsRetraction(e.Kind):
	case e.CrossesWorkflows():
		told.Text, told.Payload, told.Fragments, told.Error, told.Title = "", "", nil, "", ""
	default:
		return
	}
	for _, b := range w.partitions {
		if b != own {
			b.Append(&told)
		}
	}
}

func (w *worker) full() bool {
	rows, bytes := 0, 0
	for _, b := range w.partitions {
		rows += b.Rows()
		bytes += b.Bytes()
	}
	return rows >= w.MaxRows || bytes >= w.MaxBytes || len(w.pending) >= w.MaxFrames
}

// flush publishes what was gathered and then acknowledges the frames that it came from.
//
// Letters go after the rows, because only these may have to wait for long (while SILVER is full), and DEAD recognises a
// letter that it has already for a while only.
func (w *worker) flush(ctx context.Context) (err error) {
	defer recovered(&err)
	var batches []*nats.Msg
	for i, b := range w.partitions {
		msgs, err := b.messages(i)
		if err != nil {
			return err
		}
		batches = append(batches, msgs...)
	}
	for _, msgs := range [][]*nats.Msg{batches, w.letters} {
		if len(msgs) == 0 {
			continue
		}
		if err := w.Publisher.PublishMsgs(ctx, msgs...); err != nil {
			return fmt.Errorf("silver: publish: %w", err)
		}
	}
	for _, msg := range w.pending {
		if err := msg.Ack(); err != nil {
			return fmt.Errorf("silver: acknowledge: %w", err)
		}
	}
	w.Logger.Debug("silver: batch published", "frames", len(w.pending), "messages", len(batches)+len(w.letters))
	w.letters, w.pending, w.pause = nil, nil, retryWait
	return nil
}

// recover gives the frames of a failure back and pauses before the worker goes on.
func (w *worker) recover(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	w.Logger.Warn("silver: will try again", "error", err, "frames", len(w.pending), "after", w.pause)
	if !passing(err) {
		w.suspect()
	}
	w.giveBack(w.pause)
	wait(ctx, w.pause)
	w.pause = min(2*w.pause, retryWaitMax)
}

// giveBack forgets what was gathered and asks for its frames again after a delay. That asking may fail is no harm: they
// come back when the log has waited long enough for an acknowledgement.
func (w *worker) giveBack(delay time.Duration) {
	for _, msg := range w.pending {
		_ = msg.NakWithDelay(delay)
	}
	w.forget()
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
