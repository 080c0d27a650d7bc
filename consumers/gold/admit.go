package gold

import (
	"fmt"
	"slices"

	"assay/consumers/bronze"
)

// admitted is a group of batches of which it is known what is new: all that traces needs, so that its rows are written while
// the events are folded.
type admitted struct {
	batches []columns
	duties  [][]duty // of the rows of each batch
	traces  traceRows
}

// duty is what is left to do for a row.
type duty byte

const (
	passed duty = iota // it brings nothing
	joins              // it is new and belongs to an entity
	meets              // another capture of an event that was kept
)

// admit tells which rows of the batches are new, in order of sequence, and remembers the events.
func (f *folding) admit(batches []Batch) (*admitted, error) {
	batches = slices.Clone(batches)
	slices.SortStableFunc(batches, func(a, b Batch) int { return int(int64(a.Seq) - int64(b.Seq)) })
	a := &admitted{batches: make([]columns, len(batches)), duties: make([][]duty, len(batches))}
	for i, b := range batches {
		var err error
		if a.batches[i], err = newColumns(b.Record); err != nil {
			return nil, fmt.Errorf("message %d of SILVER: %w", b.Seq, err)
		}
	}
	if err := f.recall(a.batches); err != nil {
		return nil, err
	}
	applied := f.progress.applied
	for i, b := range batches {
		number := f.progress.base + b.Seq
		part := a.traces.begin(b.Record, number, number <= applied)
		a.traces.partition = f.g.opts.column()
		var err error
		if a.duties[i], err = f.admitRows(&a.batches[i], part); err != nil {
			return nil, err
		}
		f.progress.applied = max(f.progress.applied, number)
	}
	return a, nil
}

func (f *folding) admitRows(c *columns, part *tracePart) ([]duty, error) {
	duties := make([]duty, c.id.Len())
	var ev event
	for row := range duties {
		c.read(row, &ev)
		if f.forgotten(&ev, c.bronzeSeq.Value(row)) {
			continue
		}
		if !f.g.opts.owns(ev.workflow) {
			f.hear(&ev)
			continue
		}
		var err error
		if duties[row], err = f.admitEvent(&ev); err != nil {
			return nil, err
		}
		if duties[row] == joins {
			part.add(row)
			f.countTrace(ev.workflow, c.bronzeSeq.Value(row))
		}
	}
	return duties, nil
}

// forgotten tells whether an event was decoded before its workflow was forgotten.
func (f *folding) forgotten(ev *event, bronzeSeq int64) bool {
	is := f.g.opts.Forgotten
	return is != nil && is(ev.workflow, uint64(bronzeSeq))
}

func (f *folding) admitEvent(ev *event) (duty, error) {
	known, err := f.identity(ev)
	switch {
	case err != nil:
		return passed, err
	case known == nil:
		return f.first(ev)
	case rankDisposition(ev.disposition) > rankDisposition(known.disposition):
		f.forget(known)
		return f.first(ev)
	case ev.disposition == bronze.Kept:
		return meets, nil
	default:
		return passed, nil
	}
}

// identity returns what is known of an event, nil if it was not met before; recall must have been called.
func (f *folding) identity(ev *event) (known *identity, err error) {
	if known = f.identities[ev.id]; known != nil || !ev.ownID {
		return known, nil
	}
	known, err = load(f.seeker, key(keyOwnID, ev.id), decodeIdentity)
	if known != nil {
		f.identities[ev.id] = known
	}
	return known, err
}

func (f *folding) remember(ev *event, known *identity) error {
	f.identities[ev.id] = known
	if ev.ownID {
		return f.set(key(keyOwnID, ev.id), known.encode())
	}
	from := f.origins[ev.place.stream]
	from.meet(ev.position)
	f.note(blockOf(from, ev), ev.id, known)
	return nil
}

// first admits an event that was not met before.
func (f *folding) first(ev *event) (duty, error) {
	known := newIdentity(ev)
	if err := f.remember(ev, known); err != nil {
		return passed, err
	}
	f.totals.Events++
	switch ev.disposition {
	case bronze.Kept:
		f.totals.Traces++
		return joins, nil
	case bronze.Shed:
		f.totals.Shed++
		f.shed(known, +1)
	default:
		f.totals.Dead++
	}
	return passed, nil
}

// forget takes an event back that had been shed or dead and now turns up kept.
func (f *folding) forget(known *identity) {
	f.totals.Events--
	if known.disposition == bronze.Shed {
		f.totals.Shed--
		f.shed(known, -1)
	} else {
		f.totals.Dead--
	}
}

func (f *folding) shed(known *identity, sign int64) {
	s := f.sheds[known.shed]
	if s == nil {
		s = &shedCount{shedKey: known.shed}
		f.sheds[known.shed] = s
	}
	s.count += sign
	s.bytes += sign * known.bytes
}
