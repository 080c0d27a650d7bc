package tap

import (
	"context"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

// recording turns what passed into the events of one stream: each message is a line of the side that sent it, in the
// order in which the messages were whole.
type recording struct {
	recorder *capture.Recorder
	lines    map[streams.Side]*framing.Splitter
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

// write reports whether the recorder goes on.
func (r *recording) write(side streams.Side, line []byte) bool {
	if err := r.recorder.From(side); err != nil {
		return false
	}
	_, err := r.recorder.Write(line)
	return err == nil
}
