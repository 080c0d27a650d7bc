package gold

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// keyAside is where the state remembers which entities it cannot read, each with the reason. They are passed over, so that all
// else goes on; `assay rebuild` makes them anew from the log, and an audit names them.
const keyAside = 'X'

// errUnreadable means that a stored record is not what this program writes.
var errUnreadable = fmt.Errorf("%w: a stored record is unreadable", ErrState)

// aside gathers the entities that a flush cannot read.
type aside map[uuid.UUID]error

// take tells whether an error is about what is stored of the entity; if so it sets that aside.
func (a aside) take(id uuid.UUID, err error) bool {
	if !errors.Is(err, errUnreadable) {
		return false
	}
	a[id] = err
	return true
}

// setAside remembers and reports what was gathered.
func (g *Gold) setAside(writes *pebble.Batch, a aside) error {
	for id, reason := range a {
		g.opts.Logger.Error("gold: an entity cannot be read and is passed over; `assay rebuild` makes it anew", "entity", id, "error", reason)
		if err := writes.Set(key(keyAside, id), []byte(reason.Error()), nil); err != nil {
			return stateError("write", err)
		}
	}
	return nil
}

// maxAside bounds what Unreadable counts.
const maxAside = 1000

// Unreadable counts the entities that were set aside because the state cannot be read of them, up to maxAside.
func (g *Gold) Unreadable() (n int, err error) {
	err = scan(g.state.db, []byte{keyAside}, func(_, _ []byte) (bool, error) {
		n++
		return n < maxAside, nil
	})
	return n, err
}
