package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Member is a worker.
type Member struct {
	Name     string    `json:"name"`
	Instance string    `json:"instance"` // tells one start of it from another
	URL      string    `json:"url,omitempty"`
	Version  string    `json:"version,omitempty"`
	Folds    bool      `json:"folds"` // it may own partitions
	Started  time.Time `json:"started_at"`
	Copies   []int     `json:"copies,omitempty"` // partitions of whose state it has a current copy
}

// seen is a member as it was last heard of.
type seen struct {
	Member
	revision uint64
	at       time.Time // by this worker's monotonic clock
}

// join writes the own key. One that an earlier start left behind must have been silent for as long as the dead are.
func (f *Fleet) join(ctx context.Context) error {
	value, err := json.Marshal(f.opts.Self)
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	var silent uint64 // revision that was seen
	for {
		entry, err := f.opts.Members.Get(ctx, f.opts.Self.Name)
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			f.revision, err = f.opts.Members.Create(ctx, f.opts.Self.Name, value)
		case err == nil && entry.Revision() == silent:
			f.revision, err = f.opts.Members.Update(ctx, f.opts.Self.Name, value, silent)
		case err == nil && silent != 0:
			return fmt.Errorf("%w: %q: give this one another by --name", ErrName, f.opts.Self.Name)
		case err == nil:
			silent = entry.Revision()
			if err = wait(ctx, f.opts.DeadAfter); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("fleet: join: %w", err)
		}
		return nil
	}
}

// beatRegularly renews the own key until ctx ends, whatever else this worker waits for.
func (f *Fleet) beatRegularly(ctx context.Context) {
	tick := time.NewTicker(f.opts.Beat)
	defer tick.Stop()
	for failing := false; ; {
		began := time.Now()
		err := f.beat(ctx)
		if err == nil {
			err = f.touched(ctx, began)
		}
		if err != nil && !failing && ctx.Err() == nil {
			f.opts.Logger.Warn("fleet: out of touch with the log", "error", err)
		}
		failing = err != nil
		f.removeDead(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-f.renew:
		}
	}
}

// beat renews the own key.
func (f *Fleet) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*f.opts.Beat)
	defer cancel()
	value, err := json.Marshal(f.self())
	if err != nil {
		return err
	}
	revision, err := f.opts.Members.Update(ctx, f.opts.Self.Name, value, f.revision)
	if err == nil {
		f.revision = revision
		return nil
	}
	// The answer to an earlier beat may have been lost, or the key removed.
	entry, getErr := f.opts.Members.Get(ctx, f.opts.Self.Name)
	if errors.Is(getErr, jetstream.ErrKeyNotFound) {
		f.revision, err = f.opts.Members.Create(ctx, f.opts.Self.Name, value)
		return err
	}
	var m Member
	if getErr == nil && json.Unmarshal(entry.Value(), &m) == nil && m.Instance == f.opts.Self.Instance {
		f.revision = entry.Revision()
	}
	return err
}

// self is what this worker tells of itself now.
func (f *Fleet) self() Member {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.opts.Self
	m.Folds = m.Folds && !f.leaving
	for p, t := range f.tasks {
		if t.current && !t.owns {
			m.Copies = append(m.Copies, p)
		}
	}
	slices.Sort(m.Copies)
	return m
}

// touched notes that a renewal of the own key which began then has succeeded.
func (f *Fleet) touched(ctx context.Context, began time.Time) error {
	if !f.Fresh() && f.opts.Woken != nil {
		ctx, cancel := context.WithTimeout(ctx, 2*f.opts.Beat)
		defer cancel()
		if err := f.opts.Woken(ctx); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beaten = began
	return nil
}

// Fresh tells whether nobody can have taken this worker for dead: it has renewed its key of late. One that is not must not answer
// for what it owns, nor for what others may have forgotten.
func (f *Fleet) Fresh() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.beaten.IsZero() && time.Since(f.beaten) < f.opts.DeadAfter-f.opts.Beat
}

// removeDead removes the keys of workers that have been dead for long.
func (f *Fleet) removeDead(ctx context.Context) {
	f.mu.Lock()
	var dead []*seen
	for _, m := range f.members {
		if time.Since(m.at) > f.opts.RemoveAfter {
			dead = append(dead, m)
		}
	}
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, f.opts.Beat)
	defer cancel()
	for _, m := range dead {
		_ = f.opts.Members.Delete(ctx, m.Name, jetstream.LastRevision(m.revision)) // else it lives, or the next turn comes
	}
}

// watch passes what a bucket has, and what changes, to use until ctx ends.
func (f *Fleet) watch(ctx context.Context, kv jetstream.KeyValue, use func(jetstream.KeyValueEntry)) {
	told := false
	for ctx.Err() == nil {
		f.mu.Lock()
		again := f.again
		f.mu.Unlock()
		watcher, err := kv.WatchAll(ctx)
		if err != nil {
			_ = wait(ctx, f.opts.Beat) // its error is the context's
			continue
		}
		for open := true; open; {
			var entry jetstream.KeyValueEntry
			select {
			case entry, open = <-watcher.Updates():
			case <-again:
				open = false
			case <-ctx.Done():
				open = false
			}
			f.mu.Lock()
			switch {
			case !open:
			case entry == nil && !told:
				told = true
				f.ready++
			case entry != nil:
				use(entry)
			}
			f.mu.Unlock()
		}
		_ = watcher.Stop() // the server forgets it anyway
	}
}

// heard notes a member's key; mu is held.
func (f *Fleet) heard(entry jetstream.KeyValueEntry) {
	was := f.members[entry.Key()]
	if entry.Operation() != jetstream.KeyValuePut {
		delete(f.members, entry.Key())
		wake(f.kick)
		return
	}
	if was != nil && was.revision >= entry.Revision() {
		return // a watch that was begun anew tells it again
	}
	m := &seen{revision: entry.Revision(), at: time.Now()}
	if err := json.Unmarshal(entry.Value(), &m.Member); err != nil || m.Name != entry.Key() {
		return
	}
	f.members[entry.Key()] = m
	if was == nil || was.Folds != m.Folds || !slices.Equal(was.Copies, m.Copies) {
		wake(f.kick)
	}
}

// told notes who owns a partition; mu is held.
func (f *Fleet) told(entry jetstream.KeyValueEntry) {
	p, err := strconv.Atoi(entry.Key())
	if err != nil || entry.Operation() != jetstream.KeyValuePut {
		return
	}
	o := &owned{revision: entry.Revision()}
	if err := json.Unmarshal(entry.Value(), &o.Owner); err == nil {
		f.note(p, o)
	}
}

// note notes who owns a partition, unless something newer is known; mu is held.
func (f *Fleet) note(p int, o *owned) {
	if was := f.owners[p]; was == nil || was.revision < o.revision {
		f.owners[p] = o
		wake(f.kick)
	}
}

func (f *Fleet) alive(m *seen) bool { return time.Since(m.at) <= f.opts.DeadAfter }

// folding are the names of the living workers that may own partitions.
func (f *Fleet) folding() (names []string) {
	for name, m := range f.members {
		if m.Folds && f.alive(m) {
			names = append(names, name)
		}
	}
	return names
}
