package silver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/capture/framing"
	"assay/streams"
)

// recordings returns frames of recorded model streams, each in a few copies under other names.
func recordings(b *testing.B) (frames []*streams.Frame) {
	b.Helper()
	files, err := filepath.Glob("../../../shared/data/sse/*.sse")
	if err != nil {
		b.Fatal(err)
	}
	if len(files) == 0 {
		b.Skip("no recordings at ../shared/data beside the repository")
	}
	for copies := range 8 {
		for _, file := range files {
			body, err := os.ReadFile(file)
			if err != nil {
				b.Fatal(err)
			}
			name := fmt.Sprintf("%d/%s", copies, filepath.Base(file))
			frames = append(frames, &streams.Frame{
				Source: streams.SourceSSE, ContentType: streams.ContentSSE, Workflow: name, Stream: name,
				Count: framing.Count(framing.SSE, body, true), Captured: time.Unix(1_700_000_000, 0), Body: body,
			})
		}
	}
	return frames
}

// BenchmarkSilver takes recorded streams from frames to published batches, in turn with fetching and acknowledging the
// same frames and nothing else. x-fetch is how many times as long it takes.
func BenchmarkSilver(b *testing.B) {
	frames := recordings(b)
	bytes, events := 0, 0
	for _, f := range frames {
		bytes, events = bytes+len(f.Body), events+f.Count
	}
	bed := newBed(b)
	bed.putFrames(b, frames...)
	var fetching, processing time.Duration
	for b.Loop() {
		c := bed.consumer(b, bed.conn, time.Minute)
		begun := time.Now()
		fetchAll(b, c, len(frames))
		bed.drained(b, c)
		fetching += time.Since(begun)

		c = bed.consumer(b, bed.conn, time.Minute)
		begun = time.Now()
		bed.process(b, bed.options(), c)
		processing += time.Since(begun)
		if err := bed.Silver().Purge(testContext(b)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events*b.N)/processing.Seconds(), "events/s")
	b.ReportMetric(float64(bytes*b.N)/processing.Seconds()/1e6, "MB/s")
	b.ReportMetric(processing.Seconds()/fetching.Seconds(), "x-fetch")
	b.ReportMetric(0, "ns/op") // of no use: it counts both
}

func fetchAll(b *testing.B, c jetstream.Consumer, n int) {
	for n > 0 {
		fetched, err := c.Fetch(min(n, DefaultOptions().MaxFetch), jetstream.FetchMaxBytes(streams.FetchBytesMax))
		if err != nil {
			b.Fatal(err)
		}
		for msg := range fetched.Messages() {
			if err := msg.Ack(); err != nil {
				b.Fatal(err)
			}
			n--
		}
	}
}

// BenchmarkRows makes messages of SILVER of frames, without a log.
func BenchmarkRows(b *testing.B) {
	frames := recordings(b)
	var bed *bed
	o := bed.options()
	messages := make([]streams.Message, len(frames))
	events := 0
	for i, f := range frames {
		m := f.Msg()
		messages[i] = streams.Message{Subject: m.Subject, Header: m.Header, Data: m.Data, Seq: uint64(i + 1)}
		events += f.Count
	}
	batch := o.NewBatch()
	defer batch.Release()
	b.ReportAllocs()
	var decoding, building time.Duration
	for b.Loop() {
		for _, m := range messages {
			begun := time.Now()
			decoded := o.Events(m)
			decoding += time.Since(begun)
			begun = time.Now()
			for i := range decoded {
				batch.Append(&decoded[i])
			}
			if batch.Rows() >= o.MaxRows {
				if _, err := batch.messages(0); err != nil {
					b.Fatal(err)
				}
			}
			building += time.Since(begun)
		}
	}
	b.ReportMetric(float64(events*b.N)/decoding.Seconds(), "decoded/s")
	b.ReportMetric(float64(events*b.N)/building.Seconds(), "built/s")
}
