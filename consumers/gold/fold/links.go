package fold

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// links is what becomes of links by a group: see model/link.go.
type links struct {
	changed map[string]map[string]linkChange // key[:LinkPrefixLen] → key → what becomes of it
	gone    map[uuid.UUID]bool               // entities that are no more, though they are still stored
}

func newLinks() links {
	return links{map[string]map[string]linkChange{}, map[uuid.UUID]bool{}}
}

type linkChange struct {
	there    bool
	workflow string
}

// setLink stores a link, or takes it out.
func (f *Tx) setLink(key []byte, there bool, workflow string) error {
	name := string(key[:model.LinkPrefixLen])
	if f.links.changed[name] == nil {
		f.links.changed[name] = map[string]linkChange{}
	}
	f.links.changed[name][string(key)] = linkChange{there, workflow}
	if there {
		return f.Set(key, []byte(workflow))
	}
	return f.Delete(key)
}

// linkForeign stores what an event of another partition says of the call that it sees, or takes it out. What models ask for is not told
// to other partitions.
func (f *Tx) linkForeign(ev *model.Event, there bool) (err error) {
	e := model.NewEntityState(0)
	e.Fold(ev)
	for _, key := range e.Links(f.Opts.Partition.Namespace, ev.Entity) {
		if model.LinkSide(key) != bronze.SideAsks {
			err = errors.Join(err, f.setLink(key, there, e.NormalWorkflow()))
		}
	}
	return err
}

// UnlinkForeign takes out what an event of another partition has said of the call that it sees.
func (f *Tx) UnlinkForeign(ev *model.Event) error { return f.linkForeign(ev, false) }

// Unlink takes out the links of an entity that goes.
func (f *Tx) Unlink(id uuid.UUID, e *model.EntityState) (err error) {
	f.links.gone[id] = true
	for _, key := range e.Links(f.Opts.Partition.Namespace, id) {
		err = errors.Join(err, f.setLink(key, false, ""))
	}
	return err
}

// linkCalls stores the links of the changed entities, and finds out which of those that see one call counts. Entities for which that
// changes become changed ones.
func (f *Tx) linkCalls() error {
	for _, id := range f.order {
		if e := f.entities[id]; e.changed {
			if err := f.relink(id, e); err != nil {
				return err
			}
		}
	}
	affected := map[uuid.UUID]bool{}
	for name, changes := range f.links.changed {
		if err := f.affected(name, changes, affected); err != nil {
			return err
		}
	}
	order := slices.SortedFunc(maps.Keys(affected), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range order {
		if err := f.count(id); err != nil {
			return err
		}
	}
	return nil
}

// relink brings the links of a changed entity up to date.
func (f *Tx) relink(id uuid.UUID, e *touched) (err error) {
	now := e.Links(f.Opts.Partition.Namespace, id)
	if model.SameLinks(e.linked, now) {
		return nil
	}
	for _, key := range e.linked {
		err = errors.Join(err, f.setLink(key, false, ""))
	}
	for _, key := range now {
		err = errors.Join(err, f.setLink(key, true, e.NormalWorkflow()))
	}
	return err
}

// affected adds the entities to ids of which it may have changed whether they count: those whose links changed and, where another one
// comes first now, all that may yield to it.
func (f *Tx) affected(name string, changes map[string]linkChange, ids map[uuid.UUID]bool) error {
	was, err := f.firstStored(name, nil)
	if err != nil {
		return err
	}
	now, err := f.first(name)
	if err != nil {
		return err
	}
	for key := range changes {
		ids[model.LastID([]byte(key))] = true
	}
	if bytes.Equal(was.key, now.key) {
		return nil
	}
	for side := bronze.SideCarries + 1; side <= bronze.SideAsks && err == nil; side++ {
		err = state.Scan(f.DB, append([]byte(name), byte(side)), func(k, _ []byte) (bool, error) {
			ids[model.LastID(k)] = true
			return true, nil
		})
	}
	return err
}

// stored is a link: its key and the normalised workflow of its entity.
type stored struct {
	key      []byte
	workflow string
}

// firstStored returns the first stored link of a name but for those that the group changes, the zero link if there is none.
func (f *Tx) firstStored(name string, changes map[string]linkChange) (first stored, err error) {
	err = state.Scan(f.DB, []byte(name), func(k, workflow []byte) (bool, error) {
		if _, changed := changes[string(k)]; changed {
			return true, nil
		}
		first = stored{bytes.Clone(k), string(workflow)}
		return false, nil
	})
	return first, err
}

// first returns the first link of a name as it is after the group.
func (f *Tx) first(name string) (stored, error) {
	changes := f.links.changed[name]
	first, err := f.firstStored(name, changes)
	for key, change := range changes {
		if change.there && (first.key == nil || key < string(first.key)) {
			first = stored{[]byte(key), change.workflow}
		}
	}
	return first, err
}

// count finds out as which an entity counts. One of another partition is left to that.
func (f *Tx) count(id uuid.UUID) error {
	if f.entities[id] == nil {
		if f.links.gone[id] {
			return nil
		}
		known, err := state.Get(f.seeker, model.Key(model.KeyOrdinal, id), func([]byte) error { return nil })
		if err != nil || !known {
			return err
		}
	}
	e, err := f.entity(id)
	if err != nil || e.Events == 0 {
		return err
	}
	var as stored
	for _, key := range e.Links(f.Opts.Partition.Namespace, id) {
		first, err := f.first(string(key[:model.LinkPrefixLen]))
		if err != nil {
			return err
		}
		if first.key != nil && model.Yields(key, first.key) && (as.key == nil || model.LinkOrder(first.key, as.key) < 0) {
			as = first
		}
	}
	counted := uuid.Nil
	if as.key != nil {
		counted = model.LastID(as.key)
	}
	if e.CountAs(counted, as.workflow) {
		e.changed = true
	}
	return nil
}
