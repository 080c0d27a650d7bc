package fold

import (
	"errors"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// A workflow's calls stand in the order of their time keys under its node's time keys, each with its capability. An edge
// "follows" joins each two neighbours. When calls come, go or move, only the edges around them change.

// follow adds the changes of the edges "follows" to the delta.
func (f *Tx) follow() error {
	it, err := f.DB.NewIter(&pebble.IterOptions{LowerBound: []byte{model.KeyTime}, UpperBound: []byte{model.KeyTime + 1}})
	if err != nil {
		return state.Wrap("scan", err)
	}
	for el, change := range f.Delta.Workflows() {
		change.DropUnchanged()
		if err := f.followWorkflow(it, el.ID(f.Engine.sums), change); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return state.Wrap("scan", it.Close())
}

// step is a call in the order of its workflow.
type step struct {
	key        string
	at         model.TimeKey
	capability model.Node
}

func (f *Tx) followWorkflow(it *pebble.Iterator, id uuid.UUID, change *model.ElementDelta) error {
	steps := make(map[string]model.Node, len(change.Added))
	places := make([]string, 0, len(change.Added)+len(change.Removed))
	for m, capability := range change.Added {
		k := string(model.EncodeTimeKey(id, m))
		steps[k] = capability
		places = append(places, k)
	}
	for m := range change.Removed {
		places = append(places, string(model.EncodeTimeKey(id, m)))
	}
	slices.Sort(places)
	places = slices.Compact(places)

	for len(places) > 0 {
		stored, covered, err := stretch(it, places)
		if err != nil {
			return err
		}
		f.chain(stored, -1)
		f.chain(restitch(stored, places[:covered], steps), +1)
		places = places[covered:]
	}
	return nil
}

// stretch returns the stored calls from the one before the first place to the one after as many of the further places as
// lie close, and how many places those are.
func stretch(it *pebble.Iterator, places []string) (stored []step, covered int, err error) {
	read := func() error {
		value, err := it.ValueAndErr()
		if err != nil {
			return state.Wrap("scan", err)
		}
		capability, err := model.DecodeNode(value)
		stored = append(stored, step{string(it.Key()), model.ParseTimeKey(it.Key()), capability})
		return err
	}
	within := func() bool { return string(it.Key()[:model.TimePrefixLen]) == places[0][:model.TimePrefixLen] }

	if it.SeekLT([]byte(places[0])) && within() {
		if err := read(); err != nil {
			return nil, 0, err
		}
	}
	if err := it.Error(); err != nil {
		return nil, 0, state.Wrap("scan", err)
	}
	for ok := it.SeekGE([]byte(places[0])); ok && within(); ok = it.Next() {
		if err := read(); err != nil {
			return nil, 0, err
		}
		last := stored[len(stored)-1].key
		for covered < len(places) && places[covered] < last {
			covered++
		}
		if covered == len(places) || places[covered] != last && covered > 0 {
			return stored, covered, state.Wrap("scan", it.Error())
		}
	}
	return stored, len(places), state.Wrap("scan", it.Error()) // the end of the workflow
}

// restitch returns the steps as they are once every call at the places is taken out and the new ones are put in.
func restitch(stored []step, places []string, added map[string]model.Node) []step {
	now := slices.Clone(stored)
	now = slices.DeleteFunc(now, func(s step) bool {
		_, changed := slices.BinarySearch(places, s.key)
		return changed
	})
	for _, k := range places {
		if capability, ok := added[k]; ok {
			now = append(now, step{k, model.ParseTimeKey([]byte(k)), capability})
		}
	}
	slices.SortFunc(now, func(a, b step) int { return strings.Compare(a.key, b.key) })
	return now
}

// chain adds sign times the edges between neighbours.
func (f *Tx) chain(steps []step, sign int64) {
	for i := 1; i < len(steps); i++ {
		from, to := steps[i-1].capability, steps[i]
		f.Delta.Count(model.ElementKey{Source: from, Target: to.capability, Relation: model.RelationFollows}, model.Use{Capability: to.capability}, to.at, sign)
	}
}

// writeMoments stores the time keys of an element.
func (f *Tx) writeMoments(id uuid.UUID, el model.ElementKey, change *model.ElementDelta) error {
	for m := range change.Removed {
		if _, stays := change.Added[m]; stays {
			continue // with another capability
		}
		if err := f.Delete(model.EncodeTimeKey(id, m)); err != nil {
			return err
		}
	}
	for m, capability := range change.Added {
		var value []byte
		if el.IsNode() && el.Source.Kind == model.NodeWorkflow {
			value = model.EncodeNode(capability)
		}
		if err := f.Set(model.EncodeTimeKey(id, m), value); err != nil {
			return err
		}
	}
	return nil
}
