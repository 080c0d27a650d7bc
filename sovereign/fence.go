package sovereign

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strconv"
	"sync"
)

// Epochs tells, by duty, which owner of it is meant: whoever takes a duty over begins a higher epoch.
type Epochs map[string]uint64

// Upkeep is the duty of who compacts and indexes the tables.
const Upkeep = "upkeep"

// Partition is the duty of who writes the rows of a partition.
func Partition(p int) string { return strconv.Itoa(p) }

// Claim takes duties over: it begins their epochs in all tables, and from then on what is written under an earlier one is refused
// with ErrFenced (compared in native/src/fence.rs, by the committer), whichever process it comes from and however long that slept.
// Each epoch must be higher than the one that the duty is in (Store.Epochs), else Claim fails with ErrFenced itself. If it fails halfway
// some tables are in the new epoch; claim a higher one then.
func (s *Store) Claim(ctx context.Context, epochs Epochs) error {
	return s.onAll(ctx, "claim", func(t *openTable) error { return t.native.claim(epochs.json()) })
}

// Epochs returns the epoch that each duty is in: the highest of any table.
func (s *Store) Epochs(ctx context.Context) (Epochs, error) {
	var mu sync.Mutex
	highest := Epochs{}
	err := s.onAll(ctx, "read the epochs of", func(t *openTable) error {
		epochs, err := t.native.currentEpochs()
		mu.Lock()
		defer mu.Unlock()
		for duty, epoch := range epochs {
			highest[duty] = max(highest[duty], epoch)
		}
		return err
	})
	return highest, err
}

// Fenced returns the store as the owner of duties writes to it: each write is refused with ErrFenced, and leaves no rows, unless
// the table is in exactly these epochs. It shares everything else with s, and closing either closes both. After Reshape ask for it again.
func (s *Store) Fenced(epochs Epochs) *Store {
	fenced := *s
	fenced.tables = maps.Clone(s.tables)
	for name, t := range fenced.tables {
		bound := *t
		bound.native = &nativeTable{open: t.native.open, epochs: epochs.json()}
		fenced.tables[name] = &bound
	}
	return &fenced
}

func (e Epochs) json() string {
	text, _ := json.Marshal(map[string]uint64(e)) // numbers by name always have a form in JSON
	return string(text)
}

// onAll runs call on all tables side by side.
func (s *Store) onAll(ctx context.Context, doing string, call func(*openTable) error) error {
	if !s.opened.Load() {
		return s.unreached()
	}
	var (
		wait sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for name := range s.tables {
		wait.Go(func() {
			err := s.on(ctx, doing, name, call)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
