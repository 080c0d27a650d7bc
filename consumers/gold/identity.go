package gold

import (
	"bytes"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// identity is what is remembered of every event: that it was folded, and what is needed if it is met again.
type identity struct {
	disposition bronze.Disposition
	entity      uuid.UUID // of an event that brought an id along and was kept
	placed      bool      // its fragments stand at place, which an earlier one may replace
	place       place     //
	shed        shedKey
	bytes       int64 // of a shed event, to be taken back should it turn up kept
}

// Codes of dispositions, in order of precedence. One event may be captured twice and shed once: then it was kept.
var dispositionCodes = [...]bronze.Disposition{bronze.Dead, bronze.Shed, bronze.Kept}

func rankDisposition(d bronze.Disposition) int {
	for code, known := range dispositionCodes {
		if d == known {
			return code
		}
	}
	return 0
}

func newIdentity(ev *event) *identity {
	known := &identity{disposition: ev.disposition}
	switch {
	case ev.disposition == bronze.Shed:
		known.shed, known.bytes = shedKey{ev.workflow, ev.kind}, ev.bytes
	case ev.disposition == bronze.Kept && ev.ownID:
		known.entity = ev.entity
		known.placed, known.place = ev.fragments != "", ev.place
	case ev.disposition == bronze.Kept:
		return &kept
	}
	return known
}

// kept is the identity of nearly every event; it is shared and never changed.
var kept = identity{disposition: bronze.Kept}

func (known *identity) encode() []byte {
	w := make(encoder, 0, 32)
	w.byte(byte(rankDisposition(known.disposition)))
	switch {
	case known.disposition == bronze.Shed:
		w.string(known.shed.workflow)
		w.string(known.shed.kind)
		w.int(known.bytes)
	case known.entity != uuid.Nil:
		w.id(known.entity)
		if known.placed {
			w.uint(known.place.stream)
			w.uint(known.place.position)
		}
	}
	return w
}

func decodeIdentity(record []byte) (*identity, error) {
	d := decoder{rest: record}
	known := &identity{}
	code := int(d.byte())
	if code >= len(dispositionCodes) {
		d.fail()
		return nil, d.err
	}
	known.disposition = dispositionCodes[code]
	switch {
	case known.disposition == bronze.Shed:
		known.shed, known.bytes = shedKey{d.string(), d.string()}, d.int()
	case len(d.rest) > 0:
		known.entity = d.id()
		if len(d.rest) > 0 {
			known.placed, known.place = true, place{d.uint(), d.uint()}
		}
	}
	return known, d.end()
}

// recall reads the identities of those of a group's events that are named by their place and were met before. Most groups
// bring nothing but new events, as the origins of their streams tell. The others lie side by side, so one pass in the
// order of the index finds them.
func (f *folding) recall(group []columns) error {
	keys, err := f.placedKeys(group)
	if err != nil || len(keys) == 0 {
		return err
	}
	it, err := f.g.state.db.NewIter(&pebble.IterOptions{LowerBound: []byte{keyIdentity}, UpperBound: []byte{keyIdentity + 1}})
	if err != nil {
		return stateError("scan", err)
	}
	defer it.Close()
	at := it.SeekGE(keys[0][:])
	for i := 0; i < len(keys) && at; {
		switch order := bytes.Compare(it.Key(), keys[i][:]); {
		case order > 0:
			i++
		case order < 0:
			at = it.SeekGE(keys[i][:])
		default:
			if err := f.recognise(it); err != nil {
				return err
			}
			at = it.Next()
			i++
		}
	}
	return stateError("scan", it.Error())
}

func (f *folding) recognise(it *pebble.Iterator) error {
	record, err := it.ValueAndErr()
	if err != nil {
		return stateError("scan", err)
	}
	known, err := decodeIdentity(record)
	if err != nil {
		return err
	}
	f.identities[uuid.UUID(it.Key()[identityKeyLen-16:])] = known
	return nil
}

// placedKeys returns the identity keys of those of a group's events that are named by their place and may have been met
// before, in the order of the index.
func (f *folding) placedKeys(group []columns) (keys [][identityKeyLen]byte, err error) {
	var ev event
	for i := range group {
		c := &group[i]
		for row := range c.id.Len() {
			if c.identify(row, &ev); ev.ownID {
				continue
			}
			from, err := f.origin(ev.place.stream)
			if err != nil {
				return nil, err
			}
			if from.mayHave(ev.position) {
				keys = append(keys, identityKey(from.ordinal, &ev))
			}
		}
	}
	slices.SortFunc(keys, func(a, b [identityKeyLen]byte) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(keys), nil
}
