package fold

import (
	"fmt"
	"slices"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
)

// deduped is a group of batches of which it is known what is new: all that traces needs, so that its rows are written while
// the events are folded.
type deduped struct {
	batches []model.Columns
	actions [][]rowAction // of the rows of each batch
	traces  project.TraceRows
}

// rowAction is what is left to do for a row.
type rowAction byte

const (
	skipRow        rowAction = iota // it brings nothing
	foldRow                         // it is new and belongs to an entity
	mergeDuplicate                  // another capture of an event that was kept
)

// dedup tells which rows of the batches are new, in order of sequence, and remembers the events.
func (f *Tx) dedup(batches []Batch) (*deduped, error) {
	batches = slices.Clone(batches)
	slices.SortStableFunc(batches, func(a, b Batch) int { return int(int64(a.Seq) - int64(b.Seq)) })
	a := &deduped{batches: make([]model.Columns, len(batches)), actions: make([][]rowAction, len(batches))}
	for i, b := range batches {
		var err error
		if a.batches[i], err = model.NewColumns(b.Record); err != nil {
			return nil, fmt.Errorf("message %d of SILVER: %w", b.Seq, err)
		}
	}
	if err := f.loadIdentities(a.batches); err != nil {
		return nil, err
	}
	applied := f.progress.Applied
	for i, b := range batches {
		number := f.progress.Base + b.Seq
		part := a.traces.Begin(b.Record, number, number <= applied)
		a.traces.Partition = f.Opts.Partition.Column()
		var err error
		if a.actions[i], err = f.dedupRows(&a.batches[i], part); err != nil {
			return nil, err
		}
		f.progress.Applied = max(f.progress.Applied, number)
	}
	return a, nil
}

func (f *Tx) dedupRows(c *model.Columns, part *project.TracePart) ([]rowAction, error) {
	actions := make([]rowAction, c.ID.Len())
	var ev model.Event
	for row := range actions {
		c.Read(row, &ev)
		if f.forgotten(&ev, c.BronzeSeq.Value(row)) {
			continue
		}
		if !f.Opts.Partition.Owns(ev.Workflow) {
			if err := f.noteForeign(&ev); err != nil {
				return nil, err
			}
			continue
		}
		var err error
		if actions[row], err = f.dedupEvent(&ev); err != nil {
			return nil, err
		}
		if actions[row] == foldRow {
			part.Add(row)
			f.countTrace(ev.Workflow, c.BronzeSeq.Value(row))
		}
	}
	return actions, nil
}

// forgotten tells whether an event was decoded before its workflow was forgotten.
func (f *Tx) forgotten(ev *model.Event, bronzeSeq int64) bool {
	is := f.Opts.Forgotten
	return is != nil && is.Has(ev.Workflow, uint64(bronzeSeq))
}

func (f *Tx) dedupEvent(ev *model.Event) (rowAction, error) {
	known, err := f.identity(ev)
	switch {
	case err != nil:
		return skipRow, err
	case known == nil:
		return f.firstSeen(ev)
	case model.RankDisposition(ev.Disposition) > model.RankDisposition(known.Disposition):
		f.TakeBack(known)
		return f.firstSeen(ev)
	case ev.Disposition == bronze.Kept:
		return mergeDuplicate, nil
	default:
		return skipRow, nil
	}
}

// identity returns what is known of an event, nil if it was not met before; recall must have been called.
func (f *Tx) identity(ev *model.Event) (known *model.Identity, err error) {
	if known = f.Identities[ev.ID]; known != nil || !ev.OwnID {
		return known, nil
	}
	known, err = state.Load(f.seeker, model.Key(model.KeyOwnID, ev.ID), model.DecodeIdentity)
	if known != nil {
		f.Identities[ev.ID] = known
	}
	return known, err
}

func (f *Tx) remember(ev *model.Event, known *model.Identity) error {
	f.Identities[ev.ID] = known
	if ev.OwnID {
		return f.Set(model.Key(model.KeyOwnID, ev.ID), known.Encode())
	}
	from := f.watermarks[ev.Offset.Stream]
	from.Advance(ev.Position)
	f.note(model.IDBlockOf(from, ev), ev.ID, known)
	return nil
}

// firstSeen admits an event that was not met before.
func (f *Tx) firstSeen(ev *model.Event) (rowAction, error) {
	known := model.NewIdentity(ev)
	if err := f.remember(ev, known); err != nil {
		return skipRow, err
	}
	f.Totals.Events++
	switch ev.Disposition {
	case bronze.Kept:
		f.Totals.Traces++
		return foldRow, nil
	case bronze.Shed:
		f.Totals.Shed++
		f.shed(known, +1)
	default:
		f.Totals.Dead++
	}
	return skipRow, nil
}

// TakeBack takes an event back that had been shed or dead and now turns up kept.
func (f *Tx) TakeBack(known *model.Identity) {
	f.Totals.Events--
	if known.Disposition == bronze.Shed {
		f.Totals.Shed--
		f.shed(known, -1)
	} else {
		f.Totals.Dead--
	}
}

func (f *Tx) shed(known *model.Identity, sign int64) {
	s := f.sheds[known.Shed]
	if s == nil {
		s = &model.ShedCount{ShedKey: known.Shed}
		f.sheds[known.Shed] = s
	}
	s.Count += sign
	s.Bytes += sign * known.Bytes
}
