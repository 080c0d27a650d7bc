package streams

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// A proof shows a frame to somebody who has a checkpoint and no log; whatever is changed in it leads to another link, or to none.
func TestAProofNeedsNoLog(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	kept, err := n.Checkpoints(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[uint64]Checkpoint{1: kept[0], ChainEvery: kept[0], ChainEvery + 1000: kept[1], 2*ChainEvery + 90: kept[2]} {
		var proof bytes.Buffer
		if err := n.Prove(testContext(t), &proof, seq); err != nil {
			t.Fatal(err)
		}
		proved, err := VerifyProof(bytes.NewReader(proof.Bytes()))
		if err != nil || proved.Seq != seq || proved.At != (Anchor{want.Seq, want.Link}) {
			t.Fatalf("frame %d: %+v, error %v; want the link of %d", seq, proved, err, want.Seq)
		}
		m, err := n.Message(testContext(t), seq)
		if err != nil || !bytes.Equal(m.Data, proved.Frame.Body) {
			t.Errorf("frame %d: proved is %q, the log has %q, error %v", seq, proved.Frame.Body, m.Data, err)
		}
		tie, err := n.Tie(testContext(t), seq)
		if err != nil || tie.Link != proved.Link || tie.Next != want {
			t.Errorf("frame %d: %+v, error %v", seq, tie, err)
		}
	}
	var proof bytes.Buffer
	if err := n.Prove(testContext(t), &proof, 2*ChainEvery+95); err != nil {
		t.Fatal(err)
	}
	text := proof.Bytes()
	for i := range text {
		changed := bytes.Clone(text)
		if changed[i]++; bytes.EqualFold(changed, text) {
			continue
		}
		if proved, err := VerifyProof(bytes.NewReader(changed)); err == nil && proved.At == (Anchor{kept[2].Seq, kept[2].Link}) && proved.Seq == 2*ChainEvery+95 {
			if again := proved.Frame; !bytes.Equal(again.Body, mustProve(t, text).Frame.Body) || again.Stream != mustProve(t, text).Frame.Stream {
				t.Fatalf("byte %d was changed, and it proves another frame", i)
			}
		}
	}
}

func mustProve(t *testing.T, proof []byte) *Proved {
	t.Helper()
	proved, err := VerifyProof(bytes.NewReader(proof))
	if err != nil {
		t.Fatal(err)
	}
	return proved
}

func TestWhatIsNotChainedIsNotProved(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	if _, err := n.publisher(t, PublisherConfig{}).Publish(testContext(t), testFrames("b", 3)...); err != nil {
		t.Fatal(err)
	}
	if err := n.Prove(testContext(t), &bytes.Buffer{}, 2*ChainEvery+101); !errors.Is(err, ErrChain) {
		t.Errorf("a frame after the end of the chain: %v", err)
	}
	if tie, err := n.Tie(testContext(t), 2*ChainEvery+101); tie != nil || err != nil {
		t.Errorf("tied to %+v, error %v", tie, err)
	}
	if _, err := n.Message(testContext(t), 99999); !errors.Is(err, ErrGone) {
		t.Errorf("a frame that never was: %v", err)
	}
	for _, text := range []string{"", "x", "{}", `{"proves":1,"before":"` + strings.Repeat("0", 64) + `"}`} {
		if _, err := VerifyProof(strings.NewReader(text)); !errors.Is(err, ErrChain) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzVerifyProof(f *testing.F) {
	f.Add([]byte(`{"proves":1,"before":"` + strings.Repeat("0", 64) + `"}` + "\n" +
		`{"frame":{"seq":1,"subject":"bronze.event.w","header":{"Assay-Stream":["s"]},"data":"e30="}}` + "\n"))
	f.Add([]byte(`{"proves":0}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		proved, err := VerifyProof(bytes.NewReader(text))
		if (err == nil) != (proved != nil) || err != nil && !errors.Is(err, ErrChain) {
			t.Errorf("%+v, %v", proved, err)
		}
	})
}
