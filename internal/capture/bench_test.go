package capture_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"assay/internal/capture"
	"assay/streams"
)

// What one run of BenchmarkCapture captures, in all streams together.
const (
	benchBytes = 192 << 20
	benchEvent = 262 // bytes
)

// BenchmarkCapture measures durable events per second: several live streams through recorders at once, and, in turn with
// them, the frames that those made straight to the server in full batches. of-bare is the one by the other.
func BenchmarkCapture(b *testing.B) {
	for _, streamsAtOnce := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("streams=%d", streamsAtOnce), func(b *testing.B) {
			data := []byte(lines(benchBytes/streamsAtOnce/(benchEvent+38), benchEvent))
			var recorded, bare time.Duration
			var frames, events int
			for range b.N {
				_, publisher := startLog(b)
				kept := &keeping{Publisher: publisher}
				begun := time.Now()
				budget := capture.NewBudget(capture.InFlightBytesMax)
				atOnce(streamsAtOnce, func(i int) {
					opts := ndjson(fmt.Sprint(i))
					opts.Budget, opts.Live = budget, true
					recordPieces(b, kept, opts, data)
				})
				recorded += time.Since(begun)

				log, _ := startLog(b)
				begun = time.Now()
				publishBare(b, log, kept.frames)
				bare += time.Since(begun)
				frames += len(kept.frames)
				events += bytes.Count(data, []byte("\n")) * streamsAtOnce
			}
			b.ReportMetric(float64(frames)/recorded.Seconds(), "frames/s")
			b.ReportMetric(float64(events)/recorded.Seconds(), "events/s")
			b.ReportMetric(float64(frames)/bare.Seconds(), "bare-frames/s")
			b.ReportMetric(bare.Seconds()/recorded.Seconds(), "of-bare")
			b.ReportMetric(0, "ns/op") // of setting up two servers, too
		})
	}
}

// keeping is a Publisher that remembers what went through it.
type keeping struct {
	capture.Publisher
	mu     sync.Mutex
	frames []*streams.Frame
}

func (k *keeping) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	k.mu.Lock()
	k.frames = append(k.frames, frames...)
	k.mu.Unlock()
	return k.Publisher.Publish(ctx, frames...)
}

// publishBare hands frames to the server in atomic batches of as many bytes as a Publisher's.
func publishBare(b *testing.B, log *streams.Log, frames []*streams.Frame) {
	const batchBytes, batchFrames = 8 << 20, 1000
	var batch []*nats.Msg
	size := 0
	for i, f := range frames {
		batch = append(batch, f.Msg())
		if size += len(f.Body); size < batchBytes && len(batch) < batchFrames && i < len(frames)-1 {
			continue
		}
		if _, err := jetstreamext.PublishMsgBatch(context.Background(), log.JetStream(), batch); err != nil {
			b.Fatal(err)
		}
		batch, size = nil, 0
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
	for piece := range slices.Chunk(data, 64<<10) {
		if _, err := recorder.Write(piece); err != nil {
			break // Close returns it
		}
	}
	if _, err := recorder.Close(context.Background()); err != nil {
		b.Error(err)
	}
}

// BenchmarkLatency measures how long a lone event of a live stream takes to be durable, and, in turn with it, a lone frame
// straight to the server: the disk's sync. The difference is the linger.
func BenchmarkLatency(b *testing.B) {
	const events = 200
	log, publisher := startLog(b)
	durable := make(chan struct{})
	opts := ndjson("latency")
	opts.Live, opts.Progress = true, func(_, _ int) { durable <- struct{}{} }
	recorder := capture.New(context.Background(), publisher, opts)
	var lone, bare []time.Duration
	for i := range b.N * events {
		begun := time.Now()
		if _, err := fmt.Fprintf(recorder, `{"type":"t","n":%d}`+"\n", i); err != nil {
			b.Fatal(err)
		}
		<-durable
		lone = append(lone, time.Since(begun))

		frame := &streams.Frame{Source: streams.SourceEvent, Workflow: "bare", ContentType: streams.ContentNDJSON,
			Stream: "bare", Position: uint64(i), Count: 1, Captured: begun, Body: []byte("{}\n")}
		begun = time.Now()
		if _, err := log.JetStream().PublishMsg(context.Background(), frame.Msg()); err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(begun))
	}
	if _, err := recorder.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
	for name, all := range map[string][]time.Duration{"": lone, "bare-": bare} {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, name+"p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, name+"p99-ms")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGigabyte sends one body of 1 GB over HTTP into the log, and reports the most memory that this process, server and
// client, had from the system meanwhile. It fails above 256 MiB.
func BenchmarkGigabyte(b *testing.B) {
	const size, limit = 1_000_000_000, 256 << 20
	debug.FreeOSMemory() // what other benchmarks have left
	log, publisher := startLog(b)
	line := []byte(lines(1, 1000))
	for range b.N {
		watch := &memoryWatch{Publisher: publisher}
		server := serve(b, capture.HandlerOptions{Publisher: watch, Stored: log.StreamFrames})
		body := io.LimitReader(&repeat{line: line}, int64(size/len(line)*len(line)))
		if got := post(b, server, "event/w", body); got.status != http.StatusOK || got.Events != size/len(line) {
			b.Fatalf("%+v", got)
		}
		b.ReportMetric(float64(watch.most>>20), "MiB")
		if watch.most > limit {
			b.Errorf("%d MiB of memory for one body", watch.most>>20)
		}
	}
	b.SetBytes(size)
}

// memoryWatch is a Publisher that notes the memory that the process has from the system.
type memoryWatch struct {
	capture.Publisher
	most uint64
}

func (w *memoryWatch) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	w.most = max(w.most, stats.Sys-stats.HeapReleased)
	return w.Publisher.Publish(ctx, frames...)
}
