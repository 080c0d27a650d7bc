package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"assay/internal/capture"
	"assay/internal/capture/outbox"
	"assay/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a Publisher in memory.
type fakeLog struct {
	mu     sync.Mutex
	frames []*streams.Frame
	gate   func(context.Context, *streams.Frame) error
}

func (l *fakeLog) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	for _, f := range frames {
		if l.gate != nil {
			if err := l.gate(ctx, f); err != nil {
				return nil, err
			}
		}
		l.mu.Lock()
		l.frames = append(l.frames, f)
		l.mu.Unlock()
	}
	return make([]streams.Ack, len(frames)), nil
}

// frame is the i-th frame of a stream, with a body of some size.
func frame(i, size int) *streams.Frame {
	return &streams.Frame{
		Source: streams.SourceJSONRPC, Workflow: "w\n", ContentType: streams.ContentNDJSON, Stream: "s", Position: uint64(i),
		Count: 1, Captured: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Shed: 0.5, Side: streams.SideServer,
		Body: fmt.Appendf(nil, "%*d\n\x00\xff", size, i),
	}
}

func open(t *testing.T, dir string, next capture.Publisher, opts outbox.Options) *outbox.Spool {
	t.Helper()
	s, err := outbox.Open(dir, next, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(t *testing.T, s *outbox.Spool, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := s.Publish(context.Background(), frame(i, 10)); err != nil {
			t.Fatal(err)
		}
	}
}

// wantFrames checks that the log has exactly the first n frames, whole and in order.
func wantFrames(t *testing.T, log *fakeLog, n int) {
	t.Helper()
	if len(log.frames) != n {
		t.Fatalf("%d frames, want %d", len(log.frames), n)
	}
	for i, f := range log.frames {
		if !reflect.DeepEqual(f, frame(i, 10)) {
			t.Errorf("frame %d is %+v", i, f)
		}
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestSpoolSendsOnInOrder(t *testing.T) {
	log, dir := &fakeLog{}, t.TempDir()
	s := open(t, dir, log, outbox.Options{})
	publish(t, s, 0, 100)
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, log, 100)
	wantEmpty(t, dir)
	if _, err := s.Publish(context.Background()); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if err := s.Close(context.Background()); !errors.Is(err, outbox.ErrClosed) {
		t.Errorf("Close after Close: %v", err)
	}
}

// While the log is away nothing waits for it, and nothing is lost.
func TestSpoolOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		var attempts atomic.Int32
		log := &fakeLog{gate: func(context.Context, *streams.Frame) error {
			if back.Load() {
				return nil
			}
			return capture.ErrRemote
		}}
		s := open(t, t.TempDir(), log, outbox.Options{Report: func(error) { attempts.Add(1) }})
		publish(t, s, 0, 50)
		time.Sleep(time.Hour)
		if n := attempts.Load(); n < 10 || n > 500 {
			t.Errorf("%d attempts in an hour", n)
		}
		publish(t, s, 50, 100)
		back.Store(true)
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantFrames(t, log, 100)
	})
}

// What one spool leaves, the next one sends, also after a crash in the middle of a write.
func TestSpoolSendsWhatAnotherLeft(t *testing.T) {
	dir := t.TempDir()
	dead := &fakeLog{gate: func(ctx context.Context, _ *streams.Frame) error { <-ctx.Done(); return ctx.Err() }}
	s := open(t, dir, dead, outbox.Options{})
	publish(t, s, 0, 20)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, outbox.ErrLeft) {
		t.Fatalf("Close: %v, want ErrLeft", err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*.spool"))
	file, err := os.OpenFile(left[0], os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = file.WriteString("\x40\x00\x00\x00torn")
	_ = file.Close()

	log := &fakeLog{}
	s = open(t, dir, log, outbox.Options{})
	publish(t, s, 20, 30)
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, log, 30)
	wantEmpty(t, dir)
}

// Two spools may share a directory; neither takes what the other still has.
func TestSpoolsShareADirectory(t *testing.T) {
	dir := t.TempDir()
	hold := make(chan struct{})
	slow := &fakeLog{gate: func(context.Context, *streams.Frame) error { <-hold; return nil }}
	first := open(t, dir, slow, outbox.Options{})
	publish(t, first, 0, 10)
	log := &fakeLog{}
	second := open(t, dir, log, outbox.Options{})
	if err := second.Close(context.Background()); err != nil || len(log.frames) != 0 {
		t.Errorf("%d frames taken from another spool, %v", len(log.frames), err)
	}
	close(hold)
	if err := first.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, slow, 10)
}

func TestSpoolReportsWhatItLoses(t *testing.T) {
	var mu sync.Mutex
	lost := map[error]int{}
	report := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		for _, kind := range []error{outbox.ErrFull, capture.ErrRefused} {
			if errors.Is(err, kind) {
				lost[kind]++
			}
		}
	}
	hold := make(chan struct{})
	log := &fakeLog{gate: func(_ context.Context, f *streams.Frame) error {
		<-hold
		if f.Position == 1 {
			return capture.ErrRefused
		}
		return nil
	}}
	s := open(t, t.TempDir(), log, outbox.Options{BytesMax: 10_000, Report: report})
	for i := range 5 {
		if _, err := s.Publish(context.Background(), frame(i, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	close(hold)
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(log.frames) != 2 || lost[outbox.ErrFull] != 2 || lost[capture.ErrRefused] != 1 {
		t.Errorf("%d frames arrived, lost %v", len(log.frames), lost)
	}
}

// Whatever lies in the directory, a spool takes the frames that it can read and goes on.
func FuzzSpoolReadsAnything(f *testing.F) {
	f.Add([]byte{})
	f.Add(make([]byte, 64))
	f.Add([]byte("\x05\x00\x00\x00\x00\x00\x00\x00hello"))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "a.spool"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		log := &fakeLog{}
		s := open(t, dir, log, outbox.Options{})
		publish(t, s, 0, 1)
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if len(log.frames) == 0 || !reflect.DeepEqual(log.frames[len(log.frames)-1], frame(0, 10)) {
			t.Errorf("%d frames", len(log.frames))
		}
	})
}
