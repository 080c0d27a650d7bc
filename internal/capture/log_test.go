package capture_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"assay"
	"assay/internal/capture"
	"assay/streams"
)

// startLog starts an embedded server with a log and a publisher.
func startLog(t testing.TB) (*streams.Log, *streams.Publisher) {
	t.Helper()
	ctx := context.Background()
	server, err := streams.StartServer(ctx, streams.ServerConfig{DataDir: t.TempDir(), Config: assay.NATSConfig})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(ctx) })
	nc, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	log, err := streams.Open(ctx, nc, streams.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	publisher := log.NewPublisher(streams.PublisherConfig{})
	t.Cleanup(func() { _ = publisher.Close(ctx) })
	return log, publisher
}

// Against the real log: files of all sizes are captured whole, once, however often they are captured.
func TestCaptureIntoTheLog(t *testing.T) {
	log, publisher := startLog(t)
	dir := tree(t, map[string]string{
		"large.ndjson": `{"type":"t","pad":"` + strings.Repeat("x", capture.EventBytesMax-100) + `"}` + "\n" + lines(10, 10),
		"many.ndjson":  lines(20_000, 10),
		"rest.sse":     "data: 1\n\ndata: unfinished",
	})
	files := &capture.Files{Publisher: publisher, Stored: log.StreamFrames}
	for attempt := range 2 {
		total, problems := captureFiles(t, files, dir)
		if total.Events != 11+20_000+1 || len(problems) > 0 || attempt == 1 && total.Stored != total.Frames {
			t.Errorf("attempt %d: %+v, %v", attempt, total, problems)
		}
		info, err := log.Bronze().Info(context.Background())
		if err != nil || info.State.Msgs != uint64(total.Frames) {
			t.Errorf("%d frames in the log, %d captured, %v", info.State.Msgs, total.Frames, err)
		}
	}
}

// BenchmarkCapture compares recorders on several streams at once with the log alone, which publishes the same frames.
func BenchmarkCapture(b *testing.B) {
	const total = 64 << 20
	for _, streamsAtOnce := range []int{1, 16, 256} {
		data := []byte(lines(total/streamsAtOnce/300, 262))
		b.Run(fmt.Sprintf("recorders=%d", streamsAtOnce), func(b *testing.B) {
			_, publisher := startLog(b)
			b.SetBytes(int64(len(data) * streamsAtOnce))
			run := 0
			for b.Loop() {
				run++
				budget := capture.NewBudget(capture.InFlightBytesMax)
				atOnce(streamsAtOnce, func(i int) {
					opts := ndjson(fmt.Sprintf("%d-%d", run, i))
					opts.Budget, opts.Live = budget, true
					recordPieces(b, publisher, opts, data)
				})
			}
			b.ReportMetric(float64(run*streamsAtOnce*(total/streamsAtOnce/300))/b.Elapsed().Seconds(), "events/s")
		})
		b.Run(fmt.Sprintf("log=%d", streamsAtOnce), func(b *testing.B) {
			_, publisher := startLog(b)
			b.SetBytes(int64(len(data) * streamsAtOnce))
			run := 0
			for b.Loop() {
				run++
				atOnce(streamsAtOnce, func(i int) {
					var frames []*streams.Frame
					for n, rest := 0, data; len(rest) > 0; n++ {
						size := min(len(rest), capture.FrameBytes)
						frames = append(frames, &streams.Frame{Source: streams.SourceEvent, Workflow: "wf", ContentType: streams.ContentNDJSON,
							Stream: fmt.Sprintf("%d-%d", run, i), Position: uint64(n), Count: 1, Body: rest[:size]})
						rest = rest[size:]
					}
					if _, err := publisher.Publish(context.Background(), frames...); err != nil {
						b.Error(err)
					}
				})
			}
		})
	}
}

func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// recordPieces writes data as a file is read.
func recordPieces(b *testing.B, publisher capture.Publisher, opts capture.Options, data []byte) {
	recorder := capture.New(context.Background(), publisher, opts)
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 64<<10)
		if _, err := recorder.Write(rest[:n]); err != nil {
			break // Close returns it
		}
		rest = rest[n:]
	}
	if _, err := recorder.Close(context.Background()); err != nil {
		b.Error(err)
	}
}
