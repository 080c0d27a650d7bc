package streams

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestPublishedFramesAreReadBack(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir, smallConfig())
	p := n.publisher(t, PublisherConfig{})
	want := testFrames("session é/1", 2500) // more than two batches
	acks, err := p.Publish(testContext(t), want...)
	if err != nil {
		t.Fatal(err)
	}
	for i, ack := range acks {
		if ack.Seq != uint64(i+1) || ack.Duplicate {
			t.Fatalf("frame %d: %+v", i, ack)
		}
	}
	if err := p.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	n.stop(t)

	again := startNode(t, dir, smallConfig())
	got := replayAll(t, again.Log)
	if len(got) != len(want) {
		t.Fatalf("%d frames after a restart; want %d", len(got), len(want))
	}
	for i, s := range got {
		if s.Frame.ID() != want[i].ID() || s.Frame.Workflow != want[i].Workflow || !bytes.Equal(s.Frame.Body, want[i].Body) {
			t.Fatalf("frame %d is %+v; want %+v", i, s.Frame, want[i])
		}
	}
	if d := again.Damage(); len(d) != 0 {
		t.Errorf("damage %+v in a healthy log", d)
	}
}

func TestCallersShareBatchesAndStreamsKeepTheirOrder(t *testing.T) {
	const streams, frames, together = 32, 60, 3
	n := startNode(t, t.TempDir(), smallConfig())
	p := n.publisher(t, PublisherConfig{})
	ctx := testContext(t)
	var wg sync.WaitGroup
	for s := range streams {
		wg.Go(func() {
			name := fmt.Sprint("stream-", s)
			last := uint64(0)
			for left := testFrames(name, frames); len(left) > 0; left = left[together:] {
				acks, err := p.Publish(ctx, left[:together]...)
				if err != nil || acks[0].Seq <= last || acks[together-1].Seq < acks[0].Seq+together-1 {
					t.Errorf("%s frame %d: %+v after sequence %d, %v", name, left[0].Position, acks, last, err)
					return
				}
				last = acks[together-1].Seq
			}
		})
	}
	wg.Wait()
	next := map[string]uint64{}
	for _, s := range replayAll(t, n.Log) {
		if s.Frame.Position != next[s.Frame.Stream] {
			t.Fatalf("position %d of %s at sequence %d; want %d", s.Frame.Position, s.Frame.Stream, s.Seq, next[s.Frame.Stream])
		}
		next[s.Frame.Stream]++
	}
	stats := p.Stats()
	if stats.Frames != streams*frames || stats.Duplicates != 0 {
		t.Errorf("%+v; want %d frames", stats, streams*frames)
	}
	if commits := stats.Batches + stats.Singles; commits > stats.Frames/4 {
		t.Errorf("%d commits for %d frames of %d callers: they do not share them", commits, stats.Frames, streams)
	}
}

func TestSentFramesKeepTheirOrder(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	p := n.publisher(t, PublisherConfig{MaxBatch: 7, MaxQueueBytes: 4 << 10}) // full all the time
	ctx := testContext(t)
	var receipts []*Receipt
	for i := range 300 {
		receipts = append(receipts, p.Send(ctx, testFrame("s", i)))
	}
	for i, r := range receipts {
		acks, err := r.Wait(ctx)
		if err != nil || acks[0].Seq != uint64(i+1) {
			t.Fatalf("frame %d: %+v, %v", i, acks, err)
		}
	}
}

func TestDuplicatesAreRecognised(t *testing.T) {
	for name, size := range map[string]int{"singly": 10, "batch": 3 * batchFramesMin} {
		t.Run(name, func(t *testing.T) { testDuplicates(t, size) })
	}
}

func testDuplicates(t *testing.T, size int) {
	n := startNode(t, t.TempDir(), smallConfig())
	p := n.publisher(t, PublisherConfig{})
	ctx := testContext(t)
	frames := testFrames("s", size)
	if _, err := p.Publish(ctx, frames[3], frames[5]); err != nil {
		t.Fatal(err)
	}
	other := testFrame("s", 3)
	other.Body = []byte("data: something else\n\n") // same place, other bytes: no duplicate
	acks, err := p.Publish(ctx, append(slices.Clone(frames), frames[7], other)...)
	if err != nil {
		t.Fatal(err)
	}
	for i, ack := range acks {
		if want := i == 3 || i == 5 || i == size; ack.Duplicate != want || ack.Seq == 0 {
			t.Errorf("frame %d: %+v; want duplicate %v", i, ack, want)
		}
	}
	if acks[3].Seq != 1 || acks[5].Seq != 2 || acks[size].Seq != acks[7].Seq {
		t.Errorf("duplicates are not told where they are: %+v", acks)
	}
	if got := len(replayAll(t, n.Log)); got != size+1 {
		t.Errorf("%d frames stored; want %d", got, size+1)
	}
	stats := p.Stats()
	if stats.Duplicates != 3 || stats.Frames != uint64(size+4) || (stats.Batches > 0) != (size >= batchFramesMin) {
		t.Errorf("%+v; want %d frames, 3 of them duplicates", stats, size+4)
	}
}

