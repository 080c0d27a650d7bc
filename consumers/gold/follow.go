package gold

import (
	"errors"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
)

// A workflow's calls stand in the order of their moments under its node's time keys, each with its capability. An edge
// "follows" joins each two neighbours. When calls come, go or move, only the edges around them change.

// follow adds the changes of the edges "follows" to the ledger.
func (f *folding) follow() error {
	it, err := f.g.state.db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyTime}, UpperBound: []byte{keyTime + 1}})
	if err != nil {
		return stateError("scan", err)
	}
	for el, change := range f.ledger.workflows() {
		change.settle()
		if err := f.followWorkflow(it, el.id(f.g.sums), change); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return stateError("scan", it.Close())
}

// workflows returns the nodes of workflows, apart from the map because following adds to it.
func (l *ledger) workflows() map[element]*elementChange {
	nodes := map[element]*elementChange{}
	for el, change := range l.elements {
		if el.isNode() && el.source.kind == NodeWorkflow {
			nodes[el] = change
		}
	}
	return nodes
}

// step is a call in the order of its workflow.
type step struct {
	key        string
	moment     moment
	capability node
}

func (f *folding) followWorkflow(it *pebble.Iterator, id uuid.UUID, change *elementChange) error {
	steps := make(map[string]node, len(change.added))
	places := make([]string, 0, len(change.added)+len(change.removed))
	for m, capability := range change.added {
		k := string(timeKey(id, m))
		steps[k] = capability
		places = append(places, k)
	}
	for m := range change.removed {
		places = append(places, string(timeKey(id, m)))
	}
	slices.Sort(places)
	places = slices.Compact(places)

	for len(places) > 0 {
		stored, covered, err := stretch(it, places)
		if err != nil {
			return err
		}
		f.ledger.chain(stored, -1)
		f.ledger.chain(restitch(stored, places[:covered], steps), +1)
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
			return stateError("scan", err)
		}
		capability, err := decodeNode(value)
		stored = append(stored, step{string(it.Key()), parseMoment(it.Key()), capability})
		return err
	}
	within := func() bool { return string(it.Key()[:timePrefixLen]) == places[0][:timePrefixLen] }

	if it.SeekLT([]byte(places[0])) && within() {
		if err := read(); err != nil {
			return nil, 0, err
		}
	}
	if err := it.Error(); err != nil {
		return nil, 0, stateError("scan", err)
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
			return stored, covered, stateError("scan", it.Error())
		}
	}
	return stored, len(places), stateError("scan", it.Error()) // the end of the workflow
}

// restitch returns the steps as they are once every call at the places is taken out and the new ones are put in.
func restitch(stored []step, places []string, added map[string]node) []step {
	now := slices.Clone(stored)
	now = slices.DeleteFunc(now, func(s step) bool {
		_, changed := slices.BinarySearch(places, s.key)
		return changed
	})
	for _, k := range places {
		if capability, ok := added[k]; ok {
			now = append(now, step{k, parseMoment([]byte(k)), capability})
		}
	}
	slices.SortFunc(now, func(a, b step) int { return strings.Compare(a.key, b.key) })
	return now
}

// chain adds sign times the edges between neighbours.
func (l *ledger) chain(steps []step, sign int64) {
	for i := 1; i < len(steps); i++ {
		from, to := steps[i-1].capability, steps[i]
		l.count(element{from, to.capability, RelationFollows}, use{capability: to.capability}, to.moment, sign)
	}
}

// writeMoments stores the moments of an element.
func (f *folding) writeMoments(id uuid.UUID, el element, change *elementChange) error {
	for m := range change.removed {
		if _, stays := change.added[m]; stays {
			continue // with another capability
		}
		if err := f.delete(timeKey(id, m)); err != nil {
			return err
		}
	}
	for m, capability := range change.added {
		var value []byte
		if el.isNode() && el.source.kind == NodeWorkflow {
			value = encodeNode(capability)
		}
		if err := f.set(timeKey(id, m), value); err != nil {
			return err
		}
	}
	return nil
}

func encodeNode(n node) []byte {
	var w encoder
	w.string(n.kind)
	w.string(n.name)
	return w
}

func decodeNode(record []byte) (node, error) {
	d := decoder{rest: record}
	n := node{d.string(), d.string()}
	return n, d.end()
}
