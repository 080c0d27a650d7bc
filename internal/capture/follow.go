package capture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"assay/streams"
)

const (
	// generationsMax is how many files may have had the name of a followed one.
	generationsMax = 10_000
	// generationsAtOnce is after how many of them the log is asked at a time.
	generationsAtOnce = 100
)

// Follow captures a file and what is appended to it until ctx ends, as `tail -F` does. When another file takes its name,
// or it becomes shorter, what it had is captured to its end and the new content begins a source stream of its own:
// STREAM~2, then STREAM~3 and so on. Followed again, a file goes on in the stream that holds what it begins with.
func (l *Live) Follow(ctx context.Context, in Input) (total Result, err error) {
	for number := 1; ; number++ {
		file, err := openGrowing(ctx, in.Path, number > 1)
		if err != nil {
			return total, ignoreEnd(ctx, err)
		}
		result, err := l.lines(ctx, in, file, func(opts *Options) error {
			number, err = l.generation(ctx, opts, file, number)
			return err
		})
		err = errors.Join(err, file.Close())
		total.add(result)
		if err != nil || ctx.Err() != nil {
			return total, err
		}
	}
}

// generation sets the stream of a followed file, and what the log has of it: the first, from a number on, that is either
// new or wholly in the file. It returns that stream's number.
func (l *Live) generation(ctx context.Context, opts *Options, file *growing, number int) (int, error) {
	stream := opts.Stream
	for ; number < generationsMax; number += generationsAtOnce {
		names := make([]string, generationsAtOnce)
		for i := range names {
			names[i] = generationName(stream, number+i)
		}
		found, err := l.Stored.all(ctx, opts.Source, opts.Workflow, names...)
		if err != nil {
			return 0, err
		}
		for i, name := range names {
			opts.Stream, opts.Stored = name, found[name]
			if here, err := holds(ctx, content{file: file}, *opts); err != nil || here {
				return number + i, err
			}
		}
	}
	return 0, fmt.Errorf("capture: %s has been replaced %d times: follow it with another --stream", file.Name(), generationsMax)
}

func generationName(stream string, number int) string {
	if number == 1 {
		return stream
	}
	return fmt.Sprintf("%s~%d", stream, number)
}

// holds reports whether a file has all the events that the log has of a stream, in their order, from its beginning on.
func holds(ctx context.Context, file content, opts Options) (bool, error) {
	end := behind(opts.Stored)
	if end == 0 {
		return true, nil
	}
	reader, err := file.open()
	if err != nil {
		return false, err
	}
	defer reader.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lacking := &unstored{found: cancel}
	lacking.from.Store(math.MaxUint64)
	opts.Live, opts.Progress, opts.TooLarge = false, nil, func(uint64, int64) {}
	recorder := New(ctx, lacking, opts)
	err = pour(recorder, reader)
	result, recordErr := recorder.Abandon(ctx)
	if from := lacking.from.Load(); from != math.MaxUint64 {
		return from >= end, nil
	}
	return result.Next >= end, errors.Join(err, recordErr)
}

// unstored is a Publisher that only notes where the first frame begins that the log does not have.
type unstored struct {
	from  atomic.Uint64
	found context.CancelFunc
}

func (u *unstored) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	u.from.Store(min(u.from.Load(), frames[0].Position))
	u.found()
	return make([]streams.Ack, len(frames)), nil
}

// add counts what another stream brought; positions are the last one's.
func (r *Result) add(other Result) {
	other.Events += r.Events
	other.Frames += r.Frames
	other.Stored += r.Stored
	other.Bytes += r.Bytes
	other.Sequence = max(r.Sequence, other.Sequence)
	*r = other
}
