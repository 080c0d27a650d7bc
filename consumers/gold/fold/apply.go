package fold

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/errgroup"

	"assay/consumers/gold/project"
	"assay/consumers/gold/state"
)

// errPanic means that folding panicked, through what a message holds.
var errPanic = errors.New("gold: folding panicked")

// recovered makes an error of a panic.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
	}
}

// safely makes an error of a panic of f.
func safely(f func() error) (err error) {
	defer recovered(&err)
	return f()
}

// FoldRecord folds a batch whose rows traces has already. Nothing is held.
func (e *Engine) FoldRecord(b Batch, traces arrow.Record) (err error) {
	if b.Record, err = project.SilverRows(traces); err != nil {
		return err
	}
	defer b.Record.Release()
	f := e.NewTx()
	f.MarkAll()
	defer f.Close()
	a, err := f.dedup([]Batch{b})
	if err != nil {
		return err
	}
	if err := f.fold(a); err != nil {
		return err
	}
	if err := e.Commit(f); err != nil {
		return err
	}
	return errors.Join(e.NoteSaid(), e.Spread())
}

// Apply folds a group of batches and commits it as one: when it returns nil, traces has a row of each new event and the
// state, on disk, knows them. After an error nothing of the group counts, and it can be applied again. The caller keeps
// the records until Apply returns.
func (e *Engine) Apply(ctx context.Context, batches []Batch) (err error) {
	e.Lock()
	defer e.Unlock()
	defer recovered(&err)
	if e.unsure {
		if err := e.reconcile(ctx); err != nil {
			return err
		}
		e.unsure = false
	}
	if err := e.tables.MakeRoom(ctx); err != nil {
		return err
	}
	f := e.NewTx()
	defer f.Close()
	a, err := f.dedup(batches)
	if err != nil {
		return err
	}
	if err := e.opts.Fault.At(state.BeforeAppend); err != nil {
		return err
	}
	e.unsure = true
	if err := e.appendAndFold(ctx, f, a); err != nil {
		return err
	}
	if err := e.opts.Fault.At(state.AfterAppend); err != nil {
		return err
	}
	if err := e.Commit(f); err != nil {
		return err
	}
	e.unsure = false
	e.rememberAwaited(f.lineage)
	if err := e.opts.Fault.At(state.AfterCommit); err != nil {
		return err
	}
	if f.unsaid {
		if err := e.NoteSaid(); err != nil {
			return err
		}
	}
	return e.Spread()
}

// appendAndFold writes the rows to traces while the events are folded.
func (e *Engine) appendAndFold(ctx context.Context, f *Tx, a *deduped) error {
	var group errgroup.Group // one failing does not stop the other: neither can be left half done
	group.Go(func() error { return safely(func() error { return e.tables.AppendTraces(ctx, &a.traces) }) })
	return errors.Join(safely(func() error { return f.fold(a) }), group.Wait())
}

// Commit makes the writes durable, all or none.
func (e *Engine) Commit(f *Tx) error { return e.commitHow(f, pebble.Sync) }

// commitHow does so at once or, where what is written can be found out again, soon.
func (e *Engine) commitHow(f *Tx, how *pebble.WriteOptions) error {
	e.DB.Lock()
	defer e.DB.Unlock()
	if err := e.DB.Commit(f.writes, how); err != nil {
		return err
	}
	e.DB.Progress, e.DB.Totals = f.progress, f.Totals
	if f.held != nil && len(f.held.IDs) > 0 {
		e.tables.Keep(f.held)
		f.held = nil
	}
	e.opts.Logger.Debug("gold: committed", "applied", e.DB.Progress.Applied, "events", e.DB.Totals.Events)
	return nil
}
