// Package replay writes what the log holds back out, byte for byte as it was captured.
package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"
	"unicode/utf8"

	"assay/streams"
)

// Selection says what to replay and how fast.
type Selection struct {
	Subjects       []string // filters on subjects; none: all
	Stream         string   // only this source stream; "": all
	FromSeq, ToSeq uint64
	From, To       time.Time
	Speed          float64 // times the pace of the recording; 0: flat out
	JSON           bool    // one JSON object a frame instead of the bytes alone
}

// pauseMax is the longest wait between two frames: a night between two sessions is not replayed.
const pauseMax = 10 * time.Second

// Write writes the bodies of the selected frames to w, in the order of the log; between two that are not pieces of one body
// there is a line break. Errors wrap ErrStream where the selection names a stream and has no frame of it.
func Write(ctx context.Context, w io.Writer, log *streams.Log, s Selection) error {
	var last *streams.Frame
	for f, err := range s.framesWithin(ctx, log, tailsMax) {
		if err != nil {
			return err
		}
		if last != nil {
			if err := pause(ctx, w, s.Speed, last.Captured, f.Captured); err != nil {
				return err
			}
		}
		body := f.Body
		switch {
		case s.JSON:
			body = f.json()
		case last != nil && apart(last, f.Frame):
			body = append([]byte{'\n'}, body...)
		}
		if _, err := w.Write(body); err != nil {
			return fmt.Errorf("replay: %w", err)
		}
		last = f.Frame
	}
	if last == nil {
		return s.nothing()
	}
	return nil
}

// apart reports whether a line break belongs between two frames: where the first does not end with one, and the second is no
// piece of the same body.
func apart(last, next *streams.Frame) bool {
	if len(last.Body) == 0 || last.Body[len(last.Body)-1] == '\n' || last.Body[len(last.Body)-1] == '\r' {
		return false
	}
	return last.Stream != next.Stream || last.Exchange != next.Exchange || last.Side != next.Side || last.ContentType != next.ContentType
}

// nothing is the error of a selection without frames; nil if it names no stream.
func (s Selection) nothing() error {
	if s.Stream == "" {
		return nil
	}
	return fmt.Errorf("%w %q in the selection: source streams are named by `assay replay --json` and by the hits of recall", ErrStream, s.Stream)
}

// selected is a frame with its place in the log.
type selected struct {
	*streams.Frame
	seq uint64
}

// json renders a frame as one line.
func (f selected) json() []byte {
	line := struct {
		Seq         uint64    `json:"seq"`
		Source      string    `json:"source"`
		Workflow    string    `json:"workflow"`
		Stream      string    `json:"stream"`
		Position    uint64    `json:"position"`
		Count       int       `json:"count"`
		ContentType string    `json:"content_type"`
		Captured    time.Time `json:"captured"`
		Exchange    string    `json:"exchange,omitempty"`
		Side        string    `json:"side,omitempty"`
		Shed        float64   `json:"shed,omitempty"`
		Body        *string   `json:"body,omitempty"`        // where it is UTF-8
		Base64      []byte    `json:"body_base64,omitempty"` // else
	}{
		Seq: f.seq, Source: string(f.Source), Workflow: f.Workflow, Stream: f.Stream, Position: f.Position, Count: f.Count,
		ContentType: f.ContentType, Captured: f.Captured, Exchange: f.Exchange, Side: string(f.Side), Shed: f.Shed,
	}
	if text := string(f.Body); utf8.ValidString(text) {
		line.Body = &text
	} else {
		line.Base64 = f.Body
	}
	b, _ := json.Marshal(line) // it has a JSON form
	return append(b, '\n')
}

// frames yields the selected frames, in the order of the log, each byte of a stream once. It stops after an error.
func (s Selection) frames(ctx context.Context, log *streams.Log) iter.Seq2[*streams.Frame, error] {
	return func(yield func(*streams.Frame, error) bool) {
		for f, err := range s.framesWithin(ctx, log, tailsMax) {
			if !yield(f.Frame, err) {
				return
			}
		}
	}
}

// framesWithin is frames with a limit on the tails that are looked into at a time.
func (s Selection) framesWithin(ctx context.Context, log *streams.Log, tailsMax int) iter.Seq2[selected, error] {
	options := streams.ReplayOptions{Subjects: s.Subjects, FromSeq: s.FromSeq, ToSeq: s.ToSeq, From: s.From, To: s.To}
	ends := tails{log: log, among: options, max: tailsMax}
	return func(yield func(selected, error) bool) {
		for m, err := range streams.Scan(ctx, log.Bronze(), options) {
			if err != nil {
				yield(selected{}, fmt.Errorf("replay: %w", err))
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
			if !yield(selected{frame, m.Seq}, err) || err != nil {
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
