package streams

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// benchBody is the size of a frame's body in bytes.
const benchBody = 300

// BenchmarkPublish measures durable frames per second: concurrent streams through the Publisher, each with some frames
// under way as a capture has, and the same frames straight to the server in full batches.
func BenchmarkPublish(b *testing.B) {
	for _, streams := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			n, frames := startNode(b, b.TempDir(), DefaultConfig()), benchFrames(b.N)
			p := n.publisher(b, PublisherConfig{})
			b.ResetTimer()
			publishConcurrently(b, p, frames, streams)
			b.StopTimer()
			report(b)
			stats := p.Stats()
			b.ReportMetric(float64(stats.Frames)/float64(stats.Batches+stats.Singles), "frames/commit")
		})
	}
	b.Run("bare", func(b *testing.B) {
		n, frames := startNode(b, b.TempDir(), DefaultConfig()), benchFrames(b.N)
		b.ResetTimer()
		for len(frames) > 0 {
			msgs := make([]*nats.Msg, min(batchFramesMax, len(frames)))
			for i := range msgs {
				msgs[i] = frames[i].Msg()
			}
			if _, err := jetstreamext.PublishMsgBatch(context.Background(), n.JetStream(), msgs); err != nil {
				b.Fatal(err)
			}
			frames = frames[len(msgs):]
		}
		b.StopTimer()
		report(b)
	})
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
