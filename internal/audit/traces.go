package audit

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/tables"
)

// Limits of what is looked into row by row. Beyond them a row is what it seems to be: missing, or unexpected.
const (
	lookUpMax   = 500    // ids asked for at a time
	resolvedMax = 20_000 // rows in all
)

// traces compares the rows of traces.
type traces struct {
	*audit
	*window
	tally    Tally
	from     uint64 // first sequence of the window
	resolved int
	strays   []stray          // rows that no frame accounts for, so far
	moved    map[key]struct{} // rows that turned out to be others that were changed
}

// stray is a stored row that is not in its window.
type stray struct {
	stored
	twice bool
}

// auditTraces folds the events and compares their rows.
func (a *audit) auditTraces(ctx context.Context) error {
	t := &traces{
		audit: a, window: newWindow(newLayout(tables.Traces)), tally: Tally{Table: tables.Traces, Unprovable: a.aged.rows},
		from: a.report.FirstSeq, moved: map[key]struct{}{},
	}
	for rows, err := range a.refine(ctx) {
		if err != nil {
			return err
		}
		// The sequence of the last frame numbers the group, as there are no messages of SILVER.
		if err := a.gold.Apply(ctx, []gold.Batch{{Seq: rows.To, Record: rows.Record}}); err != nil {
			return fmt.Errorf("audit: fold: %w", err)
		}
		if err := t.addRecord(rows.Record, a.Workflow, a.again); err != nil {
			return err
		}
		clear(a.expected.new)
		a.report.Frames += uint64(rows.Frames)
		a.report.Events += uint64(rows.Events)
		if len(t.rows) >= windowRows || rows.To == a.report.LastSeq {
			if err := t.compareUpTo(ctx, rows.To); err != nil {
				return err
			}
		}
		if a.Progress != nil {
			a.Progress(rows.To-a.report.FirstSeq+1, a.report.LastSeq-a.report.FirstSeq+1)
		}
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	a.report.Tables = append(a.report.Tables, t.tally)
	return nil
}

// again reports whether an event was in an earlier frame, too, than in that of the group just folded.
func (a *audit) again(k key) bool {
	_, isNew := a.expected.new[k]
	return !isNew
}

// compareUpTo compares the rows of frames from t.from to the given sequence.
func (t *traces) compareUpTo(ctx context.Context, to uint64) error {
	where := t.where(tables.Ge(silver.ColBronzeSeq, int64(t.from)), tables.Le(silver.ColBronzeSeq, int64(to)))
	count, err := t.compare(ctx, t.Store, where, func(i int, _ *stored, columns []string) {
		t.differ(t.rows[i].key, Different, columns)
	}, t.stray)
	if err != nil {
		return err
	}
	t.tally.Stored += count
	var absent, again []int
	for i, row := range t.rows {
		if !row.again {
			t.tally.Expected++
		}
		switch {
		case !row.seen && !row.again:
			absent = append(absent, i)
		case row.seen && row.again:
			again = append(again, i)
		}
	}
	if err := inParts(absent, func(part []int) error { return t.lookForAbsent(ctx, part) }); err != nil {
		return err
	}
	if err := inParts(again, func(part []int) error { return t.lookForDoubles(ctx, part) }); err != nil {
		return err
	}
	t.window.reset()
	t.from = to + 1
	return nil
}

func inParts(rows []int, do func(part []int) error) error {
	for len(rows) > 0 {
		n := min(lookUpMax, len(rows))
		if err := do(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (t *traces) stray(found *stored, twice bool) {
	if len(t.strays) == resolvedMax {
		t.unexpected(found)
		return
	}
	s := stray{stored: *found, twice: twice}
	s.text, s.entity, s.words = strings.Clone(found.text), "", nil // which end with the record
	t.strays = append(t.strays, s)
}

// lookForAbsent finds out about rows that are not where the event's first frame is: the event may have come from another
// frame that holds it, its row may have been changed, or it is missing.
func (t *traces) lookForAbsent(ctx context.Context, part []int) error {
	elsewhere := map[uuid.UUID][]stored{}
	if t.resolved < resolvedMax {
		t.resolved += len(part)
		if err := t.lookUp(ctx, part, func(found *stored) {
			s := *found
			s.text, s.entity, s.words = "", "", slices.Clone(found.words)
			elsewhere[s.key.id] = append(elsewhere[s.key.id], s)
		}); err != nil {
			return err
		}
	}
	for _, i := range part {
		k := t.rows[i].key
		others := elsewhere[k.id]
		if len(others) == 0 {
			t.differ(k, Missing, nil)
			continue
		}
		proved, err := t.anyProved(ctx, others)
		if err != nil {
			return err
		}
		if !proved {
			t.moved[others[0].key] = struct{}{}
			t.differ(k, Different, t.differing(t.signature(i), others[0].words))
		}
	}
	return nil
}

// anyProved reports whether one of the rows names a frame that holds its event there.
func (t *traces) anyProved(ctx context.Context, rows []stored) (bool, error) {
	for _, row := range rows {
		if row.key.seq < t.report.FirstSeq && row.key.seq > 0 {
			return true, nil // in a frame that has left the log
		}
		holds, err := t.frameHolds(ctx, row.key)
		if holds || err != nil {
			return holds, err
		}
	}
	return false, nil
}

// lookForDoubles finds rows of one event that come from different frames.
func (t *traces) lookForDoubles(ctx context.Context, part []int) error {
	if t.resolved >= resolvedMax {
		return nil
	}
	t.resolved += len(part)
	count := map[uuid.UUID]int{}
	if err := t.lookUp(ctx, part, func(found *stored) { count[found.key.id]++ }); err != nil {
		return err
	}
	for _, i := range part {
		if k := t.rows[i].key; count[k.id] > 1 {
			t.differ(k, Unexpected, nil)
		}
	}
	return nil
}

// lookUp passes the stored rows that have the ids of some rows of the window, wherever they are.
func (t *traces) lookUp(ctx context.Context, part []int, use func(*stored)) error {
	ids := make([]string, len(part))
	for i, row := range part {
		ids[i] = t.rows[row].key.id.String()
	}
	return scan(ctx, t.Store, t.layout, tables.In(t.table.Key, ids...), func(found *stored) error {
		use(found)
		return nil
	})
}

// finish reports what is left: rows of frames that the log cannot have, and strays that nothing explained.
func (t *traces) finish(ctx context.Context) error {
	beyond := t.where(tables.Or(tables.Lt(silver.ColBronzeSeq, int64(1)), tables.Gt(silver.ColBronzeSeq, int64(t.report.LastSeq))))
	if err := scan(ctx, t.Store, t.layout, beyond, func(found *stored) error {
		t.tally.Stored++
		t.stray(found, false)
		return nil
	}); err != nil {
		return err
	}
	for i := range t.strays {
		s := &t.strays[i]
		if _, explained := t.moved[s.key]; explained && !s.twice {
			continue
		}
		t.unexpected(&s.stored)
	}
	return nil
}

// differ reports a row that there should be.
func (t *traces) differ(k key, finding Finding, columns []string) {
	position := k.position
	t.report.add(&t.tally, Difference{
		Key: k.id.String(), Finding: finding, Columns: columns, BronzeSeq: k.seq, Position: &position,
	}, t.ListMax)
}

// unexpected reports a row that there should not be.
func (t *traces) unexpected(row *stored) {
	position := row.key.position
	t.report.add(&t.tally, Difference{
		Key: row.text, Finding: Unexpected, BronzeSeq: row.key.seq, Position: &position,
	}, t.ListMax)
}
