package project

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
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
	FlushBytes = 16 << 20
	sumRows    = 32 << 10 // of a sum, which are short: what merging them costs depends less on them than on their table
)

// Flush brings the tables up to date, but for entities that have neither ended nor been quiet for Options.QuietAfter.
func (t *Tables) Flush(ctx context.Context) error {
	return t.flush(ctx, t.opts.Now().Add(-t.opts.QuietAfter), true)
}

// sumsRest is how many times what it took to write the sums passes until Run writes them again. Most of their rows change
// with each group, and merging them costs more the more there are.
const sumsRest = 4

// flushRested is Flush, but for the sums while they rest.
func (t *Tables) flushRested(ctx context.Context) error {
	t.flushing.Lock()
	due := !time.Now().Before(t.sumsDue)
	t.flushing.Unlock()
	return t.flush(ctx, t.opts.Now().Add(-t.opts.QuietAfter), due)
}

// FlushAll brings the tables wholly up to date, as at a clean stop.
func (t *Tables) FlushAll(ctx context.Context) error { return t.flush(ctx, time.Time{}, true) }

// flush writes what is marked, of open entities those that have not changed since quietSince (zero: all of them), and the sums
// if they are wanted.
func (t *Tables) flush(ctx context.Context, quietSince time.Time, wantSums bool) (failed error) {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	defer t.cache.clear()
	if err := t.flushHeld(ctx); errors.Is(err, model.ErrState) {
		return err
	} else if err != nil {
		defer func() { failed = errors.Join(err, failed) }()
	}
	ready := func(m *state.DirtyMark) bool { return !t.holds(m.ID) }
	open := func(m *state.DirtyMark) bool {
		return (quietSince.IsZero() || !m.SetAt().After(quietSince)) && ready(m)
	}
	// A table that fails does not keep the others from being written. Those of entities wait for each other, since an entity's
	// episodes are marked when its row is written; the sums go beside them.
	var sums errgroup.Group
	if wantSums {
		sums.Go(func() error { return t.writeSums(ctx) })
	}
	return errors.Join(
		t.sweep(ctx, state.DirtyReady, ready, t.writeEntities),
		t.sweep(ctx, state.DirtyOpen, open, t.writeEntities),
		t.sweep(ctx, state.DirtyEpisode, ready, t.writeEpisodes),
		sums.Wait(),
	)
}

// writeSums writes the metrics, the graph and the shed counters.
func (t *Tables) writeSums(ctx context.Context) error {
	began := time.Now()
	err := errors.Join(
		t.sweep(ctx, state.DirtyMetric, everyMark, t.writeMetricRows),
		t.sweep(ctx, state.DirtyElement, everyMark, t.writeElementRows),
		t.sweep(ctx, state.DirtyShed, everyMark, t.writeShedRows),
	)
	t.sumsDue = time.Now().Add(sumsRest * time.Since(began))
	return err
}

func everyMark(*state.DirtyMark) bool { return true }

// sweep passes the marks of a table that are due to write, some at a time, each together with a view of the state as of
// one commit. write returns how many of them it took, at least one. Marks that come up meanwhile wait for the next flush.
func (t *Tables) sweep(ctx context.Context, table byte, due func(*state.DirtyMark) bool,
	write func(context.Context, *pebble.Snapshot, []state.DirtyMark) (int, error),
) error {
	var last []byte
	for ctx.Err() == nil {
		found, more, err := t.sweepSome(ctx, table, last, due, write)
		if err != nil || !more {
			return err
		}
		last = found
	}
	return context.Cause(ctx)
}

func (t *Tables) sweepSome(ctx context.Context, table byte, last []byte, due func(*state.DirtyMark) bool,
	write func(context.Context, *pebble.Snapshot, []state.DirtyMark) (int, error),
) (reached []byte, more bool, err error) {
	found, err := state.DirtyMarks(t.db, table, last, rowsOf(table))
	if err != nil || len(found) == 0 {
		return nil, false, err
	}
	reached = found[len(found)-1].Key
	var dues []state.DirtyMark
	for i := range found {
		if due(&found[i]) {
			dues = append(dues, found[i])
		}
	}
	for len(dues) > 0 {
		n, err := t.withSnapshot(ctx, dues, write)
		if err != nil {
			return nil, false, err
		}
		dues = dues[n:]
	}
	return reached, true, nil
}

