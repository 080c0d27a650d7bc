package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"assay/internal/config"
	"assay/sovereign/schema"
	"assay/streams"
)

const (
	// lagInterval is how often the lag of Silver is measured for the load gate.
	lagInterval = 250 * time.Millisecond
	// refreshInterval is how often a worker of a fleet looks for what others have written.
	refreshInterval = time.Second
	// upkeepInterval is how often tables are compacted.
	upkeepInterval = 2 * time.Minute
	// extendEvents is by how many events tables grow before indexes are extended, extendLook how often their growth is looked at.
	extendEvents = 8 << 10
	extendLook   = time.Second
	// burstRate is how many events a second make a burst.
	burstRate = 3000
	// upkeepRest is how many times what a step of upkeep took is left to others after it, so that a burst keeps most of the machine.
	upkeepRest = 4
)

// Start begins processing: Silver, Gold, Promotion and the upkeep of tables, until Close. If one of them fails, all stop,
// Done is closed and Err tells why.
func (p *Pipeline) Start(ctx context.Context) error {
	silver, err := p.log.SilverConsumer(ctx)
	if err != nil {
		return err
	}
	if p.isReached() {
		if err := p.fitVectors(ctx); err != nil {
			return err
		}
		p.openView()
	}
	release, err := p.aloneHere(ctx)
	if err != nil {
		return err
	}
	gate := p.opts.Config.Gate
	p.stamp = streams.NewStamp(streams.ShedPolicy{Low: gate.LowWatermark, High: gate.HighWatermark, Ceiling: gate.Ceiling}, p.silverLag)

	// What runs outlives the caller's context: Close ends it, in its own order.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop, p.done, p.resumed = stop, make(chan struct{}), make(chan struct{})
	group, running := errgroup.WithContext(running)
	for name, part := range map[string]func(context.Context) error{
		"silver":     p.inRole(config.RoleRefine, func(ctx context.Context) error { return p.silver.Run(ctx, silver) }),
		"store":      p.reach,
		"gold":       p.afterForgetting(p.fold),
		"promotion":  p.inRole(config.RoleFold, p.afterForgetting(p.publish)),
		"forgetting": p.withTables(p.resumeForgetting(release)),
		"tombstones": p.watchForgotten,
		"forgotten":  p.hearForgotten,
		"refresh":    p.withTables(p.refresh),
		"vectors":    p.withTables(p.vectors.Run),
		"upkeep":     p.withTables(p.upkeep),
		"lag":        p.measureLag,
		"chain":      p.extendChain,
		"forward":    p.forward,
		"server":     p.watchServer,
	} {
		group.Go(func() error {
			if err := part(running); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	go func() {
		p.err = group.Wait()
		close(p.done)
	}()
	return nil
}

// inRole is a part that this process has if it has the role.
func (p *Pipeline) inRole(role string, part func(context.Context) error) func(context.Context) error {
	if p.opts.Config.Fleet.Has(role) {
		return part
	}
	return func(context.Context) error { return nil }
}

// fold folds all partitions, or in a fleet those that come to be owned here.
func (p *Pipeline) fold(ctx context.Context) error {
	if p.fleet != nil {
		return p.fleet.Run(ctx)
	}
	return p.gold.Run(ctx, p.log.GoldConsumer)
}

// publish publishes promotions. In a fleet whoever leads does.
func (p *Pipeline) publish(ctx context.Context) error {
	if p.joins() {
		return nil
	}
	return p.promotion.Run(ctx)
}

// watchForgotten notes what other workers forget.
func (p *Pipeline) watchForgotten(ctx context.Context) error {
	if !p.joins() {
		return nil
	}
	return p.log.WatchForgotten(ctx)
}

// refresh shows questions what other workers write to the tables.
func (p *Pipeline) refresh(ctx context.Context) error {
	if !p.joins() {
		return nil
	}
	tick := time.NewTicker(refreshInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.store.Refresh(ctx); err != nil && ctx.Err() == nil {
			p.opts.Logger.Warn("what other workers have written cannot be seen, will try again", "error", err)
		}
	}
}

// Done is closed when processing has ended.
func (p *Pipeline) Done() <-chan struct{} { return p.done }

// Err tells why processing ended by itself; it may be called once Done is closed.
func (p *Pipeline) Err() error { return p.err }

func (p *Pipeline) measureLag(ctx context.Context) error {
	p.stamp.Run(ctx, lagInterval, func(err error) { p.opts.Logger.Warn("the lag of Silver is unknown", "error", err) })
	return nil
}

// watchServer ends everything when the embedded server dies by itself.
func (p *Pipeline) watchServer(ctx context.Context) error {
	if p.server == nil {
		return nil
	}
	select {
	case err := <-p.server.Err():
		return err
	case <-ctx.Done():
		return nil
	}
}

// upkeep keeps the indexes of tables up to date and compacts tables. A failure is tried again at the next turn: queries work
// without, only slower.
func (p *Pipeline) upkeep(ctx context.Context) error {
	tick, look := time.NewTicker(upkeepInterval), time.NewTicker(extendLook)
	defer tick.Stop()
	defer look.Stop()
	for {
		work := p.Maintain
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-look.C:
			work = p.followGrowth
		}
		began := time.Now()
		if err := work(ctx); err != nil && ctx.Err() == nil {
			p.opts.Logger.Warn("table upkeep failed and will be tried again", "error", err)
		}
		look.Reset(max(extendLook, upkeepRest*time.Since(began)))
	}
}

// ExtendIndexes brings the indexes of what has grown up to date: a small step, so that a question takes as long while much comes
// in as at rest.
func (p *Pipeline) ExtendIndexes(ctx context.Context) error { return p.extendIndexes(ctx, false) }

// followGrowth extends the indexes of tables that have grown, and leaves the machine to a burst as long as it can.
func (p *Pipeline) followGrowth(ctx context.Context) error {
	burst := p.opts.Unasked || p.bursts()
	if !p.leads() || p.gold.Totals().Traces < p.extended.Load()+extendEvents {
		return nil
	}
	return p.extendIndexes(ctx, burst)
}

func (p *Pipeline) extendIndexes(ctx context.Context, burst bool) error {
	p.extended.Store(p.gold.Totals().Traces)
	var err error
	if !burst {
		err = p.upkeepStore().EnsureIndexes(ctx)
	}
	if !burst || !p.opts.Unasked {
		err = errors.Join(err, p.ensureVectorIndex(ctx))
	}
	for _, table := range []string{schema.Episodes, schema.Entities, schema.Traces, schema.Promotions} {
		err = errors.Join(err, p.upkeepStore().ExtendIndexes(ctx, table, burst))
	}
	return err
}

// bursts tells whether so much has come in since it was asked last that it takes all of the machine.
func (p *Pipeline) bursts() bool {
	now, events := time.Now(), p.gold.Totals().Traces
	rate := float64(events-p.looked.events) / now.Sub(p.looked.at).Seconds()
	p.looked.at, p.looked.events = now, events
	return rate >= burstRate
}

// Maintain compacts tables and brings their indexes up to date at once.
func (p *Pipeline) Maintain(ctx context.Context) error {
	if !p.leads() {
		return nil
	}
	err := errors.Join(p.retain(ctx), p.upkeepStore().EnsureIndexes(ctx), p.ensureVectorIndex(ctx))
	for _, t := range schema.All {
		err = errors.Join(err, p.upkeepStore().Optimise(ctx, t.Name))
	}
	return err
}
