package sovereign

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"assay/sovereign/schema"
)

const (
	// troubleForgotten is how long after the last failure Trouble looks whether the tables can be reached again: until then
	// whoever writes finds out.
	troubleForgotten = time.Minute
	// troubleLook is how long that look may take.
	troubleLook = 2 * time.Second
)

// trouble is what keeps a disk or an object store from being read or written.
type trouble struct {
	mu          sync.Mutex
	since, last time.Time
	err         error
}

// Trouble tells what has kept the tables from being read or written since a time, nil if nothing does. It wraps ErrIO.
func (s *Store) Trouble(ctx context.Context) error {
	t := &s.calls.trouble
	t.mu.Lock()
	since, last, err := t.since, t.last, t.err
	t.mu.Unlock()
	if err == nil {
		return nil
	}
	if time.Since(last) > troubleForgotten {
		look, cancel := context.WithTimeout(ctx, troubleLook)
		defer cancel()
		if s.refresh(look, schema.Shed) == nil {
			t.over()
			return nil
		}
	}
	return fmt.Errorf("the tables at %s cannot be reached since %s: %w", s.root, since.UTC().Format(time.RFC3339), err)
}

// note remembers that a call failed because files could not be read or written.
func (t *trouble) note(err error) {
	if !errors.Is(err, ErrIO) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
	if t.err == nil {
		t.since, t.err = t.last, err
	}
}

// over ends the trouble: something was read or written that is not in memory.
func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = nil
}
