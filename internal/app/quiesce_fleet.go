package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"assay/internal/ops/audit"
)

// errWentOn means that Silver did not stay paused, so that the tables were not at rest.
var errWentOn = errors.New("processing went on while the tables were read; try again")

// fleetRestWithin is how long a fleet may take to come to rest: partitions may be taken over meanwhile, and frames that a dead worker
// has taken have to come again.
const fleetRestWithin = 2 * restWithin

// atRestInFleet is atRest where other workers process, too. All of them stand still until do returns.
func (p *Pipeline) atRestInFleet(ctx context.Context, do func(audit.Rest) error) error {
	resting, cancel := context.WithTimeout(ctx, fleetRestWithin)
	defer cancel()
	defer p.resumeSilver(ctx)
	if err := p.quietSilver(resting); err != nil {
		return behind(ctx, resting, err)
	}
	return p.keepPaused(ctx, func() error {
		upTo, err := p.drain(resting)
		if err != nil {
			return behind(ctx, resting, err)
		}
		totals, err := p.flushAll(resting)
		if err != nil {
			return behind(ctx, resting, err)
		}
		if err := p.store.Refresh(ctx); err != nil {
			return err
		}
		if err := do(audit.Rest{UpTo: upTo, Totals: &totals, Resume: func() {}}); err != nil {
			return err
		}
		silver, err := p.log.SilverConsumer(ctx)
		if err != nil {
			return err
		}
		if reached := silver.CachedInfo().Delivered.Stream; reached != upTo {
			return fmt.Errorf("%w: frames up to %d were taken, not %d", errWentOn, reached, upTo)
		}
		return nil
	})
}

// quietSilver pauses Silver at a moment at which nobody holds a frame. What a dead worker has taken comes again only when its time is
// over, and not during a pause: so a pause in which frames are still held then is ended, until these are done.
func (p *Pipeline) quietSilver(ctx context.Context) error {
	for {
		if err := p.pauseSilver(ctx); err != nil {
			return err
		}
		silver, err := p.log.SilverConsumer(ctx)
		if err != nil {
			return err
		}
		held := silver.CachedInfo().Config.AckWait
		patience, cancel := context.WithTimeout(ctx, held)
		taken, err := p.silverDone(patience, nil)
		cancel()
		if err == nil || patience.Err() == nil || ctx.Err() != nil {
			return err
		}
		p.resumeSilver(ctx)
		if _, err := p.silverDone(ctx, &taken); err != nil {
			return err
		}
	}
}

// silverDone waits until no frame is held, or none up to a sequence, and returns up to where frames were taken.
func (p *Pipeline) silverDone(ctx context.Context, upTo *uint64) (taken uint64, err error) {
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		looking, cancel := context.WithTimeout(ctx, lookWithin)
		silver, err := p.log.SilverConsumer(looking)
		cancel()
		if err != nil && (ctx.Err() != nil || !unanswered(err)) {
			return taken, err
		}
		if err == nil {
			info := silver.CachedInfo()
			taken = info.Delivered.Stream
			if info.NumAckPending == 0 || upTo != nil && info.AckFloor.Stream >= *upTo {
				return taken, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return taken, context.Cause(ctx)
		}
	}
}

// keepPaused runs do while Silver stays paused.
func (p *Pipeline) keepPaused(ctx context.Context, do func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		tick := time.NewTicker(restWithin / 3)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C: // where it fails the pause ends by itself, which is noticed
				_ = p.pauseSilver(ctx)
			}
		}
	}()
	return do()
}

// quietly runs do while Silver is paused, so that soon nobody has anything to write.
func (p *Pipeline) quietly(ctx context.Context, do func() error) error {
	defer p.resumeSilver(ctx)
	if err := p.pauseSilver(ctx); err != nil {
		return err
	}
	return p.keepPaused(ctx, do)
}
