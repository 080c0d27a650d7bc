package audit

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"assay/sovereign/schema"
)

// Limits of what is looked into row by row. Beyond them a row is what it seems to be: missing, or unexpected.
const (
	lookUpMax   = 500    // ids asked for at a time
	resolvedMax = 20_000 // rows in all
)

// lookInto looks for the rows of the window that are not there, and for those that may be there twice.
func (t *traces) lookInto(ctx context.Context) error {
	var absent, again []int
	for i, row := range t.rows {
		if !row.again {
			t.reached.Traces.Expected++
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
	return inParts(again, func(part []int) error { return t.lookForDoubles(ctx, part) })
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

// lookForAbsent finds out about rows that are not where the event's first frame is: the event may have come from another
// frame that holds it, its row may have been changed, or it is missing.
func (t *traces) lookForAbsent(ctx context.Context, part []int) error {
	elsewhere := map[uuid.UUID][]stored{}
	if t.reached.Resolved < resolvedMax {
		t.reached.Resolved += len(part)
		if err := t.lookUp(ctx, part, func(found *stored) {
			elsewhere[found.key.ID] = append(elsewhere[found.key.ID], stored{key: found.key, words: slices.Clone(found.words)})
		}); err != nil {
			return err
		}
	}
	for _, i := range part {
		k := t.rows[i].key
		others := elsewhere[k.ID]
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
		if row.key.Seq < t.report.FirstSeq && row.key.Seq > 0 {
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
	if t.reached.Resolved >= resolvedMax {
		return nil
	}
	t.reached.Resolved += len(part)
	count := map[uuid.UUID]int{}
	if err := t.lookUp(ctx, part, func(found *stored) { count[found.key.ID]++ }); err != nil {
		return err
	}
	for _, i := range part {
		if k := t.rows[i].key; count[k.ID] > 1 {
			t.differ(k, Unexpected, nil)
		}
	}
	return nil
}

// lookUp passes the stored rows that have the ids of some rows of the window, wherever they are.
func (t *traces) lookUp(ctx context.Context, part []int, use func(*stored)) error {
	ids := make([]string, len(part))
	for i, row := range part {
		ids[i] = t.rows[row].key.ID.String()
	}
	return scanTraces(ctx, t.Store, t.layout, schema.In(t.table.Key, ids...), func(found *stored) error {
		use(found)
		return nil
	})
}
