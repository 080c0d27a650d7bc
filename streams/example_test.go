package streams_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"assay/streams"
)

// A frame is published, and read back once it is on disk.
func Example() {
	if err := publishAndReplay(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// stored at 1, again: true
	// 1: 2 events of session-7 in wf-1
}

func publishAndReplay(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "assay")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := streams.StartServer(ctx, streams.ServerConfig{DataDir: dir})
	if err != nil {
		return err
	}
	defer server.Stop(ctx)
	nc, err := server.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	log, err := streams.Open(ctx, nc, streams.DefaultConfig())
	if err != nil {
		return err
	}
	publisher := log.NewPublisher(streams.PublisherConfig{})
	defer publisher.Close(ctx)

	frame := &streams.Frame{
		Source: streams.SourceSSE, Workflow: "wf-1", ContentType: streams.ContentSSE, Stream: "session-7",
		Position: 0, Count: 2, Captured: time.Now(), Body: []byte("data: Hel\n\ndata: lo\n\n"),
	}
	first, err := publisher.Publish(ctx, frame)
	if err != nil {
		return err
	}
	again, err := publisher.Publish(ctx, frame)
	if err != nil {
		return err
	}
	fmt.Printf("stored at %d, again: %v\n", first[0].Seq, again[0].Duplicate)
	for s, err := range log.Replay(ctx, streams.ReplayOptions{Subjects: []string{"bronze.sse.*"}}) {
		if err != nil {
			return err
		}
		fmt.Printf("%d: %d events of %s in %s\n", s.Seq, s.Frame.Count, s.Frame.Stream, s.Frame.Workflow)
	}
	return nil
}

func ExampleEscapeToken() {
	fmt.Println(streams.EscapeToken("sse/000"), streams.EscapeToken("order #7"))
	// Output: sse%2F000 order%20%237
}
