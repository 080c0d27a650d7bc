package project

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/uuid"

	"assay/consumers/gold/model"
	"assay/consumers/gold/state"
	"assay/sovereign/schema"
)

// Sentinels of this package; test them with errors.Is.
var (
	// ErrStore means that the tables could not be read or written.
	ErrStore = errors.New("gold: store failed")
	// ErrEmbed means that the embedder failed; episodes wait for the next attempt.
	ErrEmbed = errors.New("gold: embedding failed")
)

// StoreError makes a failure of the tables, which wraps ErrStore, of an error; nil of nil.
func StoreError(doing, table string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s %s: %w", ErrStore, doing, table, err)
}

// Options configure Tables.
type Options struct {
	Store      schema.Store
	Embedder   schema.Embedder // flushing waits for it, so it must be fast
	Logger     *slog.Logger
	Namespace  uuid.UUID       // of the ids of derived rows
	Partition  model.Partition // which rows tell
	HoldBytes  int             // about how much text of rows is held for one write; twice that is the most
	FlushEvery time.Duration   // how often Run brings the tables up to date
	QuietAfter time.Duration   // an entity that has not ended is written once it has not changed for so long
	Now        func() time.Time
	Fault      state.Faults
}

// Tables keeps the tables up with the state.
type Tables struct {
	opts Options
	db   *state.DB

	// Whoever takes both takes them in this order.
	flushing  sync.Mutex    // one flush of what is marked at a time
	appending sync.Mutex    // one write of what is held at a time
	cache     episodeCache  // of the flush under way
	sumsDue   time.Time     // when Run writes the sums again; flushing guards it
	enough    chan struct{} // signals that what is held makes up a write

	held    held  // the state's lock guards it
	writing *held // what is being appended of it, likewise
}

// New returns the tables of a state.
func New(db *state.DB, opts Options) *Tables {
	return &Tables{opts: opts, db: db, enough: make(chan struct{}, 1)}
}

// Release frees what is held.
func (t *Tables) Release() { t.held.release() }

// AppendTraces writes rows to traces. Those of messages that come late, after greater sequences were committed, could not be told
// from committed ones after a crash; so they are merged, which may be repeated.
func (t *Tables) AppendTraces(ctx context.Context, rows *TraceRows) error {
	for _, late := range []bool{false, true} {
		record, err := rows.record(late)
		if err != nil {
			return err
		}
		if record == nil {
			continue
		}
		write, doing := t.opts.Store.Append, "append to"
		if late {
			write, doing = t.opts.Store.Merge, "merge into"
		}
		err = write(ctx, schema.Traces, record)
		record.Release()
		if err != nil {
			return StoreError(doing, schema.Traces, err)
		}
	}
	return nil
}

// WriteHeldRegularly writes what is held when it makes up a write, and at least every Options.FlushEvery.
func (t *Tables) WriteHeldRegularly(ctx, draining context.Context) error {
	return t.regularly(ctx, t.enough, func() error { return t.flushHeld(draining) })
}

// FlushRegularly writes what is marked every Options.FlushEvery.
func (t *Tables) FlushRegularly(ctx, draining context.Context) error {
	return t.regularly(ctx, nil, func() error { return t.flushRested(draining) })
}

// flushRest is how many times what a flush took passes until the next: what comes in meanwhile is written together, and what
// changes again and again less often.
const flushRest = 2

// regularly calls flush every Options.FlushEvery or after it has rested, and whenever there is enough.
func (t *Tables) regularly(ctx context.Context, enough <-chan struct{}, flush func() error) error {
	due := time.NewTimer(t.opts.FlushEvery)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
		case <-enough:
		}
		began := time.Now()
		if err := t.fellBehind(flush()); err != nil {
			return err
		}
		due.Reset(max(t.opts.FlushEvery, flushRest*time.Since(began)))
	}
}

// fellBehind passes on what ends folding. What else fails is tried again the next time.
func (t *Tables) fellBehind(err error) error {
	if err == nil || errors.Is(err, model.ErrState) {
		return err
	}
	t.opts.Logger.Warn("gold: tables fall behind, will try again", "error", err)
	return nil
}

// ignoreStore passes over the failure of a table: what it lacks is marked.
func ignoreStore(err error) error {
	if errors.Is(err, model.ErrState) {
		return err
	}
	return nil
}

// rewriteMarks is how many marks RewriteEpisodes sets in one write.
const rewriteMarks = 4096

// BetweenFlushes runs do while Gold writes no derived table. Whoever else changes rows of these tables does it there, so that
// neither overwrites what the other has just written. Folding goes on meanwhile; flushes wait.
func (t *Tables) BetweenFlushes(do func() error) error {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	t.appending.Lock()
	defer t.appending.Unlock()
	return do()
}

// RewriteEpisodes has the following flushes write all episodes anew, as when their table was laid anew. Rows that the table
// still has are replaced. What is to be done is on disk when it returns.
func (t *Tables) RewriteEpisodes(ctx context.Context) error {
	snapshot := t.db.NewSnapshot()
	defer snapshot.Close()
	var due []uuid.UUID
	err := state.Scan(snapshot, []byte{model.KeyOrdinal}, func(k, _ []byte) (bool, error) {
		if due = append(due, model.LastID(k)); len(due) < rewriteMarks {
			return true, nil
		}
		err := t.markEpisodes(due)
		due = due[:0]
		return err == nil && ctx.Err() == nil, err
	})
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return t.markEpisodes(due)
}

func (t *Tables) markEpisodes(of []uuid.UUID) error {
	t.db.Lock()
	defer t.db.Unlock()
	writes := t.db.NewBatch()
	defer writes.Close()
	value := state.DirtyValue(t.db.Progress.Generation, t.opts.Now())
	for _, id := range of {
		if err := writes.Set(state.DirtyKey(state.DirtyEpisode, id), value, nil); err != nil {
			return state.Wrap("write", err)
		}
	}
	return t.db.Commit(writes, pebble.Sync)
}
