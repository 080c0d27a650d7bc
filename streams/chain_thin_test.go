package streams

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"
)

// However many checkpoints there are, a bounded number stays, and they lie about evenly: no frames go without one for long.
func TestSparedCheckpoints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5000).Draw(t, "checkpoints")
		kept := make([]Checkpoint, n)
		for i := range kept {
			kept[i] = Checkpoint{Seq: uint64(i+1) * ChainEvery, Frames: uint64(i+1) * ChainEvery}
		}
		const most = 64
		first := rapid.Uint64Range(1, uint64(n+1)*ChainEvery).Draw(t, "first")
		gone := map[uint64]bool{}
		for _, c := range spared(kept, first, most, func(Checkpoint, Checkpoint) bool { return false }) {
			gone[c.Seq] = true
		}
		before, left := first-1, 0
		aged := 0
		widest := uint64(0)
		for _, c := range kept {
			switch {
			case gone[c.Seq]:
			case c.Seq < first:
				aged++
			default:
				widest = max(widest, c.Seq-before)
				before, left = c.Seq, left+1
			}
		}
		held := uint64(n+1)*ChainEvery - first
		if aged > 1 || left > most || widest > max(2*ChainEvery, 8*held/most) {
			t.Fatalf("%d checkpoints stay of the %d frames held, %d before; the widest stretch without has %d", left, held, aged, widest)
		}
	})
}

// A chain whose checkpoints were thinned proves every frame as before, over erased ones too.
func TestThinnedChain(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	ctx := testContext(t)
	at := Checkpoint{Link: genesis}
	for m, err := range Scan(ctx, n.bronze, ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if at = at.extend(m); m.Seq%8 == 0 {
			if err := n.keepCheckpoint(ctx, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	erase(t, n, 100, 101, 1500)
	before := verifyChain(t, n)
	const most = 50
	for range 2 {
		if err := n.thinChain(ctx, most); err != nil {
			t.Fatal(err)
		}
	}
	status, err := n.State().Status(ctx)
	if err != nil || status.Values() > most {
		t.Errorf("%d keys are left, %v", status.Values(), err)
	}
	r := verifyChain(t, n)
	if !r.Clean() || r.Verified != before.Verified || r.Erased != 3 || r.Unprovable != 0 || r.Checkpoints < 2 {
		t.Errorf("after thinning %+v, before %+v", r, before)
	}
	if err := n.Bronze().DeleteMsg(ctx, 600); err != nil {
		t.Fatal(err)
	}
	if r := verifyChain(t, n); len(r.Breaks) != 1 || r.Breaks[0].From != 600 {
		t.Errorf("frame 600 was removed behind its back; breaks %+v", r.Breaks)
	}
}

// cutOff is a bucket whose watches end before they have told all, as when the connection is closed.
type cutOff struct{ jetstream.KeyValue }

type cutWatch chan jetstream.KeyValueEntry

func (w cutWatch) Updates() <-chan jetstream.KeyValueEntry { return w }
func (w cutWatch) Stop() error                             { return nil }

func (cutOff) Watch(context.Context, string, ...jetstream.WatchOpt) (jetstream.KeyWatcher, error) {
	w := make(cutWatch)
	close(w)
	return w, nil
}

// Half a list is no list: it would prove that frames are missing, or that none was erased.
func TestListThatIsCutOff(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	ctx := testContext(t)
	erase(t, n, 7)
	n.state = cutOff{n.state}
	if kept, err := n.Checkpoints(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%d checkpoints, %v", len(kept), err)
	}
	if gaps, err := n.Gaps(ctx); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%d gaps, %v", len(gaps), err)
	}
}
