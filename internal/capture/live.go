package capture

import (
	"bufio"
	"context"
	"errors"
	"io"

	"assay/internal/capture/framing"
	"assay/streams"
)

// Live captures sources that grow while they are read, until they end or the context does; the latter is no error.
// Events are durable within Linger, and the log's write to disk, of their arrival. A stream that the log has in part is
// gone through from its beginning, and what the log has is passed over.
type Live struct {
	Publisher Publisher
	Stored    Stored         // nil: nothing is stored
	Source    streams.Source // "": recognised by the first line
	Map       string         // as in Options, of state events
	Limits    Limits
	Shed      func() float64          // as in Options
	Progress  func(bytes, events int) // as in Options
	Problem   func(Problem)           // if set, told of events too large to capture and of connections lost
}

// Reader captures what r gives, such as standard input; the Path of in is its name. What cannot be recognised is taken
// for events. A Read that does not return when ctx ends is left behind.
func (l *Live) Reader(ctx context.Context, in Input, r io.Reader) (Result, error) {
	return l.lines(ctx, in, newInterruptible(ctx, r), func(opts *Options) (err error) {
		opts.Stored, err = l.Stored.of(ctx, opts.Source, opts.Workflow, opts.Stream)
		return err
	})
}

// lines recognises and captures r, whose error is ctx's once that has ended. place finds out what the log has of it.
func (l *Live) lines(ctx context.Context, in Input, r io.Reader, place func(*Options) error) (Result, error) {
	reader := bufio.NewReaderSize(r, headBytes)
	first, err := Head(reader)
	if err != nil {
		return Result{}, ignoreEnd(ctx, err)
	}
	rec, err := recognise(in.Path, first, l.Source)
	if err != nil { // who pipes it in wants it captured
		rec = recording{source: streams.SourceEvent, format: framing.NDJSON}
	}
	opts := l.options(in.of(rec), rec)
	if err := place(&opts); err != nil {
		return Result{}, ignoreEnd(ctx, err)
	}
	publish, cancel := outlive(ctx)
	defer cancel()
	recorder := New(publish, l.Publisher, opts)
	readErr := pour(recorder, reader)
	end := recorder.Close
	if readErr != nil {
		end = recorder.Abandon // what is unfinished may be finished when the source is captured again
	}
	result, err := end(publish)
	return result, errors.Join(ignoreEnd(ctx, readErr), err)
}

func (l *Live) options(in Input, rec recording) Options {
	return Options{
		Source: rec.source, Format: rec.format, Workflow: in.Workflow, Stream: in.Stream,
		Map: mapOf(rec.source, l.Map), Limits: l.Limits, Live: true, Shed: l.Shed, Progress: l.Progress,
		TooLarge: func(position uint64, offset int64) { l.problem(in, tooLarge(position, offset, l.Limits)) },
	}
}

func (l *Live) problem(in Input, err error) {
	if l.Problem != nil {
		l.Problem(Problem{Path: in.Path, Err: err})
	}
}

// ignoreEnd drops errors that only say that the source or ctx has ended.
func ignoreEnd(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) || err != nil && ctx.Err() != nil {
		return nil
	}
	return err
}

// interruptible is a reader that fails when its context ends, even while a Read is under way.
type interruptible struct {
	ctx   context.Context
	reads chan read
	rest  read
}

// read is the outcome of one Read.
type read struct {
	data []byte
	err  error
}

func newInterruptible(ctx context.Context, r io.Reader) *interruptible {
	i := &interruptible{ctx: ctx, reads: make(chan read)}
	go i.pump(r)
	return i
}

func (i *interruptible) Read(p []byte) (int, error) {
	if len(i.rest.data) == 0 && i.rest.err == nil {
		select {
		case i.rest = <-i.reads:
		case <-i.ctx.Done():
			i.rest.err = context.Cause(i.ctx)
		}
	}
	n := copy(p, i.rest.data)
	i.rest.data = i.rest.data[n:]
	if len(i.rest.data) > 0 {
		return n, nil
	}
	return n, i.rest.err
}

// pump reads into two buffers by turns: one is being consumed while the other fills.
func (i *interruptible) pump(r io.Reader) {
	var buffers [2][readBytes]byte
	for turn := 0; ; turn = 1 - turn {
		n, err := r.Read(buffers[turn][:])
		select {
		case i.reads <- read{buffers[turn][:n], err}:
		case <-i.ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
