package streams

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Stored is a frame of the log.
type Stored struct {
	Frame *Frame
	Seq   uint64
	Time  time.Time // when the log stored it, in UTC
}

// Replay reads frames of BRONZE in the order of their sequence, exactly as they were captured.
//
// An error that wraps ErrFrame concerns the one message of Seq, which a foreign client has published malformed; the
// reader may go on. Other errors are Scan's and end it.
func (l *Log) Replay(ctx context.Context, opts ReplayOptions) iter.Seq2[Stored, error] {
	return func(yield func(Stored, error) bool) {
		for m, err := range Scan(ctx, l.bronze, opts) {
			if err != nil {
				yield(Stored{}, err)
				return
			}
			frame, err := ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time)
			if err != nil {
				err = fmt.Errorf("sequence %d: %w", m.Seq, err)
			}
			if !yield(Stored{Frame: frame, Seq: m.Seq, Time: m.Time}, err) {
				return
			}
		}
	}
}

// StoredFrame is where a frame of a source stream is in the log.
type StoredFrame struct {
	Position uint64
	Count    int
	Seq      uint64
}

// StreamFrames returns which frames of some source streams the log has under a subject, by stream and Frame.ID. So a file
// that is ingested again, however much later, can leave out what is there. It takes one request if there is nothing under
// the subject, and otherwise reads the subject's headers, so ask once for all streams. Errors are Scan's.
func (l *Log) StreamFrames(ctx context.Context, subject string, streams ...string) (map[string]map[string]StoredFrame, error) {
	_, err := l.bronze.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, scanError(err)
	}
	frames := make(map[string]map[string]StoredFrame)
	for _, stream := range streams {
		frames[stream] = make(map[string]StoredFrame)
	}
	for m, err := range Scan(ctx, l.bronze, ReplayOptions{Subjects: []string{subject}, HeadersOnly: true}) {
		if err != nil {
			return nil, err
		}
		f, err := ParseFrame(m.Subject, m.Header, nil, m.Seq, m.Time)
		id := m.Header.Get(nats.MsgIdHdr)
		if err != nil || id == "" || frames[f.Stream] == nil {
			continue // a foreign client's, or another stream's of the workflow
		}
		frames[f.Stream][UnescapeHeader(id)] = StoredFrame{Position: f.Position, Count: f.Count, Seq: m.Seq}
	}
	return frames, nil
}

// StreamEnd returns the position after the last event of a source stream, as far as the frames behind the sequence after
// tell, and the last sequence under the subject, from which the next call may go on: so a caller who remembers both pays
// for what is new. Errors are Scan's.
func (l *Log) StreamEnd(ctx context.Context, subject, stream string, after uint64) (position, last uint64, err error) {
	newest, err := l.bronze.GetLastMsgForSubject(ctx, subject)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return 0, after, nil
	case err != nil:
		return 0, after, scanError(err)
	case newest.Sequence <= after:
		return 0, after, nil
	}
	opts := ReplayOptions{Subjects: []string{subject}, FromSeq: after + 1, ToSeq: newest.Sequence, HeadersOnly: true}
	for m, err := range Scan(ctx, l.bronze, opts) {
		if err != nil {
			return 0, after, err
		}
		if f, err := ParseFrame(m.Subject, m.Header, nil, m.Seq, m.Time); err == nil && f.Stream == stream {
			position = max(position, f.Position+uint64(f.Count))
		}
	}
	return position, newest.Sequence, nil
}

// parseUint reads a number of a header, or returns what to take it for.
func parseUint(v string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(v, 10, 63); err == nil {
		return n
	}
	return otherwise
}
