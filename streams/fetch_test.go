package streams

import (
	"testing"
	"time"
)

// What a fetch has brought and nobody has taken comes again at once when the fetch is closed, and not after the ack wait.
func TestClosedFetchGivesBack(t *testing.T) {
	cfg := smallConfig()
	cfg.AckWait = time.Hour
	n := startNode(t, t.TempDir(), cfg)
	ctx := testContext(t)
	const frames = 20
	if _, err := n.publisher(t, PublisherConfig{}).Publish(ctx, testFrames("s", frames)...); err != nil {
		t.Fatal(err)
	}
	consumer, err := n.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Fetch(ctx, consumer, frames)
	if err != nil {
		t.Fatal(err)
	}
	if msg, ok := <-first.Messages(); !ok || msg.Ack() != nil {
		t.Fatal("nothing came")
	}
	first.Close()
	again, err := Fetch(ctx, consumer, frames-1)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	came := 0
	for msg := range again.Messages() {
		if came++; msg.Ack() != nil {
			t.Fatal("a message cannot be acknowledged")
		}
	}
	if came != frames-1 || again.Err() != nil {
		t.Errorf("%d of %d messages came again, %v", came, frames-1, again.Err())
	}
}
