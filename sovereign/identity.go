package sovereign

import (
	"context"
	"strings"

	"assay/sovereign/schema"
)

// An identity is kept in the config of each table as two duties that begin once, in epoch 1.
const (
	storeDuty = "store."
	logDuty   = "log."
)

// Identity returns that of the store, empty where none was written.
func (s *Store) Identity(ctx context.Context) (id schema.Identity, err error) {
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
func (s *Store) Identify(ctx context.Context, id schema.Identity) error {
	return s.Claim(ctx, Epochs{storeDuty + id.Store: 1, logDuty + id.Log: 1})
}
