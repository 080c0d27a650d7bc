package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/ops/retention"
	"assay/internal/query/replay"
	"assay/sovereign/schema"
	"assay/streams"
)

// traces folds the log group by group and compares the rows of traces.
type traces struct {
	*audit
	*window
	group []gold.Batch // to be folded with the rows of the window
	bytes int
	begun time.Time
	moved map[key]struct{} // rows that turned out to be others that were changed
}

// stray is a stored row that is not in its window.
type stray struct {
	Key   key    `json:"key"`
	Text  string `json:"text"`
	Twice bool   `json:"twice"`
}

func (a *audit) newTraces() *traces {
	t := &traces{audit: a, window: newWindow(newLayout(schema.Traces)), begun: time.Now(), moved: map[key]struct{}{}}
	for _, k := range a.reached.Moved {
		t.moved[k] = struct{}{}
	}
	return t
}

// auditTraces folds the events and compares their rows.
func (a *audit) auditTraces(ctx context.Context) error {
	t := a.newTraces()
	defer t.release()
	for rows, err := range a.refine(ctx, a.reached.From, a.report.LastSeq) {
		if err != nil {
			return err
		}
		if err := t.take(rows); err != nil {
			return err
		}
		if !t.full() && rows.To < a.report.LastSeq {
			continue
		}
		if err := t.finishGroup(ctx, rows.To); err != nil {
			return err
		}
	}
	if err := t.checkAbsent(ctx); err != nil {
		return err
	}
	if err := t.finish(ctx); err != nil {
		return err
	}
	a.reached.Traces.Unprovable = a.aged.rows
	a.report.Tables = append([]Tally{a.reached.Traces}, a.report.Tables...)
	return nil
}

// take adds rows to the group.
func (t *traces) take(rows *replay.Rows) error {
	rows.Record.Retain()
	t.group = append(t.group, gold.Batch{Seq: rows.To, Record: rows.Record})
	t.bytes += rows.Bytes
	t.report.Frames += uint64(rows.Frames)
	t.report.Events += uint64(rows.Events)
	if t.reached.Absent == 0 {
		t.reached.Absent = rows.Absent
	}
	if err := t.keepPromotions(rows); err != nil {
		return err
	}
	if err := t.expectLetters(rows); err != nil {
		return err
	}
	return t.addRecord(rows.Record, t.Workflow, t.Kept[schema.Traces])
}

func (t *traces) full() bool {
	return len(t.rows) >= windowBatches*t.Silver.MaxRows || t.bytes >= windowBatches*t.Silver.MaxBytes
}

func (t *traces) release() {
	for _, b := range t.group {
		b.Record.Release()
	}
	t.group, t.bytes = nil, 0
}

// finishGroup folds the group, which ends with the given sequence, and compares its rows.
func (t *traces) finishGroup(ctx context.Context, to uint64) error {
	if err := t.expected.beginGroup(t.reached.From, to); err != nil {
		return err
	}
	if err := t.gold.Apply(ctx, t.group); err != nil {
		return fmt.Errorf("audit: fold: %w", err)
	}
	if err := t.compareUpTo(ctx, to); err != nil {
		return err
	}
	if t.Progress != nil {
		t.Progress(to-t.report.FirstSeq+1, t.report.LastSeq-t.report.FirstSeq+1)
	}
	if t.Yield != nil {
		t.Yield(ctx, time.Since(t.begun))
	}
	t.begun = time.Now()
	return nil
}

// compareUpTo compares the rows of the frames up to the given sequence, whose group was folded.
func (t *traces) compareUpTo(ctx context.Context, to uint64) error {
	for i := range t.rows {
		_, isNew := t.expected.new[t.rows[i].key]
		t.rows[i].again = !isNew
	}
	where := t.where(schema.Ge(silver.ColBronzeSeq, int64(t.reached.From)), schema.Le(silver.ColBronzeSeq, int64(to)),
		retention.Stays(schema.Traces, t.Kept[schema.Traces]))
	count, err := t.compare(ctx, t.Store, where, func(i int, columns []string) {
		t.differ(t.rows[i].key, Different, columns)
	}, t.stray)
	if err != nil {
		return err
	}
	t.reached.Traces.Stored += count
	if err := t.lookInto(ctx); err != nil {
		return err
	}
	t.window.reset()
	t.release()
	t.reached.From, t.reached.Moved = to+1, slices.Collect(maps.Keys(t.moved))
	return t.save()
}

func (t *traces) stray(found *stored, twice bool) {
	if len(t.reached.Strays) == resolvedMax {
		t.unexpected(found.key, found.text)
		return
	}
	// The text ends with the record.
	t.reached.Strays = append(t.reached.Strays, stray{Key: found.key, Text: strings.Clone(found.text), Twice: twice})
}

// checkAbsent fails if frames left the log while they were still to be read.
func (t *traces) checkAbsent(ctx context.Context) error {
	first, _, err := t.ends(ctx)
	if err != nil {
		return err
	}
	if absent := t.reached.Absent; absent > 0 && absent < first && first > t.report.FirstSeq {
		return errors.Join(fmt.Errorf("%w: sequence %d was gone before it was read", ErrOvertaken, absent), t.close(), t.discard())
	}
	return nil
}

// ends returns the first and the last sequence that the log has now.
func (a *audit) ends(ctx context.Context) (first, last uint64, err error) {
	info, err := a.Log.Bronze().Info(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("audit: read stream %s: %w", streams.StreamBronze, err)
	}
	return info.State.FirstSeq, info.State.LastSeq, nil
}

// finish reports what is left: rows of frames that the log cannot have, and strays that nothing explained.
func (t *traces) finish(ctx context.Context) error {
	_, last, err := t.ends(ctx)
	if err != nil {
		return err
	}
	beyond := t.where(schema.Or(schema.Lt(silver.ColBronzeSeq, int64(1)), schema.Gt(silver.ColBronzeSeq, int64(last))))
	if err := scanTraces(ctx, t.Store, t.layout, beyond, func(found *stored) error {
		if found.key.Seq > last && len(t.reached.Strays) < resolvedMax { // unless it has come since
			if _, last, err = t.ends(ctx); err != nil || found.key.Seq <= last {
				return err
			}
		}
		t.reached.Traces.Stored++
		t.stray(found, false)
		return nil
	}); err != nil {
		return err
	}
	for _, s := range t.reached.Strays {
		if _, explained := t.moved[s.Key]; explained && !s.Twice {
			continue
		}
		t.unexpected(s.Key, s.Text)
	}
	return nil
}

// differ reports a row that there should be.
func (t *traces) differ(k key, finding Finding, columns []string) {
	position := k.Position
	t.report.add(&t.reached.Traces, Difference{
		Key: k.ID.String(), Finding: finding, Columns: columns, BronzeSeq: k.Seq, Position: &position,
	}, t.ListMax)
}

// unexpected reports a row that there should not be.
func (t *traces) unexpected(k key, text string) {
	position := k.Position
	t.report.add(&t.reached.Traces, Difference{
		Key: strings.Clone(text), Finding: Unexpected, BronzeSeq: k.Seq, Position: &position,
	}, t.ListMax)
}
