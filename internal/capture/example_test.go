package capture_test

import (
	"context"
	"fmt"
	"io"

	"assay/internal/capture"
	"assay/internal/capture/framing"
	"assay/streams"
)

// printer is a Publisher that shows what it is given.
type printer struct{}

func (printer) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	for _, f := range frames {
		fmt.Printf("%s, %d events from position %d: %q\n", f.Subject(), f.Count, f.Position, f.Body)
	}
	return make([]streams.Ack, len(frames)), nil
}

// A recorder takes bytes cut anywhere and publishes whole events.
func ExampleRecorder() {
	ctx := context.Background()
	recorder := capture.New(ctx, printer{}, capture.Options{
		Source: streams.SourceSSE, Format: framing.SSE, Workflow: "demo", Stream: "answer-1",
	})
	for _, chunk := range []string{"data: Hel", "lo\n\nda", "ta: world\n", "\ndata: unfini"} {
		if _, err := io.WriteString(recorder, chunk); err != nil {
			fmt.Println(err)
		}
	}
	result, err := recorder.Close(ctx)
	fmt.Println(result.Events, "events are durable,", err)
	// Output:
	// bronze.sse.demo, 2 events from position 0: "data: Hello\n\ndata: world\n\n"
	// bronze.sse.demo, 0 events from position 2: "data: unfini"
	// 2 events are durable, <nil>
}
