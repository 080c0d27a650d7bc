package gold

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/errgroup"

	"assay/internal/tables"
)

// Apply folds a group of batches and commits it as one: when it returns nil, traces has a row of each new event and the
// state, on disk, knows them. After an error nothing of the group counts, and it can be applied again. The caller keeps
// the records until Apply returns.
func (g *Gold) Apply(ctx context.Context, batches []Batch) error {
	g.folding.Lock()
	defer g.folding.Unlock()
	if g.unsure {
		if err := g.reconcile(ctx); err != nil {
			return err
		}
		g.unsure = false
	}
	f := g.newFold()
	defer f.close()
	rows, err := f.take(batches)
	if err != nil {
		return err
	}
	if err := g.fault(BeforeAppend); err != nil {
		return err
	}
	g.unsure = true
	if err := g.store(ctx, f, rows); err != nil {
		return err
	}
	if err := g.fault(AfterAppend); err != nil {
		return err
	}
	if err := g.commit(f); err != nil {
		return err
	}
	g.unsure = false
	if err := g.fault(AfterCommit); err != nil {
		return err
	}
	return g.spread()
}

// take folds the rows of the batches, in order of sequence, and returns those that traces is to have.
func (f *folding) take(batches []Batch) (*traceRows, error) {
	batches = slices.Clone(batches)
	slices.SortStableFunc(batches, func(a, b Batch) int { return int(int64(a.Seq) - int64(b.Seq)) })
	group := make([]columns, len(batches))
	for i, b := range batches {
		var err error
		if group[i], err = newColumns(b.Record); err != nil {
			return nil, fmt.Errorf("message %d of SILVER: %w", b.Seq, err)
		}
	}
	if err := f.recall(group); err != nil {
		return nil, err
	}
	rows := &traceRows{}
	applied := f.progress.applied
	for i, b := range batches {
		number := f.progress.base + b.Seq
		part := rows.begin(b.Record, number, number <= applied)
		if err := f.takeRows(&group[i], part); err != nil {
			return nil, err
		}
		f.progress.applied = max(f.progress.applied, number)
	}
	return rows, nil
}

func (f *folding) takeRows(c *columns, part *tracePart) error {
	var ev event
	for row := range c.id.Len() {
		c.read(row, &ev)
		if f.forgotten(&ev, c.bronzeSeq.Value(row)) {
			continue
		}
		keep, err := f.event(&ev)
		if err != nil {
			return err
		}
		if keep {
			part.add(row)
			f.countTrace(ev.workflow, c.bronzeSeq.Value(row))
		}
	}
	return nil
}

// forgotten tells whether an event was decoded before its workflow was forgotten.
func (f *folding) forgotten(ev *event, bronzeSeq int64) bool {
	is := f.g.opts.Forgotten
	return is != nil && is(ev.workflow, uint64(bronzeSeq))
}

// store writes the rows to traces while the rest of the group's writes are worked out.
func (g *Gold) store(ctx context.Context, f *folding, rows *traceRows) error {
	var group errgroup.Group // one failing does not stop the other: neither can be left half done
	group.Go(func() error { return g.trace(ctx, rows) })
	return errors.Join(f.finish(), group.Wait())
}

// trace writes rows to traces. Those of messages that come late, after greater sequences were committed, reconcile could
// not tell from committed ones; so they are merged, which may be repeated.
func (g *Gold) trace(ctx context.Context, rows *traceRows) error {
	for _, late := range []bool{false, true} {
		record, err := rows.record(late)
		if err != nil {
			return err
		}
		if record == nil {
			continue
		}
		write, doing := g.opts.Store.Append, "append to"
		if late {
			write, doing = g.opts.Store.Merge, "merge into"
		}
		err = write(ctx, tables.Traces, record)
		record.Release()
		if err != nil {
			return storeError(doing, tables.Traces, err)
		}
	}
	return nil
}

// finish adds to the writes what follows from the changed entities.
func (f *folding) finish() error {
	f.progress.generation++
	for id, e := range f.entities {
		if !e.changed {
			continue
		}
		if err := errors.Join(f.writeEntity(id, e), f.markEntity(id, e)); err != nil {
			return err
		}
		f.ledger.replace(e.before, callOf(id, e.entity))
	}
	if err := errors.Join(f.follow(), f.writeOrigins(), f.writeLineage(), f.writeMetrics(), f.writeElements(), f.writeSheds(), f.writeTraceCounts()); err != nil {
		return err
	}
	return errors.Join(f.set([]byte{keyProgress}, f.progress.encode()), f.set([]byte{keyTotals}, f.totals.encode()))
}

// commit makes the writes durable, all or none.
func (g *Gold) commit(f *folding) error {
	g.committing.Lock()
	defer g.committing.Unlock()
	if err := commit(f.writes, pebble.Sync); err != nil {
		return err
	}
	g.progress, g.totals = f.progress, f.totals
	g.opts.Logger.Debug("gold: committed", "applied", g.progress.applied, "events", g.totals.Events)
	return nil
}
