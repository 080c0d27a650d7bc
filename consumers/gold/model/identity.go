package model

import (
	"cmp"
	"encoding/binary"

	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
)

// Identity is what is remembered of every event: that it was folded, and what is needed if it is met again.
type Identity struct {
	Disposition bronze.Disposition
	Entity      uuid.UUID // of an event that brought an id along and was kept
	Placed      bool      // its fragments stand at place, which an earlier one may replace
	Offset      Offset    //
	Shed        ShedKey
	Bytes       int64 // of a shed event, to be taken back should it turn up kept
}

// Codes of dispositions, in order of precedence. One event may be captured twice and shed once: then it was kept.
var dispositionCodes = [...]bronze.Disposition{bronze.Dead, bronze.Shed, bronze.Kept}

// RankDisposition orders dispositions: a greater one goes before a lesser.
func RankDisposition(d bronze.Disposition) int {
	for code, known := range dispositionCodes {
		if d == known {
			return code
		}
	}
	return 0
}

// NewIdentity is what is remembered of an event.
func NewIdentity(ev *Event) *Identity {
	known := &Identity{Disposition: ev.Disposition}
	switch {
	case ev.Disposition == bronze.Shed:
		known.Shed, known.Bytes = ShedKey{ev.Workflow, ev.Kind}, ev.Bytes
	case ev.Disposition == bronze.Kept && ev.OwnID:
		known.Entity = ev.Entity
		known.Placed, known.Offset = ev.Speaks(), ev.Offset
	case ev.Disposition == bronze.Kept:
		return &kept
	}
	return known
}

// kept is the identity of nearly every event; it is shared and never changed.
var kept = Identity{Disposition: bronze.Kept}

// Codes of identities, besides those of the dispositions, for kept events that brought an id along.
const (
	codeOwned  = byte(len(dispositionCodes)) + iota
	codePlaced // and a place
)

// Encode writes the record.
func (known *Identity) Encode() []byte {
	w := make(Encoder, 0, 32)
	w.identity(known)
	return w
}

func (e *Encoder) identity(known *Identity) {
	switch {
	case known.Placed:
		e.byte(codePlaced)
		e.ID(known.Entity)
		e.Uint(known.Offset.Stream)
		e.Uint(known.Offset.Position)
		e.Uint(uint64(known.Offset.Part))
	case known.Entity != uuid.Nil:
		e.byte(codeOwned)
		e.ID(known.Entity)
	default:
		e.byte(byte(RankDisposition(known.Disposition)))
	}
	if known.Disposition == bronze.Shed {
		e.string(known.Shed.Workflow)
		e.string(known.Shed.Kind)
		e.int(known.Bytes)
	}
}

// DecodeIdentity reads what Encode wrote.
func DecodeIdentity(record []byte) (*Identity, error) {
	d := Decoder{Rest: record}
	known := d.identity()
	return known, d.End()
}

func (d *Decoder) identity() *Identity {
	switch code := d.byte(); {
	case code == codePlaced:
		return &Identity{Disposition: bronze.Kept, Entity: d.ID(), Placed: true, Offset: Offset{d.Uint(), d.Uint(), uint32(d.Uint())}}
	case code == codeOwned:
		return &Identity{Disposition: bronze.Kept, Entity: d.ID()}
	case int(code) >= len(dispositionCodes):
		d.fail()
		return nil
	case dispositionCodes[code] == bronze.Kept:
		return &kept
	case dispositionCodes[code] == bronze.Shed:
		return &Identity{Disposition: bronze.Shed, Shed: ShedKey{d.string(), d.string()}, Bytes: d.Int()}
	default:
		return &Identity{Disposition: dispositionCodes[code]}
	}
}

// ShedKey says what a shed counter counts.
type ShedKey struct{ Workflow, Kind string }

// ID names the row of the shed counters.
func (k ShedKey) ID(namespace uuid.UUID) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("shed", k.Workflow, k.Kind))
}

// ShedCount counts the events of one workflow and kind that were shed.
type ShedCount struct {
	ShedKey
	Count, Bytes int64
}

// Encode writes the record.
func (s *ShedCount) Encode() []byte {
	w := make(Encoder, 0, 64)
	w.string(s.Workflow)
	w.string(s.Kind)
	w.int(s.Count)
	w.int(s.Bytes)
	return w
}

// DecodeShed reads what Encode wrote.
func DecodeShed(record []byte) (*ShedCount, error) {
	d := Decoder{Rest: record}
	s := &ShedCount{ShedKey{d.string(), d.string()}, d.Int(), d.Int()}
	return s, d.End()
}

// HighWatermark is what is known of a stream whose events are named by their place. A position that was never reached needs no
// look-up, and nearly every event has such a one.
type HighWatermark struct {
	Ordinal uint64
	Known   bool   // something of it was committed
	Reached uint64 // the greatest position, those of the group included
	Before  uint64 // the greatest position committed
}

// MayHave tells whether an event with a position may have been committed.
func (o *HighWatermark) MayHave(position uint64) bool { return o.Known && position <= o.Before }

// Advance notes that the group has an event with a position.
func (o *HighWatermark) Advance(position uint64) { o.Reached = max(o.Reached, position) }

// Encode writes the record.
func (o *HighWatermark) Encode() []byte {
	w := make(Encoder, 0, 16)
	w.Uint(o.Ordinal)
	w.Uint(o.Reached)
	return w
}

// DecodeHighWatermark reads what Encode wrote.
func DecodeHighWatermark(record []byte) (*HighWatermark, error) {
	d := Decoder{Rest: record}
	o := &HighWatermark{Ordinal: d.Uint(), Known: true, Reached: d.Uint()}
	o.Before = o.Reached
	return o, d.End()
}

// blockPositions is how many positions of a stream make up a block. A group that brings events again reads their blocks.
const blockPositions = 256

// IDBlock is where events that are named by their place are remembered: the stream, by its ordinal, and a part of its
// positions. Each commit that has events of the block adds a record to it: their ids and identities.
type IDBlock struct{ ordinal, number uint64 }

// IDBlockOf is the block where an event of a stream is remembered.
func IDBlockOf(from *HighWatermark, ev *Event) IDBlock {
	return IDBlock{from.Ordinal, ev.Position / blockPositions}
}

// Prefix is that of the keys of the block's records, which end with the generation of the commit.
func (b IDBlock) Prefix() []byte {
	return binary.BigEndian.AppendUint64(NumberKey(KeyIdentity, ^b.ordinal), b.number)
}

// Compare orders blocks as their prefixes are.
func (b IDBlock) Compare(c IDBlock) int {
	return cmp.Or(cmp.Compare(c.ordinal, b.ordinal), cmp.Compare(b.number, c.number))
}

// Placed appends an event to the record of its block.
func (e *Encoder) Placed(event uuid.UUID, known *Identity) {
	e.ID(event)
	e.identity(known)
}

// EachPlaced passes the events of a block's record to use.
func EachPlaced(record []byte, use func(event uuid.UUID, known *Identity)) error {
	d := Decoder{Rest: record}
	for len(d.Rest) > 0 {
		event, known := d.ID(), d.identity()
		if d.Err == nil {
			use(event, known)
		}
	}
	return d.Err
}
