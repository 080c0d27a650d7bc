package streams

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func erase(t *testing.T, n *node, sequences ...uint64) {
	t.Helper()
	erased, err := n.Erase(testContext(t), sequences)
	if err != nil || erased != len(sequences) {
		t.Fatalf("%d erased, %v; want %d", erased, err, len(sequences))
	}
}

// Frames that were erased on purpose leave a chain that still proves the others, whichever they were.
func TestChainPassesOverErasedFrames(t *testing.T) {
	const last = 2*ChainEvery + 100
	n, gone := chainedNode(t, t.TempDir()), uint64(0)
	for _, sequences := range [][]uint64{
		{500}, {1, 2, 3}, {ChainEvery - 1, ChainEvery, ChainEvery + 1}, {last - 1, last}, {7, 9, 10, 2000}, {8, 11, 4},
	} {
		erase(t, n, sequences...)
		gone += uint64(len(sequences))
		if r := verifyChain(t, n); !r.Clean() || r.Erased != gone || r.Verified != last-gone || r.Unprovable != 0 {
			t.Errorf("after %v: %+v", sequences, r)
		}
	}
	if err := n.Bronze().DeleteMsg(testContext(t), 600); err != nil {
		t.Fatal(err)
	}
	if r := verifyChain(t, n); len(r.Breaks) != 1 || r.Breaks[0].From != 600 {
		t.Errorf("frame 600 was removed behind its back; breaks %+v", r.Breaks)
	}
}

// An erasure that was interrupted leaves a log that verifies, and can be repeated.
func TestInterruptedErasure(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	sequences := []uint64{1, 2, 40, 41, 42}
	if err := n.keepGaps(testContext(t), sequences); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 41} {
		if err := n.Bronze().SecureDeleteMsg(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	if r := verifyChain(t, n); !r.Clean() {
		t.Errorf("breaks %+v", r.Breaks)
	}
	if erased, err := n.Erase(testContext(t), sequences); err != nil || erased != 3 {
		t.Fatalf("%d erased, %v; want the 3 that were left", erased, err)
	}
	if r := verifyChain(t, n); !r.Clean() || r.Erased != 5 {
		t.Errorf("report %+v", r)
	}
}

// What is erased is not in the log's files any more, and can be captured again at once.
func TestErasedFramesAreGoneAndMayComeAgain(t *testing.T) {
	dir := t.TempDir()
	n := chainedNode(t, dir)
	frame := testFrame("a", 700)
	erase(t, n, 701)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".blk" {
			return err
		}
		block, err := os.ReadFile(path)
		if bytes.Contains(block, frame.Body) {
			t.Errorf("%s still has the body", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	acks, err := n.publisher(t, PublisherConfig{}).Publish(testContext(t), frame)
	if err != nil || acks[0].Duplicate {
		t.Errorf("acknowledged as %+v, %v", acks, err)
	}
}

func TestTombstones(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir, smallConfig())
	for _, name := range []string{"Wf-1", "ž|/ *>", ""} {
		if n.Forgotten().Has(name, 1) {
			t.Errorf("%q is forgotten already", name)
		}
		if err := n.Bury(testContext(t), Tombstone{Workflow: name, Through: 10, By: "test", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	n.stop(t)
	n = startNode(t, dir, smallConfig())
	for name, want := range map[string]bool{" wf-1 ": true, "WF-1": true, "Ž|/ *>": true, "": true, "wf-2": false} {
		if got := n.Forgotten().Has(name, 10); got != want {
			t.Errorf("%q is forgotten: %t, want %t", name, got, want)
		}
		if n.Forgotten().Has(name, 11) {
			t.Errorf("%q is forgotten beyond its tombstone", name)
		}
	}
	all, err := n.Tombstones(testContext(t))
	if err != nil || len(all) != 3 || all[0].Workflow != "Wf-1" {
		t.Errorf("%+v, %v", all, err)
	}
}

// A client that goes away while ids are forgotten does not leave the log with a window in which no retry is recognised.
func TestErasureLeavesTheDuplicateWindow(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	ctx, cancel := context.WithCancel(testContext(t))
	window := func() time.Duration {
		info, err := n.Bronze().Info(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		return info.Config.Duplicates
	}
	done := make(chan error)
	go func() { done <- n.forgetIDs(ctx) }()
	for window() == smallConfig().DuplicateWindow {
	}
	cancel()
	err := <-done
	if got := window(); err != nil || got != smallConfig().DuplicateWindow {
		t.Errorf("the window is %v, %v", got, err)
	}
}
