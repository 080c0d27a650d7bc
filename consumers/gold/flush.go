package gold

import (
	"context"
	"errors"
	"time"

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
// A crash before the intent repeats the whole, one after it merges what may have been appended.

// Limits of one write to a table.
const (
	flushRows  = 4096
	flushBytes = 16 << 20
)

// Flush brings the tables up to date, but for entities that have neither ended nor been quiet for Options.QuietAfter.
func (g *Gold) Flush(ctx context.Context) error {
	return g.flush(ctx, g.opts.Now().Add(-g.opts.QuietAfter))
}

// FlushAll brings the tables wholly up to date, as at a clean stop.
func (g *Gold) FlushAll(ctx context.Context) error { return g.flush(ctx, time.Time{}) }

// flush writes what is marked, and of open entities those that have not changed since quietSince (zero: all of them).
func (g *Gold) flush(ctx context.Context, quietSince time.Time) error {
	g.flushing.Lock()
	defer g.flushing.Unlock()
	defer g.told.clear()
	open := func(m *mark) bool { return quietSince.IsZero() || !m.setAt().After(quietSince) }
	// A table that fails does not keep the others from being written. Those of entities wait for each other, since an entity's
	// episodes are marked when its row is written; the sums go beside them.
	var sums errgroup.Group
	sums.Go(func() error {
		return errors.Join(
			g.sweep(ctx, dirtyMetric, everyMark, g.writeMetricRows),
			g.sweep(ctx, dirtyElement, everyMark, g.writeElementRows),
			g.sweep(ctx, dirtyShed, everyMark, g.writeShedRows),
		)
	})
	return errors.Join(
		g.sweep(ctx, dirtyReady, everyMark, g.writeEntities),
		g.sweep(ctx, dirtyOpen, open, g.writeEntities),
		g.sweep(ctx, dirtyEpisode, everyMark, g.writeEpisodes),
		sums.Wait(),
	)
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
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	found, err := marks(snapshot, table, last, flushRows)
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
		n, err := write(ctx, snapshot, dues)
		if err != nil {
			return nil, false, err
		}
		dues = dues[n:]
	}
	return reached, true, nil
}

// write appends or merges the rows built, if any.
func (g *Gold) write(ctx context.Context, r *rows, merge bool) error {
	if r.count == 0 {
		return nil
	}
	record := r.NewRecord()
	defer record.Release()
	if merge {
		return storeError("merge into", r.table, g.opts.Store.Merge(ctx, r.table, record))
	}
	return storeError("append to", r.table, g.opts.Store.Append(ctx, r.table, record))
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
