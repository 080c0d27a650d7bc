package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/consumers/gold"
	"assay/internal/embed"
	"assay/internal/query"
	"assay/sovereign/schema"
)

// Where the store is a bucket that cannot be reached when Open comes to it, the log, Silver and what listens begin without the tables,
// and Start goes on with opening these.

// reachEvery is how often it is tried.
const reachEvery = 2 * time.Second

// isReached tells whether the tables are open.
func (p *Pipeline) isReached() bool {
	select {
	case <-p.reached:
		return true
	default:
		return false
	}
}

// unreached is an error while the tables are not open.
func (p *Pipeline) unreached(ctx context.Context) error {
	if p.isReached() {
		return nil
	}
	if err := p.trouble(ctx); err != nil {
		return fmt.Errorf("%w: %w", query.ErrUnanswered, err)
	}
	return fmt.Errorf("%w: the tables are being opened", query.ErrUnanswered)
}

// answering is an error while what this worker could tell would be old or is not there: it is out of touch with the log, or its tables
// are not open.
func (p *Pipeline) answering() error {
	if err := p.unreached(context.Background()); err != nil {
		return err
	}
	return p.contact()
}

// withTables is a part that begins when the tables are open.
func (p *Pipeline) withTables(part func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-p.reached:
			return part(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// reach opens the tables, if Open could not, as soon as the store answers.
func (p *Pipeline) reach(ctx context.Context) error {
	if p.isReached() {
		return nil
	}
	p.opts.Logger.Warn("the store cannot be reached; will try again", "store", p.storeRoot(), "error", p.trouble(ctx))
	tick := time.NewTicker(reachEvery)
	defer tick.Stop()
	for {
		err := p.store.Refresh(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, schema.ErrIO) && ctx.Err() == nil {
			return unopened(err, p.opts.Config.Data)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	if err := p.fillTables(ctx); err != nil {
		return fmt.Errorf("the store answers, and its tables do not open; start again: %w", err)
	}
	if err := p.fitVectors(ctx); err != nil {
		return err
	}
	p.opts.Logger.Info("the store has been reached", "store", p.storeRoot())
	close(p.reached)
	return nil
}

// fillTables opens what needs the tables, which are open: the states that they are views of, or what a fleet must agree on.
func (p *Pipeline) fillTables(ctx context.Context) (err error) {
	if p.joins() {
		err = p.fitFleet(ctx)
	} else if err = p.openStates(ctx); err == nil {
		err = p.checkLoss(ctx)
	}
	if err != nil {
		return err
	}
	return p.readTables(ctx)
}

// openStates opens the states of all partitions, and looks how their tables were derived.
func (p *Pipeline) openStates(ctx context.Context) error {
	if added := p.store.ColumnsAdded(); len(added) > 0 {
		p.opts.Logger.Info("added columns to tables that an earlier version made", "columns", added)
	}
	fitting := func(o *gold.Options) {
		if p.store.Dimensions() != p.embedder.Dimensions() { // rows must fit the table, before fitVectors and after
			o.Embedder = embed.Later{Of: p.store, Wake: p.vectors.Wake}
		}
	}
	if err := p.gold.OpenAll(ctx, fitting); errors.Is(err, gold.ErrStore) {
		return unopened(err, p.opts.Config.Data)
	} else if err != nil {
		return err
	}
	return p.checkDerivation()
}

// fitFleet looks whether the store is that of the fleet's log, and has vectors as the embedder gives them. States are opened as partitions
// are taken over.
func (p *Pipeline) fitFleet(ctx context.Context) error {
	p.store.ClearCache() // it may hold what was forgotten while this worker was away
	if err := p.pair(ctx); err != nil {
		return err
	}
	if have, want := p.store.Dimensions(), p.embedder.Dimensions(); have != want {
		return fmt.Errorf("%w: the tables have vectors of %d numbers, the embedder gives %d: give all workers the same embedder", gold.ErrOptions, have, want)
	}
	return nil
}
