package gold

import (
	"fmt"
)

// Journal keeps commits in their order. One that fails goes on failing: what it then has of the last commit is unknown, so the state
// must be made even with it (see Copy) before anything else is committed.
type Journal interface {
	// Append stores a commit, durably, and returns its sequence.
	Append(commit []byte) (seq uint64, err error)
}

// Copy is the state of a partition that another process owns, kept even with its journal.
type Copy struct{ state *state }

// OpenCopy opens the state in the directory of the options, or begins an empty one. Errors wrap ErrState.
func OpenCopy(opts Options) (*Copy, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	if err := opts.FS.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	st, err := openState(opts.Dir, opts.FS, opts.CacheBytes, stateLogger{opts.Logger})
	if err != nil {
		return nil, err
	}
	return &Copy{st}, nil
}

// Seq is the sequence of the journal's last record that the copy has.
func (c *Copy) Seq() (seq uint64, err error) {
	_, err = c.state.get([]byte{keyJournal}, func(value []byte) error {
		d := decoder{rest: value}
		seq = d.uint()
		return d.end()
	})
	return seq, err
}

// Apply makes a commit of the journal take effect; an empty one only moves the sequence on. Errors wrap ErrState.
func (c *Copy) Apply(record []byte, seq uint64) error {
	writes := c.state.db.NewBatch()
	defer writes.Close()
	if len(record) > 0 {
		if err := writes.SetRepr(record); err != nil {
			return stateError("read the journal", err)
		}
	}
	return commitCopy(writes, seq)
}

// Close closes the state.
func (c *Copy) Close() error { return c.state.close() }

const (
	// rebaseBytes is about how much of the state one commit of a Rebase holds.
	rebaseBytes = 4 << 20
)

// Rebase writes the whole state into the journal, and returns the sequence up to which nothing is needed any more. Nothing is
// committed meanwhile.
func (g *Gold) Rebase() (before uint64, err error) {
	s := g.state
	s.journaling.Lock()
	defer s.journaling.Unlock()
	if before, err = (&Copy{s}).Seq(); err != nil {
		return 0, err
	}
	writes := s.db.NewBatch()
	defer func() { writes.Close() }()
	if err := writes.DeleteRange([]byte{0}, []byte{0xFF}, nil); err != nil { // what a copy has that missed some commits
		return 0, stateError("write", err)
	}
	var last uint64
	hand := func() error {
		seq, err := s.journal.Append(writes.Repr())
		if err != nil {
			return stateError("journal", err)
		}
		last = seq
		writes.Reset()
		return nil
	}
	err = scan(s.db, nil, func(k, value []byte) (bool, error) {
		if k[0] == keyJournal {
			return true, nil
		}
		if err := writes.Set(k, value, nil); err != nil {
			return false, stateError("write", err)
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
