package capture

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"

	"assay/internal/capture/framing"
	"assay/streams"
)

// filesAtOnce is how many files are captured at the same time.
const filesAtOnce = 8

// Files captures files into the log. A file that was captured before, or in part, is gone through again, but only what
// the log does not have is published.
type Files struct {
	Publisher Publisher
	Stored    Stored         // nil: nothing is stored
	Source    streams.Source // of all files; "": each is recognised
	Limits    Limits
	InFlight  int64                   // limit, in bytes; default InFlightBytesMax
	Shed      func() float64          // as in Options
	Progress  func(bytes, events int) // as in Options, but from several goroutines; bytes passed over count too
}

// Total sums up what Files brought into the log.
type Total struct {
	Files  int
	Frames int
	Stored int // of Frames, those that the log had already
	Events int
	Bytes  int64
}

// Capture reads the inputs, several at once, and answers when all is durable. Files at fault, wholly or in part, are
// reported as problems while the rest goes on; the error is for the log's refusal, or the end of ctx, which end it all.
func (f *Files) Capture(ctx context.Context, inputs []Input) (Total, []Problem, error) {
	c := fileCapture{Files: f, budget: NewBudget(cmp.Or(f.InFlight, InFlightBytesMax)), stored: newLookup(f.Stored, inputs)}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(filesAtOnce)
	for _, in := range inputs {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return c.file(ctx, in) })
	}
	err := group.Wait()
	return c.total, c.problems, err
}

// fileCapture is one call of Capture.
type fileCapture struct {
	*Files
	budget *Budget
	stored *lookup

	mu       sync.Mutex // guards what follows
	total    Total
	problems []Problem
}

// file captures one file. Its error is fatal to all; what is wrong with the file itself is a problem.
func (c *fileCapture) file(ctx context.Context, in Input) error {
	defer c.stored.done(in)
	file, err := os.Open(in.Path)
	if err != nil {
		c.problem(in, err)
		return nil
	}
	defer file.Close()
	reader := bufio.NewReaderSize(file, headBytes)
	rec, err := c.recognise(in, reader)
	if err != nil {
		c.problem(in, err)
		return nil
	}
	stored, err := c.stored.of(ctx, rec.source, in.of(rec))
	if err != nil {
		return fmt.Errorf("%s: what the log has of it: %w", in.Path, err)
	}
	recorder := New(ctx, c.Publisher, Options{
		Source: rec.source, Format: rec.format, Workflow: in.of(rec).Workflow, Stream: in.Stream,
		Limits: c.Limits, Stored: stored, Shed: c.Shed, Budget: c.budget, Progress: c.Progress,
		TooLarge: func(position uint64, offset int64) { c.problem(in, tooLarge(position, offset, c.Limits)) },
	})
	if err := pour(recorder, reader); err != nil {
		c.problem(in, err)
	}
	result, err := recorder.Close(ctx)
	c.add(result)
	if err != nil {
		return fmt.Errorf("%s: %w", in.Path, err)
	}
	return nil
}

func (c *fileCapture) recognise(in Input, reader *bufio.Reader) (recording, error) {
	first, err := Head(reader)
	if errors.Is(err, io.EOF) {
		return recording{}, fmt.Errorf("%w: it has no bytes", ErrEmpty)
	}
	if err != nil {
		return recording{}, err
	}
	return recognise(in.Path, first, c.Source)
}

func (c *fileCapture) problem(in Input, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, Problem{in.Path, err})
}

func (c *fileCapture) add(r Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Files++
	c.total.Frames += r.Frames
	c.total.Stored += r.Stored
	c.total.Events += r.Events
	c.total.Bytes += r.Bytes
}

// tooLarge is the problem of an event that had to be left out.
func tooLarge(position uint64, offset int64, limits Limits) error {
	return fmt.Errorf("%w: event %d (from 0), at byte %d, has more than %d bytes and was left out; the others were captured;"+
		" shorten it, or keep its content elsewhere and refer to it", framing.ErrTooLarge, position, offset, limits.Defaults().EventBytes)
}

// readBytes is how much of an input is read at once.
const readBytes = 64 << 10

// pour writes all of r to the recorder and returns r's error. The recorder's, if that is what ends it, comes from Close.
func pour(recorder *Recorder, r io.Reader) error {
	buf := make([]byte, readBytes)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := recorder.Write(buf[:n]); err != nil {
				return nil
			}
		}
		if err != nil {
			return ignoreEOF(err)
		}
	}
}
