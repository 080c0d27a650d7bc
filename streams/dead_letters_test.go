package streams

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// writeLetters writes n letters, each after a frame of its own.
func writeLetters(t *testing.T, node *node, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		for _, subject := range []string{"bronze.event.w", "dead.event"} {
			msg := nats.NewMsg(subject)
			msg.Data = fmt.Appendf(nil, "%0100d", i)
			if err := node.PublishMsgs(testContext(t), msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	extendChain(t, node)
}

func missingLetters(t *testing.T, n *node) []Stretch {
	t.Helper()
	found, err := n.MissingLetters(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func keptFrom(t *testing.T, n *node) uint64 {
	t.Helper()
	seq, err := n.LettersKeptFrom(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// Letters whose files are gone are missed at every start, until somebody has written again what can be.
func TestMissingLettersOfLostFiles(t *testing.T) {
	dir := t.TempDir()
	n := startNode(t, dir, smallConfig())
	writeLetters(t, n, 0, 10)
	if found := missingLetters(t, n); len(found) > 0 {
		t.Errorf("a whole stream misses %v", found)
	}
	n.stop(t)
	for _, pattern := range []string{"*.blk", "index.db"} {
		removeAll(t, filepath.Join(streamDir(dir, StreamDead), messagesDir, pattern))
	}
	for range 2 {
		n = startNode(t, dir, smallConfig())
		extendChain(t, n)
		if found, want := missingLetters(t, n), []Stretch{{1, 10}}; !slices.Equal(found, want) {
			t.Errorf("missing %v, want %v", found, want)
		}
		if seq := keptFrom(t, n); seq != 1 {
			t.Errorf("limits have taken letters of frames before %d", seq)
		}
		n.stop(t)
	}
	n = startNode(t, dir, smallConfig())
	if err := n.AcceptLetters(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if found := missingLetters(t, n); len(found) > 0 {
		t.Errorf("missing %v, which was accepted", found)
	}
}

// What was erased is not missing, and what is missing between erased letters is.
func TestMissingLettersBesidesErased(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	writeLetters(t, n, 0, 20)
	for _, sequences := range [][]uint64{{1, 2, 5}, {20, 7}, {3}} {
		if erased, err := n.EraseLetters(testContext(t), sequences); err != nil || erased != len(sequences) {
			t.Fatalf("%d erased, %v", erased, err)
		}
	}
	if found := missingLetters(t, n); len(found) > 0 {
		t.Errorf("missing %v", found)
	}
	for _, seq := range []uint64{4, 6, 8, 9} {
		if err := n.Dead().DeleteMsg(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	if found, want := missingLetters(t, n), []Stretch{{4, 4}, {6, 6}, {8, 9}}; !slices.Equal(found, want) {
		t.Errorf("missing %v, want %v", found, want)
	}
}

// What a limit has taken is not missing, also when the limit is another one; what vanishes afterwards is.
func TestMissingLettersOfALimitedStream(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	writeLetters(t, n, 0, 20)
	if seq := keptFrom(t, n); seq != 1 {
		t.Errorf("limits have taken letters of frames before %d", seq)
	}
	whole := n.Dead().CachedInfo().Config
	limited := whole
	limited.MaxMsgs = 8
	for _, cfg := range []jetstream.StreamConfig{limited, whole} {
		if _, err := n.JetStream().UpdateStream(testContext(t), cfg); err != nil {
			t.Fatal(err)
		}
		extendChain(t, n)
		// Of frame 13 the letter is the first that is kept, and came later.
		if seq := keptFrom(t, n); seq != 14 {
			t.Errorf("letters are kept of frames from %d on", seq)
		}
		if found := missingLetters(t, n); len(found) > 0 {
			t.Errorf("missing %v", found)
		}
	}
	if err := n.Dead().Purge(testContext(t), jetstream.WithPurgeSequence(16)); err != nil {
		t.Fatal(err)
	}
	if found, want := missingLetters(t, n), []Stretch{{13, 15}}; !slices.Equal(found, want) {
		t.Errorf("missing %v, want %v", found, want)
	}
	if seq := keptFrom(t, n); seq != 14 {
		t.Errorf("what has vanished counts as taken by a limit, up to frame %d", seq)
	}
}

// An operator's limit by subject may take any letter.
func TestLettersLimitedBySubject(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	writeLetters(t, n, 0, 5)
	cfg := n.Dead().CachedInfo().Config
	cfg.MaxMsgsPerSubject = 2
	if _, err := n.JetStream().UpdateStream(testContext(t), cfg); err != nil {
		t.Fatal(err)
	}
	if found, seq := missingLetters(t, n), keptFrom(t, n); len(found) > 0 || seq != 6 {
		t.Errorf("missing %v, kept from frame %d on", found, seq)
	}
}

// Of a data directory of a version that kept no book nothing is said to be missing that went before there was one.
func TestLettersWithoutABook(t *testing.T) {
	n := startNode(t, t.TempDir(), smallConfig())
	writeLetters(t, n, 0, 9)
	for _, seq := range []uint64{1, 5} {
		if err := n.Dead().DeleteMsg(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.State().Purge(testContext(t), lettersKey); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if found := missingLetters(t, n); len(found) > 0 {
			t.Errorf("missing %v", found)
		}
		extendChain(t, n)
	}
	if err := n.Dead().DeleteMsg(testContext(t), 7); err != nil {
		t.Fatal(err)
	}
	if found, want := missingLetters(t, n), []Stretch{{7, 7}}; !slices.Equal(found, want) {
		t.Errorf("missing %v, want %v", found, want)
	}
}

// The stretches that are gone are few and in order, and those that a limit has passed are forgotten.
func TestLetterBookStaysSmall(t *testing.T) {
	b := letterBook{Left: 3}
	for _, s := range []Stretch{{9, 9}, {1, 2}, {5, 6}, {7, 7}, {3, 4}, {6, 8}} {
		b.give([]Stretch{s})
	}
	if want := []Stretch{{3, 9}}; !slices.Equal(b.Gone, want) {
		t.Errorf("gone %v, want %v", b.Gone, want)
	}
	many := make([]Stretch, goneMax+1)
	for i := range many {
		many[i] = Stretch{uint64(20 + 2*i), uint64(20 + 2*i)}
	}
	if b.give(many); len(b.Gone) != 1 || b.Gone[0].From != 3 {
		t.Errorf("%d stretches are gone", len(b.Gone))
	}
}
