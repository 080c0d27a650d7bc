package capture_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

func ndjson(stream string) capture.Options {
	return capture.Options{Source: streams.SourceEvent, Format: framing.NDJSON, Workflow: "wf", Stream: stream}
}

// fataler is the part of testing.T and rapid.T that record needs.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// record writes data in chunks and closes the recorder.
func record(t fataler, log capture.Publisher, opts capture.Options, chunks ...string) capture.Result {
	t.Helper()
	r := capture.New(context.Background(), log, opts)
	for _, chunk := range chunks {
		if _, err := r.Write([]byte(chunk)); err != nil {
			t.Fatal(err)
		}
	}
	result, err := r.Close(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func lines(n int, size int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"type\":\"t\",\"i\":%d,\"pad\":%q}\n", i, strings.Repeat("x", size))
	}
	return b.String()
}

func TestRecorderKeepsBytesAndPositions(t *testing.T) {
	for name, test := range map[string]struct {
		format framing.Format
		data   string
		events int
		frames int
	}{
		"nothing":              {framing.NDJSON, "", 0, 0},
		"one line":             {framing.NDJSON, "{}\n", 1, 1},
		"no last terminator":   {framing.NDJSON, "{}\n{}", 2, 2},
		"batch counts each":    {framing.NDJSON, "[{},{}]\n{}\n", 3, 1},
		"blank lines":          {framing.NDJSON, "\n\n{}\n\n", 1, 1},
		"sse":                  {framing.SSE, ": hi\n\ndata: 1\n\ndata: 2\n\n", 2, 1},
		"sse unfinished":       {framing.SSE, "data: 1\n\ndata: 2\n", 1, 2},
		"document":             {framing.JSON, "{\n}\n", 1, 1},
		"cut by count":         {framing.NDJSON, strings.Repeat("{}\n", capture.FrameEventsMax+1), capture.FrameEventsMax + 1, 2},
		"cut by size":          {framing.NDJSON, lines(100, 10_000), 100, 4},
		"event beyond a frame": {framing.NDJSON, "{}\n" + lines(1, capture.FrameBytes) + "{}\n", 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{}
			opts := ndjson("s")
			opts.Format = test.format
			result := record(t, log, opts, test.data)
			if got := body(t, log.stream("s")); string(got) != test.data {
				t.Errorf("bytes differ: %.80q", got)
			}
			if result.Events != test.events || result.Frames != test.frames || result.Next != uint64(test.events) {
				t.Errorf("%+v, want %d events in %d frames", result, test.events, test.frames)
			}
		})
	}
}

// The frames of a stream depend on its bytes alone, not on how they arrive, and each is made once.
func TestRecorderCutsTheSameHoweverChunked(t *testing.T) {
	data := lines(300, 3_000)
	whole := &fakeLog{}
	record(t, whole, ndjson("s"), data)
	rapid.Check(t, func(t *rapid.T) {
		var chunks []string
		for rest := data; rest != ""; {
			n := rapid.IntRange(1, min(len(rest), 200_000)).Draw(t, "chunk")
			chunks, rest = append(chunks, rest[:n]), rest[n:]
		}
		log := &fakeLog{seen: map[string]uint64{}}
		for id, seq := range whole.seen {
			log.seen[id] = seq
		}
		record(t, log, ndjson("s"), chunks...)
		if len(log.frames) != 0 {
			t.Fatalf("%d frames differ", len(log.frames))
		}
	})
}

// However a stream was cut before, capturing it again publishes nothing, and a longer version only what is new.
func TestRecorderResumes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(rt, "events")
		more := rapid.IntRange(0, 10).Draw(rt, "new events")
		all := strings.SplitAfter(lines(n+more, 10), "\n")[:n+more]
		log := &fakeLog{}
		for i := 0; i < n; { // frames cut at random, as lingering does
			size := rapid.IntRange(1, n-i).Draw(rt, "frame")
			opts := ndjson("s")
			opts.Position = uint64(i)
			record(rt, log, opts, strings.Join(all[i:i+size], ""))
			i += size
		}
		before := len(log.frames)
		opts := ndjson("s")
		opts.Stored = log.storedOf("s")
		result := record(rt, log, opts, strings.Join(all, ""))
		if want := before + min(more, 1); len(log.frames) != want {
			rt.Fatalf("%d frames, want %d", len(log.frames), want)
		}
		if got := body(t, log.stream("s")); string(got) != strings.Join(all, "") {
			rt.Fatalf("bytes differ: %q", got)
		}
		if result.Events != n+more || result.Stored != before {
			rt.Fatalf("%+v, want %d events, %d frames stored before", result, n+more, before)
		}
	})
}

func TestRecorderPublishesWhatDiffers(t *testing.T) {
	log := &fakeLog{}
	record(t, log, ndjson("s"), "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n")
	opts := ndjson("s")
	opts.Stored = log.storedOf("s")
	result := record(t, log, opts, "{\"a\":1}\n{\"b\":2}\n{\"a\":3}\n{\"a\":4}\n")
	if len(log.frames) != 2 || result.Stored != 0 || string(log.frames[1].Body) != "{\"a\":1}\n{\"b\":2}\n{\"a\":3}\n{\"a\":4}\n" {
		t.Errorf("%d frames, %+v, last %q", len(log.frames), result, log.frames[len(log.frames)-1].Body)
	}
}

