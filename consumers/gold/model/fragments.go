package model

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"math"
	"slices"

	"github.com/google/uuid"
)

// EventFragments is what one event adds to the text of its entity: fragments, as JSON.
type EventFragments struct {
	At        Offset
	Fragments []byte
}

// Compare orders the fragments of a text. What else tells events of one place apart makes no difference to it.
func (p EventFragments) Compare(q EventFragments) int {
	return cmp.Or(p.At.Compare(q.At), bytes.Compare(p.Fragments, q.Fragments))
}

// FragmentRun is the fragments of events of one stream that are stored as one record, none of them before the first, whose place is
// in the key.
// Only an event with an id of its own may be moved to another place, so its fragments are a run by themselves.
//
// Fragments that follow each other begin alike, so the record has of each only what differs from the one before (front
// coding).
type FragmentRun struct {
	At     Offset
	Event  uuid.UUID
	Record Encoder
	last   string // fragments
}

// Add adds the fragments of an event, unless they belong into another run.
func (p *FragmentRun) Add(ev *Event) bool {
	switch {
	case p.Record == nil:
		p.At, p.Event = ev.Offset, ev.ID
	case ev.Offset.Stream != p.At.Stream, ev.Offset.Before(p.At):
		return false
	default:
		p.Record.step(p.At, ev.Offset)
	}
	shared := commonPrefix(p.last, ev.Fragments)
	p.Record.Uint(uint64(shared))
	p.Record.string(ev.Fragments[shared:])
	p.last = ev.Fragments
	return true
}

// step appends how far an event lies behind the first: positions, doubled, and odd if it is a later part of its record, which
// then follows. Few are.
func (e *Encoder) step(first, at Offset) {
	positions := (at.Position - first.Position) << 1
	if at.Part == 0 {
		e.Uint(positions)
		return
	}
	e.Uint(positions | 1)
	e.Uint(uint64(at.Part))
}

func (d *Decoder) step(first Offset) Offset {
	n := d.Uint()
	at := Offset{Stream: first.Stream, Position: first.Position + n>>1}
	if n&1 != 0 {
		at.Part = uint32(d.Uint())
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

// FragmentRunKey is the key of the run of an entity that begins at a place with an event.
func FragmentRunKey(ordinal uint64, at Offset, event uuid.UUID) []byte {
	k := EntityKey(ordinal, SlotFragments)
	k = binary.BigEndian.AppendUint64(k, at.Stream)
	k = binary.BigEndian.AppendUint64(k, at.Position)
	k = binary.BigEndian.AppendUint32(k, at.Part)
	return append(k, event[:]...)
}

// DecodeFragmentRun returns the fragments of a run in order, by event, given the end of its key, after the slot.
func DecodeFragmentRun(at, record []byte) (pieces []EventFragments, err error) {
	k, d := Decoder{Rest: at}, Decoder{Rest: record}
	next := EventFragments{At: Offset{k.Fixed(), k.Fixed(), k.fixed32()}}
	for first := next.At; ; {
		next.Fragments = d.after(next.Fragments)
		pieces = append(pieces, next)
		if len(d.Rest) == 0 {
			break
		}
		next.At = d.step(first)
	}
	if !slices.IsSortedFunc(pieces, EventFragments.Compare) {
		slices.SortFunc(pieces, EventFragments.Compare)
	}
	return pieces, cmp.Or(k.Err, d.Err)
}

// after returns fragments, given those before.
func (d *Decoder) after(last []byte) []byte {
	shared := d.Uint()
	if shared > uint64(len(last)) {
		d.fail()
		return nil
	}
	return append(last[:shared:shared], d.take(d.Uint())...)
}

// runMerger merges runs: a heap of what is left of them.
type runMerger [][]EventFragments

// takeBefore takes the events that come before a place, and passes their fragments to use in order.
func (p *runMerger) takeBefore(at Offset, use func(fragments []byte) error) error {
	for len(*p) > 0 && (*p)[0][0].At.Before(at) {
		left := (*p)[0]
		if err := use(left[0].Fragments); err != nil {
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

// BeyondAll is after all places: positions end at 2^63-1.
var BeyondAll = Offset{math.MaxUint64, math.MaxUint64, math.MaxUint32}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (p runMerger) Len() int           { return len(p) }
func (p runMerger) Less(i, j int) bool { return p[i][0].Compare(p[j][0]) < 0 }
func (p runMerger) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *runMerger) Push(left any)     { *p = append(*p, left.([]EventFragments)) }

func (p *runMerger) Pop() any {
	last := len(*p) - 1
	left := (*p)[last]
	*p = (*p)[:last]
	return left
}
