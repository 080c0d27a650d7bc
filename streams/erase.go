package streams

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// duplicateWindowMin is the shortest that the server takes.
const duplicateWindowMin = 100 * time.Millisecond

// forgetIDsTimeout limits three changes of a stream and the waits between them.
const forgetIDsTimeout = 40 * time.Second

// Erase overwrites frames of BRONZE, given by sequence, and removes them. What the chain needs to pass over them is kept
// first, so the log verifies as before. Sequences that are not there any more are passed over; interrupted, it can be
// repeated. It returns how many frames are gone that were there. Errors are Scan's, or wrap ErrChain if the log does not fit
// its chain, which must be looked into before anything is erased.
func (l *Log) Erase(ctx context.Context, sequences []uint64) (erased int, err error) {
	if len(sequences) == 0 {
		return 0, nil
	}
	sequences = slices.Clone(sequences)
	slices.Sort(sequences)
	if _, err := l.ExtendChain(ctx); err != nil {
		return 0, err
	}
	if err := l.keepGaps(ctx, slices.Compact(sequences)); err != nil {
		return 0, err
	}
	if erased, err = eraseMessages(ctx, l.bronze, sequences); err != nil {
		return erased, err
	}
	return erased, l.forgetIDs(ctx)
}

// eraseMessages overwrites messages and removes them, and returns how many were there.
func eraseMessages(ctx context.Context, stream jetstream.Stream, sequences []uint64) (erased int, err error) {
	for _, seq := range sequences {
		there, err := eraseMessage(ctx, stream, seq)
		if err != nil {
			return erased, err
		}
		if there {
			erased++
		}
	}
	return erased, nil
}

// eraseMessage overwrites a message and removes it, and tells whether it was there.
func eraseMessage(ctx context.Context, stream jetstream.Stream, seq uint64) (there bool, err error) {
	err = stream.SecureDeleteMsg(ctx, seq)
	if err == nil {
		return true, nil
	}
	if _, missing := stream.GetMsg(ctx, seq); errors.Is(missing, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return false, fmt.Errorf("streams: erase sequence %d of %s: %w", seq, stream.CachedInfo().Config.Name, err)
}

// keepGaps stores a gap for each run of the sequences, by following the chain past them.
func (l *Log) keepGaps(ctx context.Context, sequences []uint64) error {
	gaps, err := l.Gaps(ctx)
	if err != nil {
		return err
	}
	kept, err := l.Checkpoints(ctx)
	if err != nil {
		return err
	}
	info, err := l.bronze.Info(ctx)
	if err != nil {
		return scanError(err)
	}
	e := eraser{verifier: verifier{report: &ChainReport{FirstSeq: max(1, info.State.FirstSeq), LastSeq: info.State.LastSeq}}, sequences: sequences}
	e.begin(kept, gaps, nil)
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{FromSeq: e.at.Seq + 1, ToSeq: sequences[len(sequences)-1]}) {
		if err != nil {
			return err
		}
		e.next(m)
	}
	e.close()
	if len(e.report.Breaks) > 0 {
		b := e.report.Breaks[0]
		return fmt.Errorf("%w: frames %d to %d: %s: see `assay audit --chain`", ErrChain, b.From, b.To, b.Reason)
	}
	for _, g := range e.runs {
		if slices.ContainsFunc(gaps, g.within) {
			continue // from an erasure that was interrupted
		}
		if err := l.keepGap(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

// eraser follows the chain and notes the runs of sequences.
type eraser struct {
	verifier
	sequences []uint64 // still to come
	open      *Gap     // the run that the last frame belongs to
	runs      []Gap
}

func (e *eraser) next(m Message) {
	for len(e.sequences) > 0 && e.sequences[0] < m.Seq {
		e.sequences = e.sequences[1:] // it is gone already
	}
	mine := len(e.sequences) > 0 && e.sequences[0] == m.Seq
	if e.open != nil && (!mine || e.open.After.Seq+1 != m.Seq) {
		e.close()
	}
	e.frame(m)
	switch {
	case mine && e.open == nil:
		e.open = &Gap{From: m.Seq, After: e.at}
	case mine:
		e.open.After = e.at
	}
}

func (e *eraser) close() {
	if e.open != nil {
		e.runs = append(e.runs, *e.open)
		e.open = nil
	}
}

// forgetIDs makes the server forget the ids of messages that it has seen lately. Else it would take a frame that comes again
// for one that it has, and answer that it is stored.
//
// A change of the window sets off the purge of what is older, and takes effect at about the same time: the purge may still
// go by the window before. So the window is made short twice, and whichever the second purge goes by, it is short.
// It does not end with ctx, which may be a client's that goes away: the log must not be left with a window so short that a retry
// is not recognised.
func (l *Log) forgetIDs(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetIDsTimeout)
	defer cancel()
	window := l.bronze.CachedInfo().Config.Duplicates
	if window <= duplicateWindowMin+time.Millisecond { // a process ended right here
		window = l.cfg.DuplicateWindow
	}
	defer func() { err = errors.Join(err, l.setDuplicateWindow(ctx, window)) }()
	for _, short := range []time.Duration{duplicateWindowMin, duplicateWindowMin + time.Millisecond} {
		if err := l.setDuplicateWindow(ctx, short); err != nil {
			return err
		}
		timer := time.NewTimer(2 * duplicateWindowMin)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
	return nil
}

func (l *Log) setDuplicateWindow(ctx context.Context, window time.Duration) error {
	cfg := l.bronze.CachedInfo().Config
	cfg.Duplicates = window
	if _, err := l.js.UpdateStream(ctx, cfg); err != nil {
		return fmt.Errorf("streams: forget the ids of erased frames: %w", err)
	}
	return nil
}
