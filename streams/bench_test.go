package streams

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// benchBody is the size of a frame's body in bytes.
const benchBody = 300

// benchFramesMax is how many frames one run of BenchmarkPublish publishes.
const benchFramesMax = 20_000

// BenchmarkPublish measures durable frames per second: concurrent streams through the Publisher, each with some frames
// under way as a capture has, and, in turn with it, the same frames straight to the server in full batches. of-bare is the
// one by the other.
func BenchmarkPublish(b *testing.B) {
	for _, streams := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			var through, bare time.Duration
			var stats PublisherStats
			for range b.N {
				n, frames := startNode(b, b.TempDir(), DefaultConfig()), benchFrames(benchFramesMax)
				begun := time.Now()
				publishBare(b, n, frames)
				bare += time.Since(begun)

				n = startNode(b, b.TempDir(), DefaultConfig())
				p := n.publisher(b, PublisherConfig{})
				begun = time.Now()
				publishConcurrently(b, p, frames, streams)
				through += time.Since(begun)
				stats = p.Stats()
			}
			frames := float64(b.N * benchFramesMax)
			b.ReportMetric(frames/through.Seconds(), "frames/s")
			b.ReportMetric(frames/bare.Seconds(), "bare-frames/s")
			b.ReportMetric(bare.Seconds()/through.Seconds(), "of-bare")
			b.ReportMetric(float64(stats.Frames)/float64(stats.Batches+stats.Singles), "frames/commit")
			b.ReportMetric(0, "ns/op") // of setting up two servers, too
		})
	}
}

// publishBare hands frames to the server in batches as large as it takes.
func publishBare(b *testing.B, n *node, frames []*Frame) {
	for batch := range slices.Chunk(frames, batchFramesMax) {
		msgs := make([]*nats.Msg, len(batch))
		for i, f := range batch {
			msgs[i] = f.Msg()
		}
		if _, err := jetstreamext.PublishMsgBatch(context.Background(), n.JetStream(), msgs); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit shows from which size an atomic batch pays: batchFramesMin.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 4, 16, 64} {
		for name, store := range map[string]func(*Publisher, context.Context, []*nats.Msg) ([]Ack, error){
			"batch": (*Publisher).storeBatch, "singly": (*Publisher).storeSingly,
		} {
			b.Run(fmt.Sprintf("%s/frames=%d", name, size), func(b *testing.B) {
				p := startNode(b, b.TempDir(), DefaultConfig()).publisher(b, PublisherConfig{})
				frames := benchFrames(b.N * size)
				b.ResetTimer()
				for ; len(frames) > 0; frames = frames[size:] {
					msgs := make([]*nats.Msg, size)
					for i := range msgs {
						msgs[i] = frames[i].Msg()
					}
					if _, err := store(p, context.Background(), msgs); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkReplay(b *testing.B) {
	n := startNode(b, b.TempDir(), DefaultConfig())
	publishConcurrently(b, n.publisher(b, PublisherConfig{}), benchFrames(b.N), 16)
	b.ResetTimer()
	read := 0
	for _, err := range n.Replay(context.Background(), ReplayOptions{}) {
		if err != nil {
			b.Fatal(err)
		}
		read++
	}
	b.StopTimer()
	if read != b.N {
		b.Fatalf("%d frames read; want %d", read, b.N)
	}
	report(b)
}

// publishConcurrently deals the frames out to streams; all together have about two batches under way.
func publishConcurrently(b *testing.B, p *Publisher, frames []*Frame, streams int) {
	window := max(8, 2*batchFramesMax/streams)
	var wg sync.WaitGroup
	for s := range streams {
		wg.Go(func() {
			var receipts []*Receipt
			for i := s; i < len(frames); i += streams {
				receipts = append(receipts, p.Send(context.Background(), frames[i]))
				if len(receipts) == window {
					wait(b, receipts[0])
					receipts = receipts[1:]
				}
			}
			for _, r := range receipts {
				wait(b, r)
			}
		})
	}
	wg.Wait()
}

func wait(b *testing.B, r *Receipt) {
	if _, err := r.Wait(context.Background()); err != nil {
		b.Error(err)
	}
}

func benchFrames(n int) []*Frame {
	frames := make([]*Frame, n)
	for i := range frames {
		f := testFrame("bench", i)
		f.Body = append(f.Body, make([]byte, benchBody-len(f.Body))...)
		frames[i] = f
	}
	return frames
}

func report(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s") }