func TestFullLogRefusesAndKeepsWhatItHas(t *testing.T) {
	cfg := smallConfig()
	cfg.MaxBytes = 64 << 10
	n := startNode(t, t.TempDir(), cfg)
	p := n.publisher(t, PublisherConfig{MaxBatch: 10})
	ctx := testContext(t)
	acks, err := p.Publish(ctx, testFrames("s", 1000)...)
	if !errors.Is(err, ErrFull) {
		t.Fatalf("error is %v; want ErrFull", err)
	}
	stored := replayAll(t, n.Log)
	acked := slices.IndexFunc(acks, func(a Ack) bool { return a.Seq == 0 })
	if acked < 50 || acked != len(stored) {
		t.Fatalf("%d frames acknowledged, %d stored", acked, len(stored))
	}
	if slices.ContainsFunc(acks[acked:], func(a Ack) bool { return a.Seq != 0 }) {
		t.Error("frames after the first refused one were stored")
	}
	if _, err := p.Publish(ctx, testFrame("t", 0), testFrame("t", 1), testFrame("t", 2)); err != nil && !errors.Is(err, ErrFull) {
		t.Errorf("error is %v; want ErrFull or none", err)
	}
}

func TestRingForgetsTheOldest(t *testing.T) {
	cfg := smallConfig()
	cfg.MaxBytes, cfg.Ring = 64<<10, true
	n := startNode(t, t.TempDir(), cfg)
	p := n.publisher(t, PublisherConfig{})
	acks, err := p.Publish(testContext(t), testFrames("s", 1000)...)
	if err != nil {
		t.Fatal(err)
	}
	stored := replayAll(t, n.Log)
	if len(stored) == 0 || len(stored) >= 1000 || stored[len(stored)-1].Seq != acks[999].Seq {
		t.Errorf("%d frames kept up to %d", len(stored), stored[len(stored)-1].Seq)
	}
}

func TestTooLarge(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	p := n.publisher(t, PublisherConfig{})
	ctx := testContext(t)
	large := testFrame("s", 1)
	large.Body = make([]byte, n.MessageBytesMax())
	acks, err := p.Publish(ctx, testFrame("s", 0), large, testFrame("s", 2))
	if !errors.Is(err, ErrTooLarge) {
		t.Fatalf("error is %v; want ErrTooLarge", err)
	}
	if acks[0].Seq != 1 || acks[1].Seq != 0 || acks[2].Seq != 0 {
		t.Errorf("acknowledgements %+v; want only the first", acks)
	}
	large.Body = large.Body[:16<<20]
	if _, err := p.Publish(ctx, large); err != nil {
		t.Errorf("an event of 16 MiB: %v", err)
	}
	for _, s := range replayAll(t, n.Log) {
		if s.Frame.Position == 1 && !bytes.Equal(s.Frame.Body, large.Body) {
			t.Error("an event of 16 MiB is not read back as it was")
		}
	}
}

func TestClosedPublisher(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	p := n.NewPublisher(PublisherConfig{})
	ctx := testContext(t)
	receipt := p.Send(ctx, testFrames("s", 3000)...)
	if err := p.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if acks, err := receipt.Wait(ctx); err != nil || acks[2999].Seq != 3000 {
		t.Errorf("frames sent before Close: %v", err)
	}
	if _, err := p.Publish(ctx, testFrame("s", 0)); !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v; want ErrClosed", err)
	}
	if err := p.Close(ctx); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestCallersDoNotWaitLongerThanTheyWant(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	p := n.NewPublisher(PublisherConfig{MaxQueueBytes: 1})
	n.nc.Close()
	gone, cancel := context.WithCancelCause(context.Background())
	reason := errors.New("the client left")
	cancel(reason)
	for range 3 {
		if _, err := p.Publish(gone, testFrame("s", 0)); !errors.Is(err, reason) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("error is %v; want the context's cause", err)
		}
	}
	if _, err := p.Publish(testContext(t), testFrame("s", 0)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error is %v; want ErrUnavailable", err)
	}
	if err := p.Close(testContext(t)); err != nil {
		t.Error(err)
	}
}

func TestNothingToPublish(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	if acks, err := n.publisher(t, PublisherConfig{}).Publish(testContext(t)); err != nil || len(acks) != 0 {
		t.Errorf("%v, %v", acks, err)
	}
}