// rowsOf is how many rows of a table are looked at for one write.
func rowsOf(table byte) int {
	switch table {
	case state.DirtyMetric, state.DirtyElement, state.DirtyShed:
		return sumRows
	default:
		return flushRows
	}
}

// withSnapshot gives each write a view of the state of its own: that of an earlier one lacks which rows this has written
// meanwhile, and an entity may have several marks.
func (t *Tables) withSnapshot(ctx context.Context, due []state.DirtyMark,
	write func(context.Context, *pebble.Snapshot, []state.DirtyMark) (int, error),
) (taken int, err error) {
	snapshot := t.db.NewSnapshot()
	defer snapshot.Close()
	return write(ctx, snapshot, due)
}

// write appends or merges the rows of a table that were built, if any.
func (t *Tables) write(ctx context.Context, merge bool, parts ...*rows) error {
	record, err := t.record(ctx, parts)
	if record == nil || err != nil {
		return err
	}
	defer record.Release()
	table := parts[0].table
	if merge {
		return StoreError("merge into", table, t.opts.Store.Merge(ctx, table, record))
	}
	return StoreError("append to", table, t.opts.Store.Append(ctx, table, record))
}

// record joins rows of a table that were built apart, and gives episodes their vectors; nil if there are none. The caller
// releases it.
func (t *Tables) record(ctx context.Context, parts []*rows) (arrow.Record, error) {
	columns, count, err := joinRows(parts)
	if err != nil {
		return nil, err
	}
	defer release(columns)
	if count == 0 {
		return nil, nil
	}
	if parts[0].table == schema.Episodes {
		if err := t.addVectors(ctx, parts[0].Schema(), columns); err != nil {
			return nil, err
		}
	}
	return array.NewRecord(parts[0].Schema(), columns, int64(count)), nil
}

// remove deletes rows by key.
func (t *Tables) remove(ctx context.Context, table string, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = id.String()
	}
	where := schema.In(schema.ByName(table).Key, keys...)
	return StoreError("delete from", table, t.opts.Store.Delete(ctx, table, where))
}

// dropMarks takes marks away that are as the flush found them, and adds what else is to be written with that. It need not
// be on disk at once: a mark that comes back only has its row written again.
func (t *Tables) dropMarks(done []state.DirtyMark, also func(*pebble.Batch) error) error {
	t.db.Lock()
	defer t.db.Unlock()
	writes := t.db.NewBatch()
	defer writes.Close()
	now := state.Seeker{From: t.db}
	defer now.Close()
	for _, m := range done {
		same := false
		if _, err := state.Get(&now, m.Key, func(value []byte) error {
			same = bytes.Equal(value, m.Value)
			return nil
		}); err != nil {
			return err
		}
		if !same {
			continue
		}
		if err := writes.Delete(m.Key, nil); err != nil {
			return state.Wrap("write", err)
		}
	}
	if err := also(writes); err != nil {
		return err
	}
	return t.db.Commit(writes, pebble.NoSync)
}

// intent is that a table is to have so many rows of something, and where the state remembers that.
type intent struct {
	key  []byte
	rows uint64
}

// writtenKey is where the state remembers that a small table may have a row.
func writtenKey(table byte, id uuid.UUID) []byte {
	return append([]byte{model.KeyWritten, table}, id[:]...)
}

// logIntent makes it durable that tables may have rows, before they are written: a crash in between then leads to merging
// them, which may be repeated, and never to appending them twice.
func (t *Tables) logIntent(plans []intent) error {
	if len(plans) == 0 {
		return nil
	}
	writes := t.db.NewBatch()
	defer writes.Close()
	for _, p := range plans {
		if err := p.write(writes); err != nil {
			return err
		}
	}
	t.db.Lock()
	err := t.db.Commit(writes, pebble.Sync)
	t.db.Unlock()
	if err != nil {
		return err
	}
	return t.opts.Fault.At(state.AfterIntent)
}

func (p intent) write(to *pebble.Batch) error {
	return state.Wrap("write", to.Set(p.key, binary.AppendUvarint(nil, p.rows), nil))
}
