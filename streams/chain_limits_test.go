package streams

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A ring that keeps few frames still proves nearly all of them, and says what the others came to.
func TestChainOfASmallRing(t *testing.T) {
	cfg := smallConfig()
	cfg.Ring, cfg.MaxBytes = true, 64<<10
	n := startNode(t, t.TempDir(), cfg)
	p := n.publisher(t, PublisherConfig{})
	const rounds, each = 100, 20
	for round := range rounds {
		frames := testFrames("a", each*(round+1))[each*round:]
		if _, err := p.Publish(testContext(t), frames...); err != nil {
			t.Fatal(err)
		}
		pressed, err := n.ChainPressed(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if pressed {
			extendChain(t, n)
		}
	}
	head := extendChain(t, n)
	r := verifyChain(t, n)
	held := r.LastSeq + 1 - r.FirstSeq
	if !r.Clean() || r.FirstSeq == 1 || r.Unprovable > held/10 || r.Verified+r.Unprovable != held || r.Aged == nil {
		t.Errorf("of %d frames: %+v", held, r)
	}
	if head.Frames != rounds*each {
		t.Errorf("%d frames were chained, %d came", head.Frames, rounds*each)
	}
}

// A log whose frames age out has a checkpoint for each part of that age.
func TestCheckpointsOfALogWithAnAge(t *testing.T) {
	cfg := smallConfig()
	cfg.MaxAge = 64 * time.Hour
	n := startNode(t, t.TempDir(), cfg)
	if d := n.Bronze().CachedInfo().Config.Discard; d == jetstream.DiscardOld {
		t.Fatal("it is a ring")
	}
	due, start := n.checkpointDue(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(after time.Duration) Checkpoint { return Checkpoint{Frames: 1, At: start.Add(after)} }
	if due(at(0), at(59*time.Minute)) || !due(at(59*time.Minute), at(61*time.Minute)) || !due(at(0), at(9*time.Hour)) {
		t.Error("checkpoints are not an hour apart")
	}
}
