package gold

import (
	"bytes"
	"maps"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// memoryJournal keeps commits in memory.
type memoryJournal struct{ commits [][]byte }

func (j *memoryJournal) Append(commit []byte) (uint64, error) {
	j.commits = append(j.commits, bytes.Clone(commit))
	return uint64(len(j.commits)), nil
}

// since is the state that whoever reads the journal from a commit on makes of it.
func (j *memoryJournal) since(t *testing.T, opts Options, from int) map[string]string {
	t.Helper()
	opts.FS = vfs.NewMem()
	c, err := OpenCopy(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // of memory
	for i := from; i < len(j.commits); i++ {
		if err := c.Apply(bytes.Clone(j.commits[i]), uint64(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	return everything(t, c.State)
}

// everything is all that a state has, byte for byte, but for how far it has come in the journal.
func everything(t *testing.T, s *state.DB) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := state.Scan(s, nil, func(k, value []byte) (bool, error) {
		if k[0] != model.KeyJournal {
			all[string(k)] = string(value)
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A state that is written into the journal anew, a range of keys at a time, is the same to whoever reads all of the journal, wherever
// its owner has died, and once it is done to who reads only from there on; other commits come in between.
func TestRebase(t *testing.T) {
	journal := &memoryJournal{}
	opts := testOptions(newMemory())
	opts.Journal = journal
	g := open(t, opts)
	defer func() { _ = g.Close() }() // of memory
	seq := deliver(t, g, 1, [][]capture{someCalls(0, 40)})
	begun, ranges := len(journal.commits), 0
	for from := []byte{0}; from != nil; ranges++ {
		var err error
		if from, err = g.db.RebaseRange(from, 1<<10); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(journal.since(t, opts, 0), everything(t, g.db)) {
			t.Fatalf("who takes over after %d ranges has another state", ranges+1)
		}
		if ranges < 10 {
			seq = deliver(t, g, seq, [][]capture{someCalls(40+ranges, 1)})
		}
	}
	if ranges < 10 {
		t.Errorf("the state has %d ranges: too few to tell anything", ranges)
	}
	if !maps.Equal(journal.since(t, opts, begun), everything(t, g.db)) {
		t.Error("who reads only what was written anew has another state")
	}

	before, err := g.Rebase()
	if err != nil || before >= uint64(len(journal.commits)) {
		t.Fatalf("rebase: up to %d of %d, error %v", before, len(journal.commits), err)
	}
	if !maps.Equal(journal.since(t, opts, int(before)), everything(t, g.db)) {
		t.Error("who reads only what comes after what a rebase names has another state")
	}
}
