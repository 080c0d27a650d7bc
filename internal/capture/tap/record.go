package tap

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

// recording turns what passed into the events of one stream: each message is a line of the side that sent it, in the
// order in which the messages were whole.
type recording struct {
	recorder *capture.Recorder
	lines    map[streams.Side]*framing.Splitter
	last     map[streams.Side]time.Time // when a side was heard last
	turns    turns
	report   func(error)
}

// record takes the session out of the queue and into the log until the queue is closed and empty, or recording fails;
// then it closes the queue, so that the session goes on without.
func record(ctx context.Context, q *queue, opts Options) (capture.Result, error) {
	limit := opts.Limits.Defaults().EventBytes
	r := recording{
		recorder: capture.New(ctx, opts.Publisher, capture.Options{
			Source: streams.SourceJSONRPC, Format: framing.NDJSON, Workflow: opts.Workflow, Stream: opts.Stream,
			Limits: opts.Limits, Live: true,
		}),
		lines: map[streams.Side]*framing.Splitter{
			streams.SideClient: framing.NewSplitter(framing.NDJSON, limit),
			streams.SideServer: framing.NewSplitter(framing.NDJSON, limit),
		},
		last:   map[streams.Side]time.Time{},
		report: opts.Report,
	}
	err := r.drain(q)
	q.close()
	result, closeErr := r.recorder.Close(ctx)
	if closeErr != nil {
		err = closeErr
	}
	return result, err
}

// drain records until the queue ends. The recorder's failure comes from its Close.
func (r *recording) drain(q *queue) error {
	for {
		c, ok, err := q.take()
		if err != nil {
			return err
		}
		if !ok {
			r.tails()
			return nil
		}
		r.last[c.side] = c.at
		for line, err := range r.lines[c.side].Write(c.data) {
			if err != nil {
				r.report(err) // the message is left out; it passed all the same
			} else if !r.write(c.side, line.Raw) {
				return nil
			}
		}
	}
}

// tails records what the sides had begun when the session ended.
func (r *recording) tails() {
	for _, side := range []streams.Side{streams.SideClient, streams.SideServer} {
		if tail := r.lines[side].Tail(); len(tail.Raw) > 0 && !r.write(side, tail.Raw) {
			return
		}
	}
}

// write records a line as of when its last bytes passed. It reports whether the recorder goes on.
func (r *recording) write(side streams.Side, line []byte) bool {
	if err := r.recorder.From(side); err != nil {
		return false
	}
	if err := r.recorder.In(r.turns.of(side, line)); err != nil {
		return false
	}
	r.recorder.At(r.last[side])
	_, err := r.recorder.Write(line)
	return err == nil
}

// exitEvent tells how the server ended, as a state event of its own stream; the intent is the session. It ended well if it was told to.
func exitEvent(opts Options, code int, well bool, at time.Time) *streams.Frame {
	event := struct {
		Type      string    `json:"type"`
		IntentID  string    `json:"intent_id"`
		Timestamp time.Time `json:"timestamp"`
		Command   string    `json:"command"` // its name alone, for arguments may hold secrets
		ExitCode  int       `json:"exit_code"`
		Status    string    `json:"status"`
		Error     string    `json:"error,omitempty"`
		Text      string    `json:"text"`
	}{Type: "process_exited", IntentID: opts.Stream, Timestamp: at.UTC(), Command: filepath.Base(opts.Command[0]), ExitCode: code, Status: "ok"}
	event.Text = fmt.Sprintf("%s ended with exit code %d", event.Command, code)
	if !well {
		event.Status, event.Error = "error", fmt.Sprintf("exit code %d", code)
	}
	body, _ := json.Marshal(event) // it has a JSON form
	return &streams.Frame{
		Source: streams.SourceEvent, Workflow: opts.Workflow, ContentType: streams.ContentJSON, Stream: opts.Stream + "/exit",
		Count: 1, Captured: at, Body: body,
	}
}
