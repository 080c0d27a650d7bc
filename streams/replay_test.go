package streams

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

func TestReplayRanges(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	p := n.publisher(t, PublisherConfig{})
	if _, err := p.Publish(ctx, testFrames("a", 1200)...); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(ctx, testFrames("b", 10)...); err != nil {
		t.Fatal(err)
	}
	times := map[uint64]time.Time{}
	for _, s := range replayAll(t, n.Log) {
		times[s.Seq] = s.Time
	}
	b := Subject(SourceSSE, "wf/b")
	for name, test := range map[string]struct {
		opts        ReplayOptions
		first, last uint64
		count       int
	}{
		"all":            {ReplayOptions{}, 1, 1210, 1210},
		"from":           {ReplayOptions{FromSeq: 1000}, 1000, 1210, 211},
		"to":             {ReplayOptions{ToSeq: 600}, 1, 600, 600},
		"from, to":       {ReplayOptions{FromSeq: 7, ToSeq: 7}, 7, 7, 1},
		"subject":        {ReplayOptions{Subjects: []string{b}}, 1201, 1210, 10},
		"subject, to":    {ReplayOptions{Subjects: []string{b}, ToSeq: 1205}, 1201, 1205, 5},
		"subject before": {ReplayOptions{Subjects: []string{b}, ToSeq: 1200}, 0, 0, 0},
		"no subject":     {ReplayOptions{Subjects: []string{"bronze.event.>"}}, 0, 0, 0},
		"beyond":         {ReplayOptions{FromSeq: 5000}, 0, 0, 0},
		"since":          {ReplayOptions{From: times[1201]}, 1201, 1210, 10},
		"until":          {ReplayOptions{To: times[1].Add(-time.Second)}, 0, 0, 0},
		"future":         {ReplayOptions{From: times[1210].Add(time.Hour)}, 0, 0, 0},
	} {
		var seqs []uint64
		for s, err := range n.Replay(ctx, test.opts) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			seqs = append(seqs, s.Seq)
		}
		if len(seqs) != test.count || test.count > 0 && (seqs[0] != test.first || seqs[len(seqs)-1] != test.last) {
			t.Errorf("%s: %d frames %v", name, len(seqs), seqs)
		}
	}
}

func TestReplayRefusesContradictions(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	for name, opts := range map[string]ReplayOptions{
		"two starts": {FromSeq: 1, From: time.Now(), Follow: true},
		"overlap":    {Subjects: []string{"bronze.>", "bronze.sse.>"}, Follow: true},
	} {
		for _, err := range n.Replay(testContext(t), opts) {
			if !errors.Is(err, ErrConfig) {
				t.Errorf("%s: error is %v; want ErrConfig", name, err)
			}
		}
	}
}

func TestReplayGoesOnAfterAMalformedMessage(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	for _, subject := range []string{"bronze.sse.wf", "bronze.unknown", "bronze.sse.wf"} {
		if _, err := n.JetStream().PublishMsg(ctx, &nats.Msg{Subject: subject, Data: []byte("data: x\n\n")}); err != nil {
			t.Fatal(err)
		}
	}
	var good, bad []uint64
	for s, err := range n.Replay(ctx, ReplayOptions{}) {
		switch {
		case errors.Is(err, ErrFrame):
			bad = append(bad, s.Seq)
		case err != nil:
			t.Fatal(err)
		default:
			good = append(good, s.Seq)
		}
	}
	if !reflect.DeepEqual(good, []uint64{1, 3}) || !reflect.DeepEqual(bad, []uint64{2}) {
		t.Errorf("good %v, bad %v", good, bad)
	}
}

func TestReplayFollows(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	p := n.publisher(t, PublisherConfig{})
	ctx, cancel := context.WithCancelCause(testContext(t))
	enough := errors.New("enough")
	defer cancel(enough)
	publish := func(i int) {
		if _, err := p.Publish(ctx, testFrame("s", i)); err != nil {
			t.Fatal(err)
		}
	}
	publish(0)
	read := 0
	for s, err := range n.Replay(ctx, ReplayOptions{Follow: true}) {
		if read == 3 {
			if !errors.Is(err, enough) {
				t.Errorf("got %+v, %v after the context ended", s, err)
			}
			break
		}
		if err != nil || s.Frame.Position != uint64(read) {
			t.Fatalf("got %+v, %v; want position %d", s, err, read)
		}
		if read++; read < 3 {
			publish(read)
		} else {
			cancel(enough)
		}
	}
}

