package outbox_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
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
	calls  int
	gate   func(context.Context, *streams.Frame) error
}

func (l *fakeLog) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	l.mu.Lock()
	l.calls++
	l.mu.Unlock()
	for i, f := range frames {
		if l.gate != nil {
			if err := l.gate(ctx, f); err != nil {
				return make([]streams.Ack, i), err
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

func open(t *testing.T, dir string, next capture.Publisher, opts outbox.Options) *outbox.Outbox {
	t.Helper()
	s, err := outbox.Open(dir, next, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(t *testing.T, s *outbox.Outbox, from, to int) {
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

// While the log is away nothing waits for it, nothing is lost, and who looks on is told once of either.
func TestSpoolOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		var attempts atomic.Int32
		log := &fakeLog{gate: func(context.Context, *streams.Frame) error {
			attempts.Add(1)
			if back.Load() {
				return nil
			}
			return capture.ErrRemote
		}}
		var told []error
		s := open(t, t.TempDir(), log, outbox.Options{Away: func(reason error) { told = append(told, reason) }})
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
		if len(told) != 2 || !errors.Is(told[0], capture.ErrRemote) || told[1] != nil {
			t.Errorf("told %v", told)
		}
	})
}

// An outbox that is closed while the log is away does not wait for it.
func TestSpoolClosesWhileTheLogIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &fakeLog{gate: func(context.Context, *streams.Frame) error { return capture.ErrRemote }}
		s := open(t, t.TempDir(), log, outbox.Options{})
		publish(t, s, 0, 1)
		time.Sleep(time.Hour)
		begun := time.Now()
		if err := s.Close(t.Context()); !errors.Is(err, outbox.ErrLeft) || time.Since(begun) > 0 {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

// The limit is on what waits: traffic that never drains wholly goes on for ever, and the disk's space is given back.
func TestSpoolLimitsWhatWaits(t *testing.T) {
	dir, pass := t.TempDir(), make(chan struct{})
	log := &fakeLog{gate: func(context.Context, *streams.Frame) error { <-pass; return nil }}
	s := open(t, dir, log, outbox.Options{BytesMax: 10_000, SegmentBytes: 2_000, Report: func(err error) { t.Error(err) }})
	const n = 300
	for i := range n {
		if _, err := s.Publish(context.Background(), frame(i, 1000)); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			pass <- struct{}{} // one behind
		}
		var size int64
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				size += info.Size()
			}
		}
		if size > 10_000+2*2_000 {
			t.Fatalf("%d bytes on disk after %d frames", size, i)
		}
	}
	close(pass)
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(log.frames) != n {
		t.Errorf("%d frames of %d arrived", len(log.frames), n)
	}
	wantEmpty(t, dir)
}

// How far it was sent survives a crash: at most the frames of one request are sent again.
func TestSpoolResendsLittleAfterACrash(t *testing.T) {
	dir, crashed := t.TempDir(), t.TempDir()
	arrived := make(chan struct{})
	log := &fakeLog{gate: func(context.Context, *streams.Frame) error { arrived <- struct{}{}; return nil }}
	s := open(t, dir, log, outbox.Options{})
	for i := range 100 {
		publish(t, s, i, i+1)
		<-arrived
	}
	if err := os.CopyFS(crashed, os.DirFS(dir)); err != nil { // the files as a crash leaves them
		t.Fatal(err)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	after := &fakeLog{}
	again := open(t, crashed, after, outbox.Options{})
	if err := again.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(after.frames) > 1 {
		t.Errorf("%d frames of 100 are sent again", len(after.frames))
	}
	wantEmpty(t, crashed)
}

// What gathers while the log is busy goes there together.
func TestSpoolSendsManyFramesAtATime(t *testing.T) {
	busy, begun := make(chan struct{}), make(chan struct{}, 1000)
	log := &fakeLog{gate: func(context.Context, *streams.Frame) error { begun <- struct{}{}; <-busy; return nil }}
	s := open(t, t.TempDir(), log, outbox.Options{})
	publish(t, s, 0, 1)
	<-begun
	publish(t, s, 1, 101)
	close(busy)
	if err := s.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	wantFrames(t, log, 101)
	if log.calls > 2 {
		t.Errorf("%d requests", log.calls)
	}
}

// A file of the version before, which had no header, is sent too.
func TestSpoolSendsAnOldFile(t *testing.T) {
	dir := t.TempDir()
	body := []byte(`{"Source":"event","Workflow":"w","ContentType":"application/json","Stream":"s","Count":1}` + "\n{}")
	record := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	record = binary.LittleEndian.AppendUint32(record, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	if err := os.WriteFile(filepath.Join(dir, "0.spool"), append(record, body...), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &fakeLog{}
	if err := open(t, dir, log, outbox.Options{}).Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if len(log.frames) != 1 || string(log.frames[0].Body) != "{}" || log.frames[0].Stream != "s" {
		t.Errorf("%+v", log.frames)
	}
	wantEmpty(t, dir)
}

// What one outbox leaves, the next one sends, also after a crash in the middle of a write.
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

// Whatever lies in the directory, an outbox takes the frames that it can read and goes on.
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
