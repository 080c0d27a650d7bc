package model

import (
	"bytes"
	"cmp"
	"math"

	"github.com/google/uuid"
)

// Times are microseconds since 1970. An absent time is the greatest where the least is kept, and the least elsewhere.
const (
	Never   = math.MaxInt64
	Ageless = math.MinInt64
)

// Stamp is the place of an event in the fixed total order by which fields are resolved: the event's own time (events
// without one come first), then its position and part, then its identity. It has no capture time, because that may still
// become earlier; and an event with an id of its own has no position, because it may be met at several.
type Stamp struct {
	TS       int64
	position uint64
	part     uint32
	ID       uuid.UUID
}

// Compare orders events.
func (s Stamp) Compare(t Stamp) int {
	return cmp.Or(cmp.Compare(s.TS, t.TS), cmp.Compare(s.position, t.position), cmp.Compare(s.part, t.part), bytes.Compare(s.ID[:], t.ID[:]))
}

// register holds the value of one event, chosen by stamp. The zero register holds none.
type register struct {
	at    Stamp
	Value string
}

// keepFirst is the join that prefers the least stamp.
func (r *register) keepFirst(at Stamp, value string) {
	if value != "" && (r.Value == "" || at.Compare(r.at) < 0) {
		*r = register{at, value}
	}
}

// keepLast is the join that prefers the greatest stamp.
func (r *register) keepLast(at Stamp, value string) {
	if value != "" && (r.Value == "" || at.Compare(r.at) > 0) {
		*r = register{at, value}
	}
}

// EncodeStamp writes a stamp as a record.
func EncodeStamp(s Stamp) []byte {
	w := make(Encoder, 0, 32)
	w.stamp(s)
	return w
}

// DecodeStamp reads what EncodeStamp wrote.
func DecodeStamp(record []byte) (*Stamp, error) {
	d := Decoder{Rest: record}
	s := d.stamp()
	return &s, d.End()
}
