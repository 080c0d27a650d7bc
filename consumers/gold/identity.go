package gold

import (
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
		known.placed, known.place = ev.speaks(), ev.place
	case ev.disposition == bronze.Kept:
		return &kept
	}
	return known
}

// kept is the identity of nearly every event; it is shared and never changed.
var kept = identity{disposition: bronze.Kept}

// Codes of identities, besides those of the dispositions, for kept events that brought an id along.
const (
	codeOwned  = byte(len(dispositionCodes)) + iota
	codePlaced // and a place
)

func (known *identity) encode() []byte {
	w := make(encoder, 0, 32)
	w.identity(known)
	return w
}

func (e *encoder) identity(known *identity) {
	switch {
	case known.placed:
		e.byte(codePlaced)
		e.id(known.entity)
		e.uint(known.place.stream)
		e.uint(known.place.position)
		e.uint(uint64(known.place.part))
	case known.entity != uuid.Nil:
		e.byte(codeOwned)
		e.id(known.entity)
	default:
		e.byte(byte(rankDisposition(known.disposition)))
	}
	if known.disposition == bronze.Shed {
		e.string(known.shed.workflow)
		e.string(known.shed.kind)
		e.int(known.bytes)
	}
}

func decodeIdentity(record []byte) (*identity, error) {
	d := decoder{rest: record}
	known := d.identity()
	return known, d.end()
}

func (d *decoder) identity() *identity {
	switch code := d.byte(); {
	case code == codePlaced:
		return &identity{disposition: bronze.Kept, entity: d.id(), placed: true, place: place{d.uint(), d.uint(), uint32(d.uint())}}
	case code == codeOwned:
		return &identity{disposition: bronze.Kept, entity: d.id()}
	case int(code) >= len(dispositionCodes):
		d.fail()
		return nil
	case dispositionCodes[code] == bronze.Kept:
		return &kept
	case dispositionCodes[code] == bronze.Shed:
		return &identity{disposition: bronze.Shed, shed: shedKey{d.string(), d.string()}, bytes: d.int()}
	default:
		return &identity{disposition: dispositionCodes[code]}
	}
}
