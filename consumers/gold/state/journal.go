package state

import (
	"assay/consumers/gold/model"
)

// Journal keeps commits in their order. One that fails goes on failing: what it then has of the last commit is unknown, so the state
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

const (
	// rebaseBytes is about how much of the state one commit of a Rebase holds.
	rebaseBytes = 4 << 20
)

// Rebase writes the whole state into the journal, and returns the sequence up to which nothing is needed any more. Nothing is
// committed meanwhile.
func (s *DB) Rebase() (before uint64, err error) {
	s.journaling.Lock()
	defer s.journaling.Unlock()
	if before, err = (&Copy{s}).Seq(); err != nil {
		return 0, err
	}
	writes := s.db.NewBatch()
	defer func() { writes.Close() }()
	if err := writes.DeleteRange([]byte{0}, []byte{0xFF}, nil); err != nil { // what a copy has that missed some commits
		return 0, Wrap("write", err)
	}
	var last uint64
	hand := func() error {
		seq, err := s.journal.Append(writes.Repr())
		if err != nil {
			return Wrap("journal", err)
		}
		last = seq
		writes.Reset()
		return nil
	}
	err = Scan(s.db, nil, func(k, value []byte) (bool, error) {
		if k[0] == model.KeyJournal {
			return true, nil
		}
		if err := writes.Set(k, value, nil); err != nil {
			return false, Wrap("write", err)
		}
		if writes.Len() < rebaseBytes {
			return true, nil
		}
		return true, hand()
	})
	if err == nil {
		err = hand()
	}
	if err != nil {
		return 0, err
	}
	return before, commitCopy(writes, last)
}
