package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"assay/consumers/gold"
	"assay/streams"
)

// resumeWithin is how long an interrupted audit may be gone on with; later, its picture of the tables says little.
const resumeWithin = 24 * time.Hour

// checkpoint is how far an audit has come: every frame before From is folded and its rows are compared. It is saved after
// each group of frames, with what was found until then.
type checkpoint struct {
	Stamp    string       `json:"stamp"`
	Created  time.Time    `json:"created"` // BRONZE
	Report   *Report      `json:"report"`
	Totals   *gold.Totals `json:"totals"`
	From     uint64       `json:"from"`
	Absent   uint64       `json:"absent"` // the first sequence that was not there any more, 0 if all were
	Traces   Tally        `json:"traces"`
	KeptFrom uint64       `json:"kept_from"` // the first frame of which the limits of DEAD have certainly taken no letter
	Resolved int          `json:"resolved"`  // rows of traces that were looked into
	Strays   []stray      `json:"strays"`    // up to resolvedMax
	Moved    []key        `json:"moved"`     // up to resolvedMax
	Stranded []string     `json:"stranded"`  // promotions in no state that there is, or pending without an entry; up to strandedMax
}

// save makes the checkpoint durable, and all that was written before.
func (s *scratch) save(c *checkpoint) error {
	value, err := json.Marshal(c)
	if err == nil {
		err = s.db.Set([]byte{keyCheckpoint}, value, pebble.Sync)
	}
	return stateError(err)
}

// load returns the checkpoint, nil if there is none.
func (s *scratch) load() (c *checkpoint, err error) {
	err = s.get([]byte{keyCheckpoint}, func(value []byte) error { return json.Unmarshal(value, &c) })
	return c, err
}

// resume goes on where an earlier audit was interrupted, if what it had computed still holds.
func (a *audit) resume(ctx context.Context) (goesOn bool, err error) {
	if !scratchExists(a.Dir) {
		return false, nil
	}
	if a.openScratch(ctx) != nil {
		return false, nil // what is there is of no use
	}
	c, err := a.expected.load()
	if err != nil || c == nil || c.Stamp != a.Stamp || time.Since(c.Report.AsOf) > resumeWithin {
		return false, nil
	}
	info, err := a.Log.Bronze().Info(ctx)
	if err != nil {
		return false, fmt.Errorf("audit: read stream %s: %w", streams.StreamBronze, err)
	}
	if !info.Created.Equal(c.Created) || info.State.LastSeq < c.Report.LastSeq || c.From <= c.Report.LastSeq && info.State.FirstSeq > c.From {
		return false, nil
	}
	a.reached, a.report = c, c.Report
	if goesOn, err = a.catchUp(ctx); goesOn {
		a.report.Resumed = a.report.Frames
	}
	return goesOn, err
}

// catchUp compares the group that was folded when the audit was interrupted, if that was not done yet. It is not ok if the
// fresh state is not the checkpoint's.
func (a *audit) catchUp(ctx context.Context) (ok bool, err error) {
	folded := a.gold.Applied()
	if folded < a.reached.From { // 0 if nothing was folded
		return folded+1 == a.reached.From || folded == 0 && a.reached.From == a.report.FirstSeq, nil
	}
	from, to, err := a.expected.recallGroup()
	if err != nil || from != a.reached.From || to != folded {
		return false, err
	}
	if err := a.findAged(ctx); err != nil {
		return false, err
	}
	t := a.newTraces()
	defer t.release()
	for rows, err := range a.refine(ctx, from, to) {
		if err != nil {
			return false, err
		}
		if err := t.take(rows); err != nil {
			return false, err
		}
	}
	return true, t.compareUpTo(ctx, to)
}
