package state

import (
	"errors"
	"slices"

	"assay/consumers/gold/model"
)

// Journal keeps commits in their order: a streams.Journal, in a fleet. One that fails goes on failing: what it then has of the last commit is unknown, so the state
// must be made even with it (see Copy) before anything else is committed.
type Journal interface {
	// Append stores a commit, durably, and returns its sequence.
	Append(commit []byte) (seq uint64, err error)
}

// Copy is the state of a partition that another process owns, kept even with its journal.
type Copy struct{ State *DB }

// Seq is the sequence of the journal's last record that the copy has.
func (c *Copy) Seq() (seq uint64, err error) {
	_, err = Get(c.State, []byte{model.KeyJournal}, func(value []byte) error {
		d := model.Decoder{Rest: value}
		seq = d.Uint()
		return d.End()
	})
	return seq, err
}

// Apply makes a commit of the journal take effect; an empty one only moves the sequence on. Errors wrap ErrState.
func (c *Copy) Apply(record []byte, seq uint64) error {
	writes := c.State.NewBatch()
	defer writes.Close()
	if len(record) > 0 {
		if err := writes.SetRepr(record); err != nil {
			return Wrap("read the journal", err)
		}
	}
	return commitCopy(writes, seq)
}

// Close closes the state.
func (c *Copy) Close() error { return c.State.Close() }

// rebaseBytes is about how much of the state one commit of a Rebase holds.
const rebaseBytes = 4 << 20

// Rebase writes the whole state into the journal, and returns the sequence up to which nothing is needed any more. Other commits
// come in between. If it stops halfway, what it has written changes nothing: each of its commits makes one range of keys what it is.
func (s *DB) Rebase() (before uint64, err error) {
	if before, err = (&Copy{s}).Seq(); err != nil {
		return 0, err
	}
	for from := []byte{0}; from != nil && err == nil; {
		from, err = s.RebaseRange(from, rebaseBytes)
	}
	return before, err
}

// RebaseRange commits to the journal what the state has from a key on, about so many bytes of it, and returns the key to go on
// with, nil at the end.
func (s *DB) RebaseRange(from []byte, bytes int) (next []byte, err error) {
	s.journaling.Lock()
	defer s.journaling.Unlock()
	var keys, values [][]byte
	err = scanBetween(s.db, from, nil, func(k, value []byte) (bool, error) {
		if bytes <= 0 {
			next = append(next, k...)
			return false, nil
		}
		if k[0] != model.KeyJournal {
			keys, values = append(keys, slices.Clone(k)), append(values, slices.Clone(value))
			bytes -= len(k) + len(value)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	end := next
	if end == nil {
		end = []byte{0xFF}
	}
	writes := s.db.NewBatch()
	defer writes.Close()
	err = writes.DeleteRange(from, end, nil) // of what a copy has that missed some commits
	for i, k := range keys {
		err = errors.Join(err, writes.Set(k, values[i], nil))
	}
	if err != nil {
		return nil, Wrap("write", err)
	}
	seq, err := s.journal.Append(writes.Repr())
	if err != nil {
		return nil, Wrap("journal", err)
	}
	moved := s.db.NewBatch()
	defer moved.Close()
	return next, commitCopy(moved, seq)
}
