package streams

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"pgregory.net/rapid"
)

// edgeMsgs are messages as an edge with a log of its own would forward them.
func edgeMsgs(edge string, from, to uint64) (msgs []*nats.Msg) {
	for seq := from; seq <= to; seq++ {
		f := testFrame(fmt.Sprintf("%s-%d", edge, seq%3), int(seq))
		msg := f.Msg()
		msgs = append(msgs, EdgeMsg(edge, Message{Subject: msg.Subject, Header: msg.Header, Data: msg.Data, Seq: seq, Time: time.Unix(int64(seq), 0)}))
	}
	return msgs
}

// forwarded returns the sequences in the logs of the edges that a log has, in its order.
func forwarded(t testing.TB, l *Log) map[string][]uint64 {
	t.Helper()
	found := map[string][]uint64{}
	for m, err := range Scan(testContext(t), l.Bronze(), ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseFrame(m.Subject, m.Header, m.Data, m.Seq, m.Time); err != nil {
			t.Error(err)
		}
		edge := ""
		if parts := strings.Split(m.Subject, "."); len(parts) == 4 {
			edge = parts[2]
		}
		found[edge] = append(found[edge], EdgeSequence(m.Header))
	}
	return found
}

func inOrder(t testing.TB, got []uint64, last uint64) {
	t.Helper()
	if uint64(len(got)) != last {
		t.Errorf("%d frames, want %d", len(got), last)
	}
	for i, seq := range got {
		if seq != uint64(i)+1 {
			t.Fatalf("frame %d has sequence %d", i, seq)
		}
	}
}

// Whatever is sent again, cut otherwise, by several at once, and after the log has forgotten ids: each frame is stored once and in
// order.
func TestForwardedFramesAreStoredOnce(t *testing.T) {
	cfg := smallConfig()
	cfg.DuplicateWindow = 100 * time.Millisecond
	testForwardedOnce(t, startNode(t, t.TempDir(), cfg).Log, 500)
}

func testForwardedOnce(t *testing.T, n *Log, last uint64) {
	var senders sync.WaitGroup
	for i := range 6 {
		edge := []string{"a", "b"}[i%2]
		w, err := n.EdgeWriter(edge)
		if err != nil {
			t.Fatal(err)
		}
		senders.Go(func() {
			draw := rand.New(rand.NewPCG(21, uint64(i)))
			for sent := uint64(0); sent < last; {
				from := 1 + uint64(draw.Int64N(int64(sent)+1)) // also what was sent already
				to := min(last, sent+1+uint64(draw.Int64N(40)))
				if err := w.Append(testContext(t), edgeMsgs(edge, from, to)); err != nil {
					t.Error(err)
					return
				}
				sent = to
			}
		})
	}
	p := n.NewPublisher(PublisherConfig{})
	if _, err := p.Publish(testContext(t), testFrames("own", 200)...); err != nil {
		t.Error(err)
	}
	senders.Wait()
	if err := p.Close(testContext(t)); err != nil {
		t.Error(err)
	}
	found := forwarded(t, n)
	inOrder(t, found["a"], last)
	inOrder(t, found["b"], last)
	if len(found[""]) != 200 {
		t.Errorf("%d frames of its own", len(found[""]))
	}
	w, err := n.EdgeWriter("a")
	if err != nil {
		t.Fatal(err)
	}
	end, err := w.End(testContext(t))
	if want := edgeMsgs("a", last, last)[0].Header.Get(HeaderEdgeDigest); err != nil || end.Sequence != last || end.Digest != want {
		t.Errorf("end %+v, %v", end, err)
	}
}

// What was under way when a writer gave up, and arrives later than what was sent since, is refused.
func TestForwardedFramesThatArriveLate(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	late, err := n.EdgeWriter("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := late.End(testContext(t)); err != nil {
		t.Fatal(err)
	}
	w, err := n.EdgeWriter("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(testContext(t), edgeMsgs("a", 1, 10)); err != nil {
		t.Fatal(err)
	}
	for _, msgs := range [][]*nats.Msg{edgeMsgs("a", 1, 10), edgeMsgs("a", 3, 3)} {
		late.end = &EdgeEnd{}
		if stored, err := late.publish(testContext(t), msgs); err == nil {
			t.Errorf("stored at %d", stored)
		}
	}
	inOrder(t, forwarded(t, n.Log)["a"], 10)
}

