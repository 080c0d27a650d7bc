package streams

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
)

// chainedNode is a log of a few checkpoints, all of it chained.
func chainedNode(t *testing.T, dir string) *node {
	t.Helper()
	n := startNode(t, dir, smallConfig())
	p := n.NewPublisher(PublisherConfig{})
	if _, err := p.Publish(testContext(t), testFrames("a", 2*ChainEvery+100)...); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	extendChain(t, n)
	return n
}

func extendChain(t *testing.T, n *node) Checkpoint {
	t.Helper()
	head, err := n.ExtendChain(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return head
}

func verifyChain(t *testing.T, n *node, anchors ...Anchor) *ChainReport {
	t.Helper()
	report, err := n.VerifyChain(testContext(t), anchors, nil)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestChainOfAnHonestLog(t *testing.T) {
	dir := t.TempDir()
	n := chainedNode(t, dir)
	kept, err := n.Checkpoints(testContext(t))
	if err != nil || len(kept) != 3 || kept[0].Seq != ChainEvery || kept[0].Events != ChainEvery {
		t.Fatalf("checkpoints %+v, %v", kept, err)
	}
	if again := extendChain(t, n); again != kept[2] {
		t.Errorf("nothing new made the chain %+v, was %+v", again, kept[2])
	}
	n.stop(t)

	// Frames that come after the end of the chain, in another run, belong to it once it is extended.
	n = startNode(t, dir, smallConfig())
	if _, err := n.publisher(t, PublisherConfig{}).Publish(testContext(t), testFrames("b", 10)...); err != nil {
		t.Fatal(err)
	}
	r := verifyChain(t, n, Anchor{kept[1].Seq, kept[1].Link})
	if !r.Clean() || r.Verified != 2*ChainEvery+100 || r.Unchained != 10 || r.Checkpoints != 3 {
		t.Errorf("report %+v", r)
	}
	extendChain(t, n)
	if r = verifyChain(t, n); !r.Clean() || r.Verified != 2*ChainEvery+110 || r.Unchained != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestChainShowsMissingFrames(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	for _, seq := range []uint64{5, ChainEvery, 2*ChainEvery + 100} {
		if err := n.Bronze().DeleteMsg(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	r := verifyChain(t, n)
	if len(r.Breaks) != 3 || r.Breaks[0].From != 5 || r.Breaks[1].From != ChainEvery || r.Breaks[2].To != 2*ChainEvery+100 {
		t.Errorf("breaks %+v", r.Breaks)
	}
}

func TestChainShowsALogMadeAnew(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	kept, err := n.Checkpoints(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	forged := kept[0].Link
	forged[0] ^= 1
	r := verifyChain(t, n, Anchor{ChainEvery, forged})
	if len(r.Breaks) != 1 || r.Breaks[0].To != ChainEvery || !strings.Contains(r.Breaks[0].Reason, "anew") {
		t.Errorf("breaks %+v", r.Breaks)
	}
}

func TestChainOutlivesItsFrames(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	limit(t, n, 300<<10)
	r := verifyChain(t, n)
	if !r.Clean() || r.Aged == nil || r.Aged.Frames != ChainEvery || r.Unprovable != 2*ChainEvery+1-r.FirstSeq || r.Verified != 100 {
		t.Errorf("report %+v", r)
	}
	limit(t, n, 8<<10)
	if r = verifyChain(t, n); !r.Clean() || r.Aged == nil || r.Aged.Frames != 2*ChainEvery {
		t.Errorf("report %+v", r)
	}
}

// limit makes BRONZE a ring of so many bytes.
func limit(t *testing.T, n *node, bytes int64) {
	t.Helper()
	cfg := n.Bronze().CachedInfo().Config
	cfg.Discard, cfg.MaxBytes = jetstream.DiscardOld, bytes
	if _, err := n.JetStream().UpdateStream(testContext(t), cfg); err != nil {
		t.Fatal(err)
	}
}

// A bit that flips on the disk is found: by the server's checksum when it opens or reads the block, and then as a frame that
// the chain misses, or by the chain itself.
func TestChainShowsAFlippedBit(t *testing.T) {
	dir := t.TempDir()
	n := chainedNode(t, dir)
	n.stop(t)
	flipBit(t, dir, testFrame("a", 700).Body)

	n = startNode(t, dir, smallConfig())
	r := verifyChain(t, n)
	if r.Clean() {
		t.Fatalf("report %+v, damage %+v", r, n.Damage())
	}
	if b := r.Breaks[0]; b.From > 701 || b.To < 701 {
		t.Errorf("frame 701 was changed; breaks %+v", r.Breaks)
	}
}

// flipBit changes one bit of a body in the block file of BRONZE that has it.
func flipBit(t *testing.T, dir string, body []byte) {
	t.Helper()
	flipped := false
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".blk" || !strings.Contains(path, StreamBronze) {
			return err
		}
		block, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		at := bytes.Index(block, body)
		if at < 0 {
			return nil
		}
		block[at+len(body)/2] ^= 4
		flipped = true
		return os.WriteFile(path, block, 0o600)
	})
	if err != nil || !flipped {
		t.Fatalf("no block file has the body: %v", err)
	}
}

// A frame that differs in anything that the chain covers is found, and the frames after the next checkpoint still hold.
func TestChainShowsAChangedFrame(t *testing.T) {
	const frames, every = 10, 4
	messages := func() (all []Message) {
		for i := range frames {
			m := testFrame("a", i).Msg()
			all = append(all, Message{Subject: m.Subject, Header: m.Header, Data: m.Data, Seq: uint64(i) + 1})
		}
		return all
	}
	var kept []Checkpoint
	head := Checkpoint{Link: genesis}
	for i, m := range messages() {
		if head = head.extend(m); i%every == every-1 || i == frames-1 {
			kept = append(kept, head)
		}
	}
	verify := func(all []Message) *ChainReport {
		v := &verifier{report: &ChainReport{FirstSeq: 1, LastSeq: frames}}
		v.begin(kept, nil, nil)
		for _, m := range all {
			v.frame(m)
		}
		return v.end()
	}
	if r := verify(messages()); !r.Clean() || r.Checkpoints != len(kept) {
		t.Fatalf("unchanged: %+v", r)
	}
	for name, change := range map[string]func(m *Message){
		"body":           func(m *Message) { m.Data = append(bytes.Clone(m.Data), '\n') },
		"subject":        func(m *Message) { m.Subject += "x" },
		"header":         func(m *Message) { m.Header.Set(HeaderShed, "0.5") },
		"another header": func(m *Message) { m.Header.Set("Assay-Side", "client") },
	} {
		all := messages()
		change(&all[5])
		if r := verify(all); len(r.Breaks) != 1 || r.Breaks[0].From != every+1 || r.Breaks[0].To != 2*every {
			t.Errorf("%s: %+v", name, r.Breaks)
		}
	}
	all := messages()
	all[4].Data, all[5].Data = all[5].Data, all[4].Data
	if r := verify(all); len(r.Breaks) != 1 {
		t.Errorf("swapped: %+v", r.Breaks)
	}
}
