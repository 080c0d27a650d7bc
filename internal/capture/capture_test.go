package capture_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"assay/internal/capture"
	"assay/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a Publisher that keeps frames in memory, each id once as the log does.
type fakeLog struct {
	mu     sync.Mutex
	frames []*streams.Frame
	seen   map[string]uint64
	looked int                             // frames that end has looked at
	gate   func(ctx context.Context) error // called before each publish, may wait or fail
}

func (l *fakeLog) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	if l.gate != nil {
		if err := l.gate(ctx); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	acks := make([]streams.Ack, 0, len(frames))
	for _, f := range frames {
		seq, duplicate := l.seen[f.ID()]
		if !duplicate {
			if l.seen == nil {
				l.seen = map[string]uint64{}
			}
			l.frames = append(l.frames, f)
			seq = uint64(len(l.frames))
			l.seen[f.ID()] = seq
		}
		acks = append(acks, streams.Ack{Seq: seq, Duplicate: duplicate})
	}
	return acks, nil
}

// stream returns the frames of a source stream as the log has them.
func (l *fakeLog) stream(id string) (frames []*streams.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.frames {
		if f.Stream == id {
			frames = append(frames, f)
		}
	}
	return frames
}

func (l *fakeLog) stored(_ context.Context, _ string, ids ...string) (map[string]capture.Frames, error) {
	stored := map[string]capture.Frames{}
	for _, id := range ids {
		stored[id] = l.storedOf(id)
	}
	return stored, nil
}

// end is where a stream ends by the frames behind after; looked is how many frames it had to look at.
func (l *fakeLog) end(_ context.Context, subject, stream string, after uint64) (position, last uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.frames[after:] {
		l.looked++
		if f.Subject() == subject && f.Stream == stream {
			position = max(position, f.Position+uint64(f.Count))
		}
		last = after + uint64(i) + 1
	}
	return position, max(last, after), nil
}

func (l *fakeLog) storedOf(id string) capture.Frames {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := capture.Frames{}
	for i, f := range l.frames {
		if f.Stream == id {
			stored[f.ID()] = streams.StoredFrame{Position: f.Position, Count: f.Count, Seq: uint64(i) + 1}
		}
	}
	return stored
}

func (l *fakeLog) events(source streams.Source) (n int) {
	for _, f := range l.frames {
		if f.Source == source {
			n += f.Count
		}
	}
	return n
}

// body joins the frames in the order of their positions, which must leave no gap.
func body(t *testing.T, frames []*streams.Frame) (all []byte) {
	t.Helper()
	var next uint64
	for _, f := range frames {
		if f.Position != next {
			t.Fatalf("frame at position %d, want %d", f.Position, next)
		}
		next += uint64(f.Count)
		all = append(all, f.Body...)
	}
	return all
}

// dataDir finds the recordings beside the repository.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			err = fs.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	data := filepath.Join(dir, "..", "shared", "data")
	if _, missing := os.Stat(data); err != nil || missing != nil {
		t.Skip("the recordings in ../shared/data are not here")
	}
	return data
}

func problemOf(problems []capture.Problem, name string, target error) bool {
	return slices.ContainsFunc(problems, func(p capture.Problem) bool {
		return filepath.Base(p.Path) == name && errors.Is(p.Err, target)
	})
}
