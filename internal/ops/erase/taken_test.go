package erase

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/streams"
	"assay/streams/streamstest"
)

// What another producer has published meanwhile is given to Silver, not acknowledged with what was written again.
func TestOnlyFramesThatWereWrittenAgainAreMarkedTaken(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	log := streamstest.NewLog(t)
	publisher := log.NewPublisher(streams.PublisherConfig{})
	frame := func(n uint64) *streams.Frame {
		return &streams.Frame{
			Source: streams.SourceEvent, Workflow: "w", ContentType: streams.ContentNDJSON, Stream: "s", Position: n, Count: 1,
			Captured: time.Unix(1, 0).UTC(), Body: []byte(`{"type":"note"}` + "\n"),
		}
	}
	acks, err := publisher.Publish(ctx, frame(0), frame(1), frame(2), frame(3))
	if err != nil {
		t.Fatal(err)
	}
	if err := publisher.Close(ctx); err != nil {
		t.Fatal(err)
	}
	f := &forgetting{Options: Options{Log: log}}
	if err := f.markTaken(ctx, []uint64{acks[1].Seq, acks[3].Seq}); err != nil {
		t.Fatal(err)
	}
	consumer, err := log.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	left := map[uint64]bool{}
	for len(left) < 2 {
		msg, err := consumer.Next(jetstream.FetchContext(ctx))
		if err != nil {
			t.Fatalf("%v: frames of others are not given to Silver any more; it got %v", err, left)
		}
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		left[meta.Sequence.Stream] = true
		if err := msg.DoubleAck(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !left[acks[0].Seq] || !left[acks[2].Seq] {
		t.Errorf("Silver got %v", left)
	}
	if drained, err := log.Drained(ctx, consumer); err != nil || !drained {
		t.Errorf("drained %v, %v", drained, err)
	}
}
