package gold

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/errgroup"

	"assay/sovereign/schema"
)

// Apply folds a group of batches and commits it as one: when it returns nil, traces has a row of each new event and the
// state, on disk, knows them. After an error nothing of the group counts, and it can be applied again. The caller keeps
// the records until Apply returns.
func (g *Gold) Apply(ctx context.Context, batches []Batch) (err error) {
	g.folding.Lock()
	defer g.folding.Unlock()
	defer recovered(&err)
	if g.unsure {
		if err := g.reconcile(ctx); err != nil {
			return err
		}
		g.unsure = false
	}
	if err := g.makeRoom(ctx); err != nil {
		return err
	}
	f := g.newFold()
	defer f.close()
	a, err := f.admit(batches)
	if err != nil {
		return err
	}
	if err := g.fault(BeforeAppend); err != nil {
		return err
	}
	g.unsure = true
	if err := g.store(ctx, f, a); err != nil {
		return err
	}
	if err := g.fault(AfterAppend); err != nil {
		return err
	}
	if err := g.commit(f); err != nil {
		return err
	}
	g.unsure = false
	g.rememberAwaited(f.lineage)
	if err := g.fault(AfterCommit); err != nil {
		return err
	}
	if f.unsaid {
		if err := g.noteSaid(); err != nil {
			return err
		}
	}
	return g.spread()
}

// store writes the rows to traces while the events are folded.
func (g *Gold) store(ctx context.Context, f *folding, a *admitted) error {
	var group errgroup.Group // one failing does not stop the other: neither can be left half done
	group.Go(func() error { return safely(func() error { return g.trace(ctx, &a.traces) }) })
	return errors.Join(safely(func() error { return f.fold(a) }), group.Wait())
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
		err = write(ctx, schema.Traces, record)
		record.Release()
		if err != nil {
			return storeError(doing, schema.Traces, err)
		}
	}
	return nil
}

// commit makes the writes durable, all or none.
func (g *Gold) commit(f *folding) error { return g.commitHow(f, pebble.Sync) }

// commitHow does so at once or, where what is written can be found out again, soon.
func (g *Gold) commitHow(f *folding, how *pebble.WriteOptions) error {
	g.committing.Lock()
	defer g.committing.Unlock()
	if err := g.state.commit(f.writes, how); err != nil {
		return err
	}
	g.progress, g.totals = f.progress, f.totals
	if f.held != nil && len(f.held.ids) > 0 {
		g.keepHeld(f.held)
		f.held = nil
	}
	g.opts.Logger.Debug("gold: committed", "applied", g.progress.applied, "events", g.totals.Events)
	return nil
}
