package erase

import (
	"errors"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// unrelate takes back what an event said about descent.
func (f *erasure) unrelate(ev *model.Event) error {
	err := f.unhear(ev)
	for _, node := range f.Causes(ev) {
		owner, lookErr := state.OwnerOf(f.DB, node)
		err = errors.Join(err, lookErr, f.Delete(model.DescentKey(node, ev.Entity)), f.Delete(model.DescentKey(owner, ev.Entity)))
	}
	return err
}

// unhear takes back what an event of another partition took back, and what it said of the call that it sees.
func (f *erasure) unhear(ev *model.Event) error {
	err := f.UnlinkForeign(ev)
	for _, name := range bronze.Retracted(ev.Kind, ev.Payload) {
		for _, node := range f.Retractable(name, ev.Workflow) {
			err = errors.Join(err, f.Delete(model.SeedKey(node, ev.ID)))
		}
	}
	return err
}

// disinherit takes an entity out of the graph of descent. Entities that descend from it and are not forgotten descend from
// its events again, as from events that were never met.
func (f *erasure) disinherit(id uuid.UUID, v *affectedEntity) error {
	return state.Scan(f.DB, model.Key(model.KeyDescent, id), func(k, _ []byte) (bool, error) {
		heir := model.LastID(k)
		err := f.Delete(model.DescentKey(id, heir))
		if f.affected[heir] == nil {
			for _, event := range v.own {
				err = errors.Join(err, f.Set(model.Key(model.KeyAwaited, event), nil), f.Set(model.DescentKey(event, heir), nil))
			}
		}
		return err == nil, err
	})
}

// requarantine has all that is left of retractions spread anew, since quarantines cannot be taken back one by one.
func (f *erasure) requarantine() error {
	some, err := state.AnyQuarantined(f.DB)
	if err != nil || !some {
		return err
	}
	err = state.Scan(f.DB, []byte{model.KeyQuarantine}, func(k, _ []byte) (bool, error) {
		node := model.LastID(k)
		if f.affected[node] != nil {
			return true, nil
		}
		e, err := state.LoadEntityState(f.DB, node)
		if e != nil {
			err = f.MarkEntity(node, e)
		}
		return err == nil, err
	})
	for _, kind := range []byte{model.KeyQuarantine, model.KeyReached} {
		err = errors.Join(err, f.DeleteRange([]byte{kind}, []byte{kind + 1}))
	}
	if err != nil {
		return err
	}
	reached := map[uuid.UUID]model.Stamp{}
	err = state.Scan(f.DB, []byte{model.KeySeed}, func(k, value []byte) (bool, error) {
		node, by := uuid.UUID(k[1:17]), model.LastID(k)
		seed, err := model.DecodeStamp(value)
		if err != nil || f.gone[by] {
			return err == nil, err
		}
		if was, ok := reached[node]; !ok || seed.Compare(was) < 0 {
			reached[node] = *seed
		}
		return true, nil
	})
	for node, by := range reached {
		err = errors.Join(err, f.Set(model.Key(model.KeyReached, node), model.EncodeStamp(by)))
	}
	return err
}
