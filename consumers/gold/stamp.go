package gold

import (
	"bytes"
	"cmp"
	"math"

	"github.com/google/uuid"
)

// Times are microseconds since 1970. An absent time is the greatest where the least is kept, and the least elsewhere.
const (
	never   = math.MaxInt64
	ageless = math.MinInt64
)

// stamp is the place of an event in the fixed total order by which fields are resolved: the event's own time (events
// without one come first), then its position and part, then its identity. It has no capture time, because that may still
// become earlier; and an event with an id of its own has no position, because it may be met at several.
type stamp struct {
	ts       int64
	position uint64
	part     uint32
	id       uuid.UUID
}

func (s stamp) compare(t stamp) int {
	return cmp.Or(cmp.Compare(s.ts, t.ts), cmp.Compare(s.position, t.position), cmp.Compare(s.part, t.part), bytes.Compare(s.id[:], t.id[:]))
}

// register holds the value of one event, chosen by stamp. The zero register holds none.
type register struct {
	at    stamp
	value string
}

// keepFirst is the join that prefers the least stamp.
func (r *register) keepFirst(at stamp, value string) {
	if value != "" && (r.value == "" || at.compare(r.at) < 0) {
		*r = register{at, value}
	}
}

// keepLast is the join that prefers the greatest stamp.
func (r *register) keepLast(at stamp, value string) {
	if value != "" && (r.value == "" || at.compare(r.at) > 0) {
		*r = register{at, value}
	}
}