// What is no edge's is refused before anything is stored.
func TestForwardedFramesThatAreMalformed(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	w, err := n.EdgeWriter("a")
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func([]*nats.Msg){
		"another's": func(m []*nats.Msg) { m[1] = edgeMsgs("b", 2, 2)[0] },
		"order":     func(m []*nats.Msg) { m[0], m[1] = m[1], m[0] },
		"no time":   func(m []*nats.Msg) { m[1].Header.Del(HeaderEdgeTime) },
		"subject":   func(m []*nats.Msg) { m[1].Subject = "silver.0" },
		"wildcard":  func(m []*nats.Msg) { m[1].Subject = "bronze.event.a.*" },
		"header":    func(m []*nats.Msg) { m[1].Header.Set("Nats-Rollup", "all") },
		"too large": func(m []*nats.Msg) { m[1].Data = make([]byte, n.MessageBytesMax()) },
	} {
		msgs := edgeMsgs("a", 1, 3)
		spoil(msgs)
		if err := w.Append(testContext(t), msgs); !errors.Is(err, ErrFrame) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a.b", "a b", "*"} {
		if _, err := n.EdgeWriter(name); !errors.Is(err, ErrFrame) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if found := forwarded(t, n.Log); len(found) > 0 {
		t.Error(found)
	}
}

// A frame says the same at the hub. What it left to defaults does not depend on the hub's log, and is another edge's never.
func TestEdgeMsgKeepsTheFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFrame().Draw(t, "frame")
		msg := f.Msg()
		m := Message{Subject: msg.Subject, Header: msg.Header, Data: msg.Data, Seq: 7, Time: time.Unix(9, 0)}
		out := EdgeMsg("edge", m)
		back, err := ParseFrame(out.Subject, out.Header, out.Data, 70, time.Unix(90, 0))
		if err != nil || back.ID() != f.ID() || back.Subject() != f.Subject() || back.Shed != f.Shed || !back.Captured.Equal(f.Captured) {
			t.Fatalf("%+v, %v, want %+v", back, err, f)
		}
	})
	bare := Message{Subject: "bronze.event.w", Header: nats.Header{}, Data: []byte("{}"), Seq: 7, Time: time.Unix(9, 0).UTC()}
	a, b := EdgeMsg("a", bare), EdgeMsg("b", bare)
	fa, errA := ParseFrame(a.Subject, a.Header, a.Data, 70, time.Unix(90, 0))
	fb, errB := ParseFrame(b.Subject, b.Header, b.Data, 71, time.Unix(91, 0))
	if errA != nil || errB != nil || fa.Stream == fb.Stream || fa.Position != 7 || !fa.Captured.Equal(bare.Time) || fa.Workflow != "w" {
		t.Errorf("%+v %v, %+v %v", fa, errA, fb, errB)
	}
	for _, m := range []Message{
		{Subject: "bronze.nowhere", Header: nats.Header{}},
		{Subject: "bronze.event.w", Header: nats.Header{HeaderPosition: {"-1"}}},
	} {
		m.Seq, m.Time = 1, time.Unix(1, 0)
		out := EdgeMsg("a", m)
		if _, err := ParseFrame(out.Subject, out.Header, nil, 2, m.Time); !errors.Is(err, ErrFrame) {
			t.Errorf("%s %v: %v", out.Subject, out.Header, err)
		}
	}
}

// The consumer of an edge goes on where it was, or where the hub is, and begins anew with another hub.
func TestForwardFrom(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx := testContext(t)
	if _, err := n.publisher(t, PublisherConfig{}).Publish(ctx, testFrames("s", 10)...); err != nil {
		t.Fatal(err)
	}
	next := func(hub string, known uint64) uint64 {
		t.Helper()
		c, after, err := n.ForwardFrom(ctx, hub, known)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Fetch(ctx, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		msg := <-f.Messages()
		meta, err := msg.Metadata()
		if err != nil || meta.Sequence.Stream != after+1 {
			t.Fatalf("after %d comes %d, %v", after, meta.Sequence.Stream, err)
		}
		if err := msg.DoubleAck(ctx); err != nil {
			t.Fatal(err)
		}
		return meta.Sequence.Stream
	}
	for i, step := range []struct {
		hub         string
		known, want uint64
	}{{"h", 0, 1}, {"h", 0, 2}, {"h", 6, 7}, {"h", 3, 8}, {"other", 0, 1}} {
		if got := next(step.hub, step.known); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
	if f, err := n.Forwarding(ctx); err != nil || f.Lag != 9 || f.Bytes == 0 || f.Oldest.IsZero() {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := n.Erase(ctx, []uint64{3, 4}); err != nil {
		t.Fatal(err)
	}
	for _, look := range []struct {
		after, before uint64
		some          bool
	}{{2, 5, false}, {1, 5, true}, {2, 6, true}} {
		if some, left, err := n.Between(ctx, look.after, look.before); some != look.some || left != 0 || err != nil {
			t.Errorf("%+v: %t, %d, %v", look, some, left, err)
		}
	}
	if err := n.Bronze().DeleteMsg(context.WithoutCancel(ctx), 6); err != nil {
		t.Fatal(err)
	}
	if some, left, err := n.Between(ctx, 5, 7); some || left != 1 || err != nil {
		t.Errorf("%t, %d, %v", some, left, err)
	}
}
