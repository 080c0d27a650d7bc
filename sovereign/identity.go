package sovereign

import (
	"context"
	"strings"
)

// Identity tells a store, and the log that it belongs to, from any other. Both are ids without dots.
type Identity struct{ Store, Log string }

// An identity is kept in the config of each table as two duties that begin once, in epoch 1.
const (
	storeDuty = "store."
	logDuty   = "log."
)

// Identity returns that of the store, empty where none was written.
func (s *Store) Identity(ctx context.Context) (id Identity, err error) {
	duties, err := s.Epochs(ctx)
	for duty := range duties {
		if store, found := strings.CutPrefix(duty, storeDuty); found {
			id.Store = store
		}
		if log, found := strings.CutPrefix(duty, logDuty); found {
			id.Log = log
		}
	}
	return id, err
}

// Identify writes the identity of a store that has none.
func (s *Store) Identify(ctx context.Context, id Identity) error {
	return s.Claim(ctx, Epochs{storeDuty + id.Store: 1, logDuty + id.Log: 1})
}