// An event of a live source waits for others, but no longer than Linger.
func TestRecorderLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &fakeLog{}
		opts := ndjson("s")
		opts.Live = true
		r := capture.New(t.Context(), log, opts)
		write := func(s string) {
			if _, err := r.Write([]byte(s)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		write("{\"i\":1}\n")
		write("{\"i\":2}\n{\"i\":")
		if len(log.stream("s")) != 0 {
			t.Error("published before the time to linger was over")
		}
		time.Sleep(capture.Linger)
		synctest.Wait()
		if frames := log.stream("s"); len(frames) != 1 || frames[0].Count != 2 {
			t.Errorf("%d frames after lingering, want one of both events", len(frames))
		}
		time.Sleep(time.Hour)
		write("3}\n")
		time.Sleep(capture.Linger)
		synctest.Wait()
		if frames := log.stream("s"); len(frames) != 2 || frames[1].Position != 2 {
			t.Errorf("%d frames, want a second one with the third event", len(frames))
		}
		if _, err := r.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// Heartbeats alone make no frames, so that two of the same bytes at the same position cannot be taken for one.
func TestRecorderKeepsHeartbeatsWithTheNextEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &fakeLog{}
		opts := ndjson("s")
		opts.Format, opts.Live = framing.SSE, true
		r := capture.New(t.Context(), log, opts)
		for range 3 {
			_, _ = r.Write([]byte(": ping\n\n"))
			time.Sleep(time.Second)
		}
		_, _ = r.Write([]byte("data: 1\n\n"))
		time.Sleep(time.Second)
		if _, err := r.Close(t.Context()); err != nil || len(log.frames) != 1 {
			t.Errorf("%d frames, %v", len(log.frames), err)
		}
	})
}

// A slow log makes Write wait; what waits is bounded by the budget.
func TestRecorderWaitsForASlowLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		log := &fakeLog{gate: func(context.Context) error { <-release; return nil }}
		opts := ndjson("s")
		opts.Budget = capture.NewBudget(2 * capture.FrameBytes)
		written := 0
		data := lines(1000, 10_000)
		done := make(chan error, 1)
		r := capture.New(t.Context(), log, opts)
		go func() {
			for rest := data; rest != ""; {
				n := min(len(rest), 32<<10)
				if _, err := r.Write([]byte(rest[:n])); err != nil {
					done <- err
					return
				}
				rest = rest[n:]
				written += n
			}
			_, err := r.Close(t.Context())
			done <- err
		}()
		synctest.Wait()
		if written > 4*capture.FrameBytes {
			t.Errorf("%d bytes were taken while the log stood still", written)
		}
		close(release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := body(t, log.stream("s")); string(got) != data {
			t.Error("bytes differ")
		}
	})
}

func TestRecorderReportsTheLogsFailure(t *testing.T) {
	log := &fakeLog{gate: func(context.Context) error { return streams.ErrFull }}
	budget := capture.NewBudget(capture.FrameBytes)
	opts := ndjson("s")
	opts.Budget = budget
	r := capture.New(context.Background(), log, opts)
	var err error
	for err == nil {
		_, err = r.Write([]byte(lines(10, 10_000)))
	}
	if !errors.Is(err, streams.ErrFull) {
		t.Errorf("Write: %v, want ErrFull", err)
	}
	if result, err := r.Close(context.Background()); !errors.Is(err, streams.ErrFull) || result.Events != 0 {
		t.Errorf("Close: %+v, %v, want nothing and ErrFull", result, err)
	}
	if _, err := r.Write(nil); !errors.Is(err, capture.ErrClosed) {
		t.Errorf("Write after Close: %v", err)
	}
	// The budget is whole again: another recorder gets its work done.
	opts.Stream = "other"
	record(t, &fakeLog{}, opts, lines(100, 10_000))
}

func TestRecorderStopsWithItsContext(t *testing.T) {
	log := &fakeLog{gate: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
	r := capture.New(context.Background(), log, ndjson("s"))
	if _, err := r.Write([]byte("{}\n")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close with an ended context: %v", err)
	}
}

func TestRecorderLeavesOutWhatIsTooLarge(t *testing.T) {
	data := "{\"i\":0}\n" + lines(1, 4096) + "{\"i\":2}\n"
	log := &fakeLog{}
	opts := ndjson("s")
	opts.Limits.EventBytes = 1024
	var at []uint64
	opts.TooLarge = func(position uint64, _ int64) { at = append(at, position) }
	result := record(t, log, opts, data[:900], data[900:])
	if len(at) != 1 || at[0] != 1 || result.Events != 2 || result.Next != 3 || log.frames[1].Position != 2 {
		t.Errorf("left out at %v, %+v", at, result)
	}
	opts.TooLarge = nil
	r := capture.New(context.Background(), log, opts)
	if _, err := r.Write([]byte(data)); !errors.Is(err, framing.ErrTooLarge) {
		t.Errorf("Write: %v, want ErrTooLarge", err)
	}
	if _, err := r.Abandon(context.Background()); !errors.Is(err, framing.ErrTooLarge) {
		t.Errorf("Abandon: %v, want ErrTooLarge", err)
	}
}

func TestRecorderAbandonsAnUnfinishedEvent(t *testing.T) {
	log := &fakeLog{}
	r := capture.New(context.Background(), log, ndjson("s"))
	_, _ = r.Write([]byte("{}\n{\"half\":"))
	if result, err := r.Abandon(context.Background()); err != nil || result.Events != 1 || string(log.frames[0].Body) != "{}\n" {
		t.Errorf("%+v, %v", result, err)
	}
}

func BenchmarkRecorder(b *testing.B) {
	data := []byte(lines(4000, 200))
	log := discard{}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r := capture.New(context.Background(), log, ndjson("s"))
		for chunk := range slices.Chunk(data, 64<<10) {
			_, _ = r.Write(chunk)
		}
		if _, err := r.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// discard is a Publisher that acknowledges all at once.
type discard struct{}

func (discard) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	return make([]streams.Ack, len(frames)), nil
}
