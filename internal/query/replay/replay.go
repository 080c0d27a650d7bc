// Package replay writes what the log holds back out, byte for byte as it was captured.
package replay

import (
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"assay/streams"
)

// Selection says what to replay and how fast.
type Selection struct {
	Subjects       []string // filters on subjects; none: all
	Stream         string   // only this source stream; "": all
	FromSeq, ToSeq uint64
	From, To       time.Time
	Speed          float64 // times the pace of the recording; 0: flat out
}

// pauseMax is the longest wait between two frames: a night between two sessions is not replayed.
const pauseMax = 10 * time.Second

// Write writes the bodies of the selected frames to w, in the order of the log.
func Write(ctx context.Context, w io.Writer, log *streams.Log, s Selection) error {
	var last time.Time
	for frame, err := range s.frames(ctx, log) {
		if err != nil {
			return err
		}
		if err := pause(ctx, w, s.Speed, last, frame.Captured); err != nil {
			return err
		}
		last = frame.Captured
		if _, err := w.Write(frame.Body); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	return nil
}

// frames yields the selected frames, in the order of the log, each byte of a stream once. It stops after an error.
func (s Selection) frames(ctx context.Context, log *streams.Log) iter.Seq2[*streams.Frame, error] {
	return s.framesWithin(ctx, log, tailsMax)
}

// framesWithin is frames with a limit on the tails that are looked into at a time.
func (s Selection) framesWithin(ctx context.Context, log *streams.Log, tailsMax int) iter.Seq2[*streams.Frame, error] {
	options := streams.ReplayOptions{Subjects: s.Subjects, FromSeq: s.FromSeq, ToSeq: s.ToSeq, From: s.From, To: s.To}
	ends := tails{log: log, among: options, max: tailsMax}
	return func(yield func(*streams.Frame, error) bool) {
		for m, err := range streams.Scan(ctx, log.Bronze(), options) {
			if err != nil {
				yield(nil, fmt.Errorf("replay: %w", err))
				return
			}
			frame := frameOf(m)
			if s.Stream != "" && frame.Stream != s.Stream {
				continue
			}
			repeated, err := ends.leftOut(ctx, m.Seq, frame)
			if repeated && err == nil {
				continue
			}
			if !yield(frame, err) || err != nil {
				return
			}
		}
	}
}

// pause waits as long as the recording did between two frames, speeded up. What was written before goes out first.
func pause(ctx context.Context, w io.Writer, speed float64, last, next time.Time) error {
	if speed == 0 || last.IsZero() || !next.After(last) {
		return nil
	}
	if buffered, ok := w.(interface{ Flush() error }); ok {
		if err := buffered.Flush(); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
	}
	wait := time.NewTimer(min(pauseMax, time.Duration(float64(next.Sub(last))/speed)))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
