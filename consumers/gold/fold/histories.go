package fold

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
)

// writeHistories adds the group's changes to the histories.
func (f *Tx) writeHistories() error {
	for workflow, c := range f.Histories {
		if err := f.writeHistory(workflow, c); err != nil {
			return err
		}
	}
	return nil
}

func (f *Tx) writeHistory(workflow string, c *model.HistoryDelta) error {
	id := model.HistoryID(f.Opts.Partition.Namespace, workflow)
	k := model.HistoryKey(id, model.SlotSummary)
	was, err := state.Load(f.seeker, k, model.DecodeSummary)
	if err != nil {
		return err
	}
	now := model.HistorySummary{Workflow: workflow}
	if was != nil {
		now = *was
	}
	now.HistoryCounts.Add(+1, c.Counts)
	err = errors.Join(f.writeTurns(id, c), f.writeNames(id, model.SlotAgent, c.Agents), f.writeNames(id, model.SlotModel, c.Models))
	if err != nil {
		return err
	}
	if now.Entities > 0 {
		if now.Last, err = f.lastTurn(id, was, c); err != nil {
			return err
		}
	}
	moved := was == nil || now.Entities == 0 || now.Last.At != was.Last.At
	if was != nil && moved {
		err = f.Delete(model.RecentKey(was.Last.At, id))
	}
	if now.Entities == 0 {
		return errors.Join(err, f.Delete(k))
	}
	if moved {
		err = errors.Join(err, f.Set(model.RecentKey(now.Last.At, id), nil))
	}
	return errors.Join(err, f.Set(k, now.Encode()))
}

func (f *Tx) writeTurns(history uuid.UUID, c *model.HistoryDelta) error {
	for t := range c.Removed {
		if _, stays := c.Added[t]; stays {
			continue
		}
		if err := f.Delete(model.TurnKey(history, model.SlotTurn, t)); err != nil {
			return err
		}
	}
	for t, by := range c.Added {
		if c.Removed[t] == by {
			continue
		}
		if err := f.Set(model.TurnKey(history, model.SlotTurn, t), []byte{byte(by)}); err != nil {
			return err
		}
	}
	return f.writeTitles(history, c)
}

func (f *Tx) writeTitles(history uuid.UUID, c *model.HistoryDelta) (err error) {
	for t, n := range c.Titles {
		switch {
		case n > 0:
			err = errors.Join(err, f.Set(model.TurnKey(history, model.SlotTitle, t), nil))
		case n < 0:
			err = errors.Join(err, f.Delete(model.TurnKey(history, model.SlotTitle, t)))
		}
	}
	return err
}

// writeNames adds to the counts of names that a history has.
func (f *Tx) writeNames(history uuid.UUID, slot byte, names map[string]int64) error {
	for name, n := range names {
		if _, err := f.countWorkflow(append(model.HistoryKey(history, slot), name...), n); err != nil {
			return err
		}
	}
	return nil
}

// lastTurn returns the last turn of a history once the change is written. Only where the last one goes does it have to be
// looked for.
func (f *Tx) lastTurn(history uuid.UUID, was *model.HistorySummary, c *model.HistoryDelta) (last model.Turn, err error) {
	known := was != nil
	if known {
		last = was.Last
		_, gone := c.Removed[last]
		if _, back := c.Added[last]; gone && !back {
			last, known, err = f.lastKept(history, c)
		}
	}
	for t := range c.Added {
		if !known || last.Compare(t) < 0 {
			last, known = t, true
		}
	}
	return last, err
}

// lastKept returns the last stored turn that the change leaves.
func (f *Tx) lastKept(history uuid.UUID, c *model.HistoryDelta) (last model.Turn, found bool, err error) {
	prefix := model.HistoryKey(history, model.SlotTurn)
	it, err := f.DB.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: model.PrefixEnd(prefix)})
	if err != nil {
		return last, false, state.Wrap("scan", err)
	}
	for ok := it.Last(); ok && !found; ok = it.Prev() {
		last = model.ParseTurn(it.Key())
		_, gone := c.Removed[last]
		found = !gone
	}
	return last, found, state.Wrap("scan", errors.Join(it.Error(), it.Close()))
}
