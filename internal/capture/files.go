package capture

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"assay/internal/capture/framing"
	"assay/streams"
)

// Files are captured side by side, as many as may hold fileBytes each on their way to the log: with enough of them frames are
// written in batches, with one sync for all.
const (
	filesAtOnceMin = 8
	filesAtOnceMax = 64
	fileBytes      = 256 << 10
)

// Files captures files into the log. A file that was captured before, or in part, is gone through again, but only what
// the log does not have is published.
type Files struct {
	Publisher Publisher
	Stored    Stored         // nil: nothing is stored
	Source    streams.Source // of all files; "": each is recognised
	Map       string         // as in Options, of state events
	Limits    Limits
	InFlight  int64                   // limit, in bytes; default InFlightBytesMax
	Shed      func() float64          // as in Options
	Progress  func(bytes, events int) // as in Options, but from several goroutines; bytes passed over count too

	growing bool // an unfinished last line is left for later
}

// Total sums up what Files brought into the log.
type Total struct {
	Files  int
	Given  map[string]int // files by the path that led to them
	Frames int
	Stored int // of Frames, those that the log had already
	Events int
	Bytes  int64
}

// Capture reads the inputs, several at once, and answers when all is durable. Files at fault, wholly or in part, are
// reported as problems while the rest goes on; the error is for the log's refusal, or the end of ctx, which end it all.
func (f *Files) Capture(ctx context.Context, inputs []Input) (Total, []Problem, error) {
	c := fileCapture{Files: f, budget: NewBudget(cmp.Or(f.InFlight, InFlightBytesMax)), total: Total{Given: map[string]int{}}}
	// Files of one name come one after the other, so that each finds in the log what those before it brought.
	named := map[string]bool{}
	var first, again []Input
	for _, in := range inputs {
		if named[in.Stream] {
			again = append(again, in)
		} else {
			first = append(first, in)
		}
		named[in.Stream] = true
	}
	err := c.files(ctx, first)
	for _, in := range again {
		if err == nil {
			err = c.files(ctx, []Input{in})
		}
	}
	return c.total, c.problems, err
}

func (c *fileCapture) files(ctx context.Context, inputs []Input) error {
	c.stored = newLookup(c.Stored, inputs)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(max(filesAtOnceMin, int(c.budget.size/fileBytes)), filesAtOnceMax))
	for _, in := range inputs {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return c.file(ctx, in) })
	}
	return group.Wait()
}

// Unserved adds to the problems of a capture what is to be said of the given paths of which nothing was taken: for these a
// notice is a problem, and so is that there was no file.
func Unserved(given []string, total Total, inputs []Input, problems []Problem) []Problem {
	for _, path := range given {
		if total.Given[path] > 0 {
			continue
		}
		silent := true
		for i, p := range problems {
			below := p.Path == path || slices.ContainsFunc(inputs, func(in Input) bool { return in.Given == path && in.Path == p.Path })
			if silent = silent && !below; below && p.Notice() {
				problems[i].Err = fmt.Errorf("nothing of it was taken: %w", p.Err)
				problems[i].given = true
			}
		}
		if silent {
			problems = append(problems, Problem{Path: path, Err: fmt.Errorf("%w: there is no file in it", ErrEmpty), given: true})
		}
	}
	return problems
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
	plain, encoding, err := unpack(bufio.NewReaderSize(file, headBytes))
	if err != nil {
		c.problem(in, err)
		return nil
	}
	defer plain.Close()
	reader := bufio.NewReaderSize(plain, headBytes)
	rec, err := c.recognise(in, reader)
	if err != nil {
		c.problem(in, err)
		return nil
	}
	opts := Options{
		Source: rec.source, Format: rec.format, Workflow: in.of(rec).Workflow, Stream: in.Stream,
		Map: mapOf(rec.source, c.Map), Limits: c.Limits, Shed: c.Shed, Budget: c.budget, Progress: c.Progress,
		TooLarge: func(position uint64, offset int64) { c.problem(in, tooLarge(position, offset, c.Limits)) },
	}
	if err := c.place(ctx, in.of(rec), content{file, encoding}, &opts); err != nil {
		return fmt.Errorf("%s: what the log has of it: %w", in.Path, err)
	}
	recorder := New(ctx, c.Publisher, opts)
	if err := pour(recorder, reader); err != nil {
		c.problem(in, err)
	}
	end := recorder.Close
	if c.growing && rec.format == framing.NDJSON && encoding == "" {
		end = recorder.Abandon
	}
	result, err := end(ctx)
	c.add(in, result)
	if err != nil {
		return fmt.Errorf("%s: %w", in.Path, err)
	}
	if result.Unfinished > 0 {
		c.problem(in, fmt.Errorf("%w: its last %d bytes lack the empty line that ends an event, so they are none", ErrUnfinished, result.Unfinished))
	}
	return nil
}

// mapOf is a mapping where it means something: of state events.
func mapOf(source streams.Source, text string) string {
	if source != streams.SourceEvent {
		return ""
	}
	return text
}

// place finds out what the log has of a file, and gives it a stream of another name if the log has a different file under
// this one: NAME~DIGEST, the digest of its first event, then NAME~DIGEST~2 and so on.
func (c *fileCapture) place(ctx context.Context, in Input, file content, opts *Options) (err error) {
	opts.Stored, err = c.stored.of(ctx, opts.Source, in)
	if err != nil || len(opts.Stored) == 0 {
		return err
	}
	var digest string
	for number := 1; ; number++ {
		if here, err := holds(ctx, file, *opts); err != nil || here {
			return err
		}
		if digest == "" {
			if digest, err = firstEvent(file, *opts); err != nil {
				return err
			}
		}
		opts.Stream = generationName(in.Stream+"~"+digest, number)
		if opts.Stored, err = c.Stored.of(ctx, opts.Source, opts.Workflow, opts.Stream); err != nil || number == generationsMax {
			return err
		}
	}
}

// firstEvent returns the beginning of the digest of a file's first event.
func firstEvent(file content, opts Options) (string, error) {
	reader, err := file.open()
	if err != nil {
		return "", err
	}
	defer reader.Close()
	split := framing.NewSplitter(opts.Format, opts.Limits.Defaults().EventBytes)
	buf, first := make([]byte, readBytes), []byte(nil)
	for first == nil {
		n, err := reader.Read(buf)
		for unit, err := range split.Write(buf[:n]) {
			if err == nil && unit.Events > 0 {
				first = bytes.Clone(unit.Raw)
				break
			}
		}
		if err != nil && first == nil {
			if first = split.Tail().Raw; !errors.Is(err, io.EOF) {
				return "", err
			}
			break
		}
	}
	digest := sha256.Sum256(first)
	return hex.EncodeToString(digest[:4]), nil
}

func (c *fileCapture) recognise(in Input, reader *bufio.Reader) (recording, error) {
	first, err := Head(reader)
	if errors.Is(err, io.EOF) {
		return recording{}, fmt.Errorf("%w: it has no bytes", ErrEmpty)
	}
	if err != nil {
		return recording{}, err
	}
	return recognise(unpacked(in.Path), first, c.Source)
}

func (c *fileCapture) problem(in Input, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, Problem{Path: in.Path, Err: err})
}

func (c *fileCapture) add(in Input, r Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Files++
	c.total.Given[in.Given]++
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
