package gold

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"math"
	"slices"

	"github.com/google/uuid"
)

// piece is what one event adds to the text of its entity: fragments, as JSON.
type piece struct {
	at        place
	fragments []byte
}

// compare orders the pieces of a text. What else tells events of one place apart makes no difference to it.
func (p piece) compare(q piece) int {
	return cmp.Or(p.at.compare(q.at), bytes.Compare(p.fragments, q.fragments))
}

// passage is pieces of one stream that are stored as one record, none of them before the first, whose place is in the key.
// Only an event with an id of its own may be moved to another place, so its piece is a passage by itself.
//
// Fragments that follow each other begin alike, so the record has of each only what differs from the one before (front
// coding).
type passage struct {
	at     place
	event  uuid.UUID
	record encoder
	last   string // fragments
}

// add adds the piece of an event, unless it belongs into another passage.
func (p *passage) add(ev *event) bool {
	switch {
	case p.record == nil:
		p.at, p.event = ev.place, ev.id
	case ev.place.stream != p.at.stream, ev.place.before(p.at):
		return false
	default:
		p.record.step(p.at, ev.place)
	}
	shared := commonPrefix(p.last, ev.fragments)
	p.record.uint(uint64(shared))
	p.record.string(ev.fragments[shared:])
	p.last = ev.fragments
	return true
}

// step appends how far a piece lies behind the first: positions, doubled, and odd if it is a later part of its record, which
// then follows. Few are.
func (e *encoder) step(first, at place) {
	positions := (at.position - first.position) << 1
	if at.part == 0 {
		e.uint(positions)
		return
	}
	e.uint(positions | 1)
	e.uint(uint64(at.part))
}

func (d *decoder) step(first place) place {
	n := d.uint()
	at := place{stream: first.stream, position: first.position + n>>1}
	if n&1 != 0 {
		at.part = uint32(d.uint())
	}
	return at
}

func commonPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func passageKey(ordinal uint64, at place, event uuid.UUID) []byte {
	k := entityKey(ordinal, slotFragments)
	k = binary.BigEndian.AppendUint64(k, at.stream)
	k = binary.BigEndian.AppendUint64(k, at.position)
	k = binary.BigEndian.AppendUint32(k, at.part)
	return append(k, event[:]...)
}

// decodePassage returns the pieces of a passage in order, given the end of its key, after the slot.
func decodePassage(at, record []byte) (pieces []piece, err error) {
	k, d := decoder{rest: at}, decoder{rest: record}
	next := piece{at: place{k.fixed(), k.fixed(), k.fixed32()}}
	for first := next.at; ; {
		next.fragments = d.after(next.fragments)
		pieces = append(pieces, next)
		if len(d.rest) == 0 {
			break
		}
		next.at = d.step(first)
	}
	if !slices.IsSortedFunc(pieces, piece.compare) {
		slices.SortFunc(pieces, piece.compare)
	}
	return pieces, cmp.Or(k.err, d.err)
}

// after returns fragments, given those before.
func (d *decoder) after(last []byte) []byte {
	shared := d.uint()
	if shared > uint64(len(last)) {
		d.fail()
		return nil
	}
	return append(last[:shared:shared], d.take(d.uint())...)
}

// pieces merges passages: a heap of what is left of them.
type pieces [][]piece

// takeBefore takes the pieces that come before a place, and passes their fragments to use in order.
func (p *pieces) takeBefore(at place, use func(fragments []byte) error) error {
	for len(*p) > 0 && (*p)[0][0].at.before(at) {
		left := (*p)[0]
		if err := use(left[0].fragments); err != nil {
			return err
		}
		if (*p)[0] = left[1:]; len(left) > 1 {
			heap.Fix(p, 0)
		} else {
			heap.Pop(p)
		}
	}
	return nil
}

// beyond is after all places: positions end at 2^63-1.
var beyond = place{math.MaxUint64, math.MaxUint64, math.MaxUint32}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (p pieces) Len() int           { return len(p) }
func (p pieces) Less(i, j int) bool { return p[i][0].compare(p[j][0]) < 0 }
func (p pieces) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pieces) Push(left any)     { *p = append(*p, left.([]piece)) }

func (p *pieces) Pop() any {
	last := len(*p) - 1
	left := (*p)[last]
	*p = (*p)[:last]
	return left
}
