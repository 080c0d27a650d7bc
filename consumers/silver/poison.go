package silver

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/bronze"
	"assay/streams"
)

// suspectsMax bounds the frames that are remembered to have failed.
const suspectsMax = 10_000

// errPanic means that processing panicked, through what a frame holds.
var errPanic = errors.New("silver: processing panicked")

// recovered makes an error of a panic.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
	}
}

// passing reports whether a failure is the log's, or a stop, and no fault of what was processed.
func passing(err error) bool {
	for _, e := range []error{streams.ErrUnavailable, streams.ErrFull, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// suspects counts the failures of frames, by sequence: of the batch that a frame was part of, and then of the frame alone. A
// frame that fails goes no further than itself.
type suspects map[uint64]int

func (s suspects) add(seq uint64) {
	if len(s) >= suspectsMax {
		clear(s) // they are found again
	}
	s[seq]++
}

// takeAlone processes a frame of a batch that has failed, by itself. If it goes on failing, DEAD gets it.
func (w *worker) takeAlone(ctx context.Context, msg jetstream.Msg, m streams.Message) {
	if err := w.flush(ctx); err != nil {
		w.recover(ctx, err) // what came before has nothing to do with it
	}
	err := w.gather(msg, w.Events(m))
	if err == nil {
		err = w.flush(ctx)
	}
	if err != nil && !passing(err) && w.hopeless(msg, m.Seq) {
		w.Logger.Error("silver: a frame goes to DEAD", "sequence", m.Seq, "error", err)
		w.forget()
		reason := fmt.Errorf("it failed again and again: %w", err)
		if err = w.gather(msg, []bronze.Event{bronze.DeadFrame(m.Subject, m.Data, m.Seq, m.Time, reason)}); err == nil {
			err = w.flush(ctx)
		}
	}
	switch {
	case err == nil:
		delete(w.suspects, m.Seq)
	case ctx.Err() == nil && !passing(err):
		w.suspects.add(m.Seq)
		delay := min(retryWait<<w.suspects[m.Seq], retryWaitMax)
		w.Logger.Warn("silver: a frame fails", "sequence", m.Seq, "times", w.suspects[m.Seq], "again_after", delay, "error", err)
		w.giveBack(delay) // no pause: the others go on
	default:
		w.recover(ctx, err)
	}
}

// hopeless tells whether a frame that has just failed alone has failed so often that it is given up. A process that is killed
// forgets what it has counted, but the log knows how often it delivered the frame; since that may have had other reasons, the
// frame has failed before in this process too.
func (w *worker) hopeless(msg jetstream.Msg, seq uint64) bool {
	failed := w.suspects[seq]
	if failed >= w.MaxFailures {
		return true
	}
	meta, err := msg.Metadata()
	return failed > 0 && err == nil && meta.NumDelivered > uint64(w.MaxFailures)
}

// suspect notes that the frames which wait failed together.
func (w *worker) suspect() {
	for _, msg := range w.pending {
		if meta, err := msg.Metadata(); err == nil {
			w.suspects.add(meta.Sequence.Stream)
		}
	}
}

// forget drops what was gathered and leaves the frames unanswered.
func (w *worker) forget() {
	w.letters, w.pending = nil, nil
	for _, b := range w.partitions {
		b.Release()
	}
	w.partitions = w.newPartitions()
}

// messageOf is a frame as it was fetched.
func messageOf(msg jetstream.Msg, seq uint64, stored time.Time) streams.Message {
	return streams.Message{Subject: msg.Subject(), Header: msg.Headers(), Data: msg.Data(), Seq: seq, Time: stored}
}
