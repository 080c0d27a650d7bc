package app

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"assay/internal/ops/erase"
	"assay/sovereign/schema"
)

// What one worker does for all is done by the owner of one partition, under that partition's epoch: it publishes promotions, goes on
// with forgetting that was interrupted, compacts and indexes tables, drops what is beyond limits, and extends the hash chain.

// Leading is that partition. Its owner has the duty of upkeep in the store, too.
const Leading = 0

// resumeLook is how often it is looked for forgetting that was interrupted.
const resumeLook = 10 * time.Second

// leads tells whether this process does what one worker does for all. Where there is no fleet, it does.
func (p *Pipeline) leads() bool { return !p.joins() || p.upkeeps.Load() != nil }

// upkeepStore is the store as whoever leads writes to it.
func (p *Pipeline) upkeepStore() Store {
	if fenced := p.upkeeps.Load(); fenced != nil {
		return *fenced
	}
	return p.store
}

// lead leads until ctx ends.
func (p *Pipeline) lead(ctx context.Context, upkeep Store, rows schema.Store) error {
	publisher, err := p.newPublisher(ctx, rows)
	if err != nil {
		return err
	}
	p.upkeeps.Store(&upkeep)
	p.publishes.Store(publisher)
	defer p.upkeeps.Store(nil)
	defer p.publishes.Store(nil)
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return publisher.Run(running) })
	group.Go(func() error {
		p.resumeForgettings(running)
		return nil
	})
	return group.Wait()
}

// resumeForgettings goes on with what other workers have left half forgotten: whoever is still at it keeps this one from it.
func (p *Pipeline) resumeForgettings(ctx context.Context) {
	tick := time.NewTicker(resumeLook)
	defer tick.Stop()
	for {
		if err := p.resumeForgettingOnce(ctx); err != nil && ctx.Err() == nil {
			p.opts.Logger.Warn("forgetting that was interrupted cannot go on, will try again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Pipeline) resumeForgettingOnce(ctx context.Context) error {
	left, err := p.leftToForget(ctx)
	if err != nil || !left {
		return err
	}
	release, err := p.alone(ctx)
	if err != nil {
		return err
	}
	defer release()
	options, err := p.forgetOptions(ctx)
	if err != nil {
		return err
	}
	return erase.Resume(ctx, options)
}

func (p *Pipeline) leftToForget(ctx context.Context) (bool, error) {
	all, err := p.log.Tombstones(ctx)
	for _, t := range all {
		if !t.Done {
			return true, err
		}
	}
	return false, err
}
