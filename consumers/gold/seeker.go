package gold

import (
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// getter is what looks up a key: a reader of the state store, or a seeker.
type getter interface {
	Get(key []byte) (value []byte, closer io.Closer, err error)
}

// seeker looks up keys most of which are not there, as they were when it was first asked. A reader's own Get would read a
// block for each, because it does without the Bloom filters of the lowest level, where nearly everything lies.
type seeker struct {
	from pebble.Reader
	it   *pebble.Iterator
}

// Get implements getter. The value is good until the next call.
func (s *seeker) Get(key []byte) (value []byte, closer io.Closer, err error) {
	if s.it == nil {
		if s.it, err = s.from.NewIter(&pebble.IterOptions{UseL6Filters: true}); err != nil {
			return nil, nil, err
		}
	}
	if !s.it.SeekPrefixGE(key) { // a key of the state store is its own prefix
		if err := s.it.Error(); err != nil {
			return nil, nil, err
		}
		return nil, nil, pebble.ErrNotFound
	}
	value, err = s.it.ValueAndErr()
	return value, nothing{}, err
}

// close frees what Get has opened. What went wrong, Get has told.
func (s *seeker) close() {
	if s.it != nil {
		_ = s.it.Close()
	}
}

// nothing closes nothing.
type nothing struct{}

func (nothing) Close() error { return nil }
