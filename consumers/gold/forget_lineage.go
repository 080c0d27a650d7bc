package gold

import (
	"errors"

	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// unrelate takes back what an event said about descent.
func (f *forgetting) unrelate(ev *event) error {
	err := f.unhear(ev)
	for _, node := range f.causes(ev) {
		owner, lookErr := ownerOf(f.g.state.db, node)
		err = errors.Join(err, lookErr, f.delete(descentKey(node, ev.entity)), f.delete(descentKey(owner, ev.entity)))
	}
	return err
}

// unhear takes back what an event took back.
func (f *forgetting) unhear(ev *event) (err error) {
	for _, name := range bronze.Retracted(ev.kind, ev.payload) {
		for _, node := range f.retractable(name, ev.workflow) {
			err = errors.Join(err, f.delete(seedKey(node, ev.id)))
		}
	}
	return err
}

// disinherit takes an entity out of the graph of descent. Entities that descend from it and are not forgotten descend from
// its events again, as from events that were never met.
func (f *forgetting) disinherit(id uuid.UUID, v *victim) error {
	return scan(f.g.state.db, key(keyDescent, id), func(k, _ []byte) (bool, error) {
		heir := markedID(k)
		err := f.delete(descentKey(id, heir))
		if f.victims[heir] == nil {
			for _, event := range v.own {
				err = errors.Join(err, f.set(key(keyAwaited, event), nil), f.set(descentKey(event, heir), nil))
			}
		}
		return err == nil, err
	})
}

// requarantine has all that is left of retractions spread anew, since quarantines cannot be taken back one by one.
func (f *forgetting) requarantine() error {
	some, err := f.g.Quarantines()
	if err != nil || !some {
		return err
	}
	err = scan(f.g.state.db, []byte{keyQuarantine}, func(k, _ []byte) (bool, error) {
		node := markedID(k)
		if f.victims[node] != nil {
			return true, nil
		}
		e, err := loadEntity(f.g.state.db, node)
		if e != nil {
			err = f.markEntity(node, &folded{entity: e})
		}
		return err == nil, err
	})
	for _, kind := range []byte{keyQuarantine, keyReached} {
		err = errors.Join(err, stateError("write", f.writes.DeleteRange([]byte{kind}, []byte{kind + 1}, nil)))
	}
	if err != nil {
		return err
	}
	reached := map[uuid.UUID]stamp{}
	err = scan(f.g.state.db, []byte{keySeed}, func(k, value []byte) (bool, error) {
		node, by := uuid.UUID(k[1:17]), markedID(k)
		seed, err := decodeStamp(value)
		if err != nil || f.gone[by] {
			return err == nil, err
		}
		if was, ok := reached[node]; !ok || seed.compare(was) < 0 {
			reached[node] = *seed
		}
		return true, nil
	})
	for node, by := range reached {
		err = errors.Join(err, f.set(key(keyReached, node), encodeStamp(by)))
	}
	return err
}
