package gold

import (
	"context"
	"errors"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"assay/sovereign/schema"
)

// The derived tables are views of the state that follow it: a flush writes the rows that are marked. A row that the table
// cannot have is appended, which stays cheap however large the table is; others are merged.
//
//	mark (in the commit) ─► intent (synced) ─► append or merge ─► mark taken away
//
// A crash before the intent repeats the whole, one after it merges what may have been appended. Rows that are held (see
// held.go) go first and need no mark.

// Limits of one write to a table.
const (
	flushRows  = 4096
	flushBytes = 16 << 20
)

// Flush brings the tables up to date, but for entities that have neither ended nor been quiet for Options.QuietAfter.
func (g *Gold) Flush(ctx context.Context) error {
	return g.flush(ctx, g.opts.Now().Add(-g.opts.QuietAfter), true)
}

// sumsRest is how many times what it took to write the sums passes until Run writes them again. Most of their rows change
// with each group, and merging them costs more the more there are.
const sumsRest = 4

// flushRested is Flush, but for the sums while they rest.
func (g *Gold) flushRested(ctx context.Context) error {
	g.flushing.Lock()
	due := !time.Now().Before(g.sumsDue)
	g.flushing.Unlock()
	return g.flush(ctx, g.opts.Now().Add(-g.opts.QuietAfter), due)
}

// FlushAll brings the tables wholly up to date, as at a clean stop.
func (g *Gold) FlushAll(ctx context.Context) error { return g.flush(ctx, time.Time{}, true) }

// flush writes what is marked, of open entities those that have not changed since quietSince (zero: all of them), and the sums
// if they are wanted.
func (g *Gold) flush(ctx context.Context, quietSince time.Time, wantSums bool) (failed error) {
	g.flushing.Lock()
	defer g.flushing.Unlock()
	defer g.told.clear()
	if err := g.flushHeld(ctx); errors.Is(err, ErrState) {
		return err
	} else if err != nil {
		defer func() { failed = errors.Join(err, failed) }()
	}
	ready := func(m *mark) bool { return !g.holds(m.id) }
	open := func(m *mark) bool { return (quietSince.IsZero() || !m.setAt().After(quietSince)) && ready(m) }
	// A table that fails does not keep the others from being written. Those of entities wait for each other, since an entity's
	// episodes are marked when its row is written; the sums go beside them.
	var sums errgroup.Group
	if wantSums {
		sums.Go(func() error { return g.writeSums(ctx) })
	}
	return errors.Join(
		g.sweep(ctx, dirtyReady, ready, g.writeEntities),
		g.sweep(ctx, dirtyOpen, open, g.writeEntities),
		g.sweep(ctx, dirtyEpisode, ready, g.writeEpisodes),
		sums.Wait(),
	)
}

// writeSums writes the metrics, the graph and the shed counters.
func (g *Gold) writeSums(ctx context.Context) error {
	began := time.Now()
	err := errors.Join(
		g.sweep(ctx, dirtyMetric, everyMark, g.writeMetricRows),
		g.sweep(ctx, dirtyElement, everyMark, g.writeElementRows),
		g.sweep(ctx, dirtyShed, everyMark, g.writeShedRows),
	)
	g.sumsDue = time.Now().Add(sumsRest * time.Since(began))
	return err
}

func everyMark(*mark) bool { return true }

// sweep passes the marks of a table that are due to write, some at a time, each together with a view of the state as of
// one commit. write returns how many of them it took, at least one. Marks that come up meanwhile wait for the next flush.
func (g *Gold) sweep(ctx context.Context, table byte, due func(*mark) bool,
	write func(context.Context, *pebble.Snapshot, []mark) (int, error),
) error {
	var last []byte
	for ctx.Err() == nil {
		found, more, err := g.sweepSome(ctx, table, last, due, write)
		if err != nil || !more {
			return err
		}
		last = found
	}
	return context.Cause(ctx)
}

func (g *Gold) sweepSome(ctx context.Context, table byte, last []byte, due func(*mark) bool,
	write func(context.Context, *pebble.Snapshot, []mark) (int, error),
) (reached []byte, more bool, err error) {
	found, err := marks(g.state.db, table, last, flushRows)
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	reached = found[len(found)-1].key
	var dues []mark
	for i := range found {
		if due(&found[i]) {
			dues = append(dues, found[i])
		}
	}
	for len(dues) > 0 {
		n, err := g.withSnapshot(ctx, dues, write)
		if err != nil {
			return nil, false, err
		}
		dues = dues[n:]
	}
	return reached, true, nil
}

// withSnapshot gives each write a view of the state of its own: that of an earlier one lacks which rows this has written
// meanwhile, and an entity may have several marks.
func (g *Gold) withSnapshot(ctx context.Context, due []mark,
	write func(context.Context, *pebble.Snapshot, []mark) (int, error),
) (taken int, err error) {
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	return write(ctx, snapshot, due)
}

// write appends or merges the rows of a table that were built, if any.
func (g *Gold) write(ctx context.Context, merge bool, parts ...*rows) error {
	record, err := g.record(ctx, parts)
	if record == nil || err != nil {
		return err
	}
	defer record.Release()
	table := parts[0].table
	if merge {
		return storeError("merge into", table, g.opts.Store.Merge(ctx, table, record))
	}
	return storeError("append to", table, g.opts.Store.Append(ctx, table, record))
}

// record joins rows of a table that were built apart, and gives episodes their vectors; nil if there are none. The caller
// releases it.
func (g *Gold) record(ctx context.Context, parts []*rows) (arrow.Record, error) {
	columns, count, err := joinRows(parts)
	if err != nil {
		return nil, err
	}
	defer release(columns)
	if count == 0 {
		return nil, nil
	}
	if parts[0].table == schema.Episodes {
		if err := g.addVectors(ctx, parts[0].Schema(), columns); err != nil {
			return nil, err
		}
	}
	return array.NewRecord(parts[0].Schema(), columns, int64(count)), nil
}

// remove deletes rows by key.
func (g *Gold) remove(ctx context.Context, table string, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = id.String()
	}
	where := schema.In(schema.ByName(table).Key, keys...)
	return storeError("delete from", table, g.opts.Store.Delete(ctx, table, where))
}
