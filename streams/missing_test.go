package streams

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func missing(t *testing.T, n *node) []Stretch {
	t.Helper()
	found, err := n.Missing(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func isWhole(t *testing.T, n *node) bool {
	t.Helper()
	whole, err := n.Whole(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// Frames whose files are gone did not leave by a limit; that shows at every start, and in the chain.
func TestMissingFiles(t *testing.T) {
	const frames = 2*ChainEvery + 100
	for name, patterns := range map[string][]string{
		"blocks":           {"*.blk"},
		"blocks and index": {"*.blk", "index.db"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			n := chainedNode(t, dir)
			if found := missing(t, n); len(found) > 0 {
				t.Errorf("a whole log misses %v", found)
			}
			n.stop(t)
			for _, pattern := range patterns {
				removeAll(t, filepath.Join(streamDir(dir, StreamBronze), messagesDir, pattern))
			}
			for range 2 {
				n = startNode(t, dir, smallConfig())
				extendChain(t, n)
				if found, want := missing(t, n), []Stretch{{1, frames}}; !slices.Equal(found, want) {
					t.Errorf("missing %v, want %v", found, want)
				}
				if r := verifyChain(t, n); len(r.Breaks) != 1 || r.Breaks[0].From != 1 || r.Breaks[0].To != frames {
					t.Errorf("breaks %+v", r.Breaks)
				}
				n.stop(t)
			}
		})
	}
}

// What was erased is not missing, and what is missing between erased frames is.
func TestMissingBesidesErased(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	if _, err := n.Erase(testContext(t), []uint64{1, 2, 3, 10, 12}); err != nil {
		t.Fatal(err)
	}
	if found := missing(t, n); len(found) > 0 || !isWhole(t, n) {
		t.Errorf("missing %v", found)
	}
	for _, seq := range []uint64{4, 11, 13} {
		if err := n.Bronze().DeleteMsg(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	if found, want := missing(t, n), []Stretch{{4, 4}, {11, 11}, {13, 13}}; !slices.Equal(found, want) {
		t.Errorf("missing %v, want %v", found, want)
	}
	for i := range uint64(2) { // what was accepted stays so when more is
		if err := n.Accept(testContext(t), missing(t, n)); err != nil {
			t.Fatal(err)
		}
		if found := missing(t, n); len(found) > 0 {
			t.Errorf("missing %v, which was accepted", found)
		}
		if isWhole(t, n) {
			t.Error("a loss that was accepted makes the log whole")
		}
		if err := n.Bronze().DeleteMsg(testContext(t), 20+i); err != nil {
			t.Fatal(err)
		}
	}
}

// What a ring has dropped is not missing, also when it is no ring any more; what vanishes from it afterwards is.
func TestMissingFromALimitedLog(t *testing.T) {
	n := chainedNode(t, t.TempDir())
	whole := n.Bronze().CachedInfo().Config
	limit(t, n, 300<<10)
	extendChain(t, n)
	if _, err := n.JetStream().UpdateStream(testContext(t), whole); err != nil {
		t.Fatal(err)
	}
	if found := missing(t, n); len(found) > 0 || isWhole(t, n) {
		t.Errorf("missing %v, or whole", found)
	}
	info, err := n.Bronze().Info(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	first := info.State.FirstSeq
	if err := n.Bronze().Purge(testContext(t), jetstream.WithPurgeSequence(first+5)); err != nil {
		t.Fatal(err)
	}
	if found, want := missing(t, n), []Stretch{{first, first + 4}}; first == 1 || !slices.Equal(found, want) {
		t.Errorf("missing %v, want %v", found, want)
	}
}

func TestAgedUpTo(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	kept := []Checkpoint{{Seq: 10, At: now.Add(-3 * time.Hour)}, {Seq: 20, At: now.Add(-time.Hour)}, {Seq: 30, At: now}}
	var got []uint64
	for _, age := range []time.Duration{4 * time.Hour, 2 * time.Hour, time.Hour, time.Minute} {
		got = append(got, agedUpTo(kept, 25, now.Add(-age)))
	}
	if want := []uint64{0, 10, 24, 24}; !reflect.DeepEqual(got, want) {
		t.Errorf("aged up to %v, want %v", got, want)
	}
	if seq := agedUpTo(kept, 5, now.Add(-time.Hour)); seq != 4 {
		t.Errorf("without a checkpoint before: %d", seq)
	}
}

// streamDir is where the server of a data directory keeps a stream.
func streamDir(data, stream string) string {
	return filepath.Join(data, storeDir, accountsDir, "$G", streamsDir, stream)
}

func removeAll(t *testing.T, pattern string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s matches %v, %v", pattern, names, err)
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}
