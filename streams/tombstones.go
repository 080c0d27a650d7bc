package streams

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/kernels"
)

// Tombstone says that a workflow is forgotten: no layer above BRONZE has anything of its frames up to Through, and a rebuild,
// a replay into tables or a redelivery does not bring it back. What is captured later is new.
type Tombstone struct {
	Workflow  string    `json:"workflow"`
	Spellings []string  `json:"spellings"` // that traces had of it; identities do not tell them apart
	Through   uint64    `json:"through"`   // last sequence of BRONZE that it covers
	Bronze    bool      `json:"bronze"`    // its frames are erased, too
	By        string    `json:"by"`        // who asked for it
	At        time.Time `json:"at"`
	Done      bool      `json:"done"` // nothing is left to be removed
}

// Tombstones tell which events are forgotten. A Forgotten does.
type Tombstones interface {
	// Has tells whether an event of a workflow in a frame of BRONZE is forgotten.
	Has(workflow string, bronzeSeq uint64) bool
}

// Forgotten answers which events are forgotten. It may be used by several goroutines; the zero value knows of none.
type Forgotten struct {
	mu      sync.RWMutex
	through map[string]uint64 // by workflow in normal form
	at      map[string]time.Time
	upTo    uint64            // the most of through
	latest  time.Time         // the last of at
	names   map[string]string // normal forms of names that were asked about
}

// namesMax bounds the names that are remembered.
const namesMax = 1 << 16

// Has tells whether an event of a workflow in a frame of BRONZE is forgotten.
func (f *Forgotten) Has(workflow string, seq uint64) bool {
	f.mu.RLock()
	if len(f.through) == 0 {
		f.mu.RUnlock()
		return false
	}
	name, known := f.names[workflow]
	through := f.through[name]
	f.mu.RUnlock()
	if known {
		return seq <= through
	}
	return seq <= f.look(workflow)
}

// HadBefore tells whether an event of a workflow in a frame that an edge has forwarded is forgotten, because its edge stored it before
// the workflow was forgotten here, by the clocks of both.
func (f *Forgotten) HadBefore(workflow string, edgeTime time.Time) bool {
	if edgeTime.IsZero() {
		return false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if len(f.at) == 0 {
		return false
	}
	at, found := f.at[normalForm(workflow)]
	return found && !edgeTime.After(at)
}

// UpTo is the last sequence of BRONZE in which anything is forgotten.
func (f *Forgotten) UpTo() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.upTo
}

// Since tells whether anything was forgotten at a time or later.
func (f *Forgotten) Since(t time.Time) bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return !f.latest.Before(t)
}

// look finds out about a name that was not asked about before.
func (f *Forgotten) look(workflow string) (through uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.names) == namesMax {
		clear(f.names)
	}
	name := normalForm(workflow)
	f.names[strings.Clone(workflow)] = name
	return f.through[name]
}

// Add notes a tombstone that is in the log.
func (f *Forgotten) Add(t Tombstone) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.through == nil {
		f.through, f.at, f.names = map[string]uint64{}, map[string]time.Time{}, map[string]string{}
	}
	name := normalForm(t.Workflow)
	f.through[name] = max(f.through[name], t.Through)
	f.upTo = max(f.upTo, t.Through)
	if t.At.After(f.at[name]) {
		f.at[name] = t.At
	}
	if t.At.After(f.latest) {
		f.latest = t.At
	}
}

// normalForm is the same for names of workflows that identities do not tell apart.
func normalForm(workflow string) string { return kernels.NormaliseString(workflow, false) }

// Forgotten tells which events are forgotten, as of Open and of what this Log has buried since.
func (l *Log) Forgotten() *Forgotten { return &l.forgotten }

// Bury writes a tombstone, durably, over an earlier one of the same workflow.
func (l *Log) Bury(ctx context.Context, t Tombstone) error {
	value, err := json.Marshal(t)
	if err == nil {
		_, err = l.tombstones.Put(ctx, tombstoneKey(t.Workflow), value)
	}
	if err != nil {
		return fmt.Errorf("streams: write the tombstone of %q: %w", t.Workflow, err)
	}
	l.forgotten.Add(t)
	return nil
}

// Tombstones returns all tombstones, the oldest first.
func (l *Log) Tombstones(ctx context.Context) ([]Tombstone, error) {
	found, err := entries(ctx, l.tombstones, ">")
	if err != nil {
		return nil, fmt.Errorf("streams: read tombstones: %w", err)
	}
	all := []Tombstone{}
	for _, entry := range found {
		var t Tombstone
		if err := json.Unmarshal(entry.Value(), &t); err != nil {
			return nil, fmt.Errorf("%w: key %s of bucket %s: %w", ErrTombstone, entry.Key(), BucketForgotten, err)
		}
		all = append(all, t)
	}
	slices.SortStableFunc(all, func(a, b Tombstone) int { return a.At.Compare(b.At) })
	return all, nil
}

// Tombstone returns that of a workflow, nil if it has none.
func (l *Log) Tombstone(ctx context.Context, workflow string) (*Tombstone, error) {
	entry, err := l.tombstones.Get(ctx, tombstoneKey(workflow))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("streams: read the tombstone of %q: %w", workflow, err)
	}
	var t Tombstone
	if err := json.Unmarshal(entry.Value(), &t); err != nil {
		return nil, fmt.Errorf("%w: key %s of bucket %s: %w", ErrTombstone, entry.Key(), BucketForgotten, err)
	}
	return &t, nil
}

// tombstoneKey is a hash, because few names are legal keys.
func tombstoneKey(workflow string) string {
	sum := sha256.Sum256([]byte(normalForm(workflow)))
	return hex.EncodeToString(sum[:])
}

// WatchForgotten notes tombstones that other processes write, until ctx ends.
func (l *Log) WatchForgotten(ctx context.Context) error {
	for ctx.Err() == nil {
		watch, err := l.tombstones.WatchAll(ctx, jetstream.IgnoreDeletes())
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("streams: watch the tombstones: %w", err)
		}
		for entry := range watch.Updates() {
			var t Tombstone
			if entry != nil && json.Unmarshal(entry.Value(), &t) == nil {
				l.forgotten.Add(t)
			}
		}
		_ = watch.Stop() // the server forgets it anyway
	}
	return nil
}

// loadForgotten reads the tombstones when the log is opened.
func (l *Log) loadForgotten(ctx context.Context) error {
	all, err := l.Tombstones(ctx)
	for _, t := range all {
		l.forgotten.Add(t)
	}
	return err
}
