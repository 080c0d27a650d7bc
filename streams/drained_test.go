package streams

import "testing"

// A frame that was acknowledged to its publisher a moment ago is not overlooked, nor is one waited for that was removed.
func TestDrained(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	silver, err := n.SilverConsumer(ctx)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, want bool) {
		t.Helper()
		if got, err := n.Drained(ctx, silver); err != nil || got != want {
			t.Fatalf("%s: drained %v, %v", what, got, err)
		}
	}
	check("empty log", true)
	publisher := n.publisher(t, PublisherConfig{})
	for i, frame := range testFrames("s", 16) {
		acks, err := publisher.Publish(ctx, frame)
		if err != nil {
			t.Fatal(err)
		}
		check("published", false)
		if i%2 == 1 {
			erase(t, n, acks[0].Seq)
			check("removed before it was delivered", true)
			continue
		}
		msgs, err := fetch(ctx, silver, 1)
		if err != nil || len(msgs) != 1 {
			t.Fatal(len(msgs), err)
		}
		check("delivered", false)
		if err := msgs[0].DoubleAck(ctx); err != nil {
			t.Fatal(err)
		}
		check("acknowledged", true)
	}
}