func TestStreamFrames(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	a, b := testFrame("a", 0), testFrame("b", 0)
	b.Workflow = a.Workflow
	tail := testFrame("a", 1)
	tail.Count, tail.Body = 0, []byte("data: unfin")
	if frames, err := n.StreamFrames(ctx, a.Subject(), "a"); err != nil || len(frames) != 0 {
		t.Errorf("an empty log has %v, %v", frames, err)
	}
	if _, err := n.publisher(t, PublisherConfig{}).Publish(ctx, a, b, tail); err != nil {
		t.Fatal(err)
	}
	frames, err := n.StreamFrames(ctx, a.Subject(), "a", "c")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]StoredFrame{
		"a": {a.ID(): {Position: 0, Count: 1, Seq: 1}, tail.ID(): {Position: 1, Count: 0, Seq: 3}}, "c": {},
	}
	if !reflect.DeepEqual(frames, want) {
		t.Errorf("got %v; want %v", frames, want)
	}
}

func TestStreamEnd(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	p := n.publisher(t, PublisherConfig{})
	position, last := uint64(0), uint64(0)
	look := func(wantPosition, wantLast uint64) {
		t.Helper()
		var err error
		if position, last, err = n.StreamEnd(ctx, testFrame("a", 0).Subject(), "a", last); err != nil {
			t.Fatal(err)
		}
		if position != wantPosition || last != wantLast {
			t.Errorf("position %d at sequence %d, want %d at %d", position, last, wantPosition, wantLast)
		}
	}
	publish := func(stream string, position, count int) {
		t.Helper()
		f := testFrame(stream, position)
		f.Workflow, f.Count = testFrame("a", 0).Workflow, count
		if _, err := p.Publish(ctx, f); err != nil {
			t.Fatal(err)
		}
	}
	look(0, 0)
	publish("a", 0, 3)
	publish("a", 3, 2)
	look(5, 2)
	publish("b", 9, 1)
	look(0, 3) // nothing of the stream behind sequence 2
	look(0, 3)
	publish("a", 5, 1)
	look(6, 4)
	last = 0 // as one does who remembers nothing
	look(6, 4)
}

func TestTallyCountsWhatIsGone(t *testing.T) {
	cfg := smallConfig()
	cfg.MaxBytes, cfg.Ring = 64<<10, true
	n := startNode(t, t.TempDir(), cfg)
	ctx := testContext(t)
	p := n.publisher(t, PublisherConfig{MaxBatch: 50})
	want := Tally{}
	for round := range 10 {
		frames := testFrames("s", (round+1)*50)[round*50:]
		for _, f := range frames {
			f.Count = 3
			want.Frames, want.Events, want.Bytes, want.LastSeq = want.Frames+1, want.Events+3, want.Bytes+uint64(len(f.Body)), want.LastSeq+1
		}
		if _, err := p.Publish(ctx, frames...); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := n.Tally(ctx); err != nil || got != want {
				t.Fatalf("round %d: %+v, %v; want %+v", round, got, err, want)
			}
		}
	}
	if first := n.Bronze().CachedInfo().State.FirstSeq; first < 2 {
		t.Error("the ring has forgotten nothing, so this shows nothing")
	}
}

// A scan that follows finds out that the server sent it something that did not arrive, even if nothing comes after it.
func TestScanKnowsWhatGotLost(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	publishAndTake(t, n, 2)
	consumer, err := n.Bronze().CreateConsumer(testContext(t), ReplayOptions{}.consumer())
	if err != nil {
		t.Fatal(err)
	}
	batch, err := fetch(testContext(t), consumer, 1)
	if err != nil || len(batch) != 1 {
		t.Fatalf("%d messages, %v", len(batch), err)
	}
	if err := stalled(testContext(t), consumer, 1, true); err != nil {
		t.Errorf("all that was sent has arrived: %v", err)
	}
	if err := stalled(testContext(t), consumer, 0, true); !errors.Is(err, errStalled) {
		t.Errorf("one message got lost: %v", err)
	}
}
