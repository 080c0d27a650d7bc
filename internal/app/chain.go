package app

import (
	"context"
	"time"

	"assay/streams"
)

const (
	// chainInterval is how often the log's chain of hashes is brought up to date; frames that came since then it does not
	// protect yet.
	chainInterval = 10 * time.Second
	// chainLook is how often a ring is looked at, which may need that earlier.
	chainLook = 100 * time.Millisecond
	// chainStopTimeout is how long a clean stop waits for that.
	chainStopTimeout = 5 * time.Second
)

// extendChain keeps the chain up to date, and brings it up to date a last time when it is told to stop.
func (p *Pipeline) extendChain(ctx context.Context) error {
	p.extendChainOnce(ctx) // so that there are counts from the start
	tick, look := time.NewTicker(chainInterval), time.NewTicker(chainLook)
	defer tick.Stop()
	defer look.Stop()
	for {
		select {
		case <-tick.C:
			p.extendChainOnce(ctx)
		case <-look.C:
			if pressed, err := p.log.ChainPressed(ctx); pressed && err == nil {
				p.extendChainOnce(ctx)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), chainStopTimeout)
			defer cancel()
			p.extendChainOnce(last)
			return nil
		}
	}
}

// extendChainOnce counts the frames, too, before they leave the log.
func (p *Pipeline) extendChainOnce(ctx context.Context) {
	if !p.leads() {
		return
	}
	_, err := p.log.ExtendChain(ctx)
	if err == nil {
		err = p.log.KeepTally(ctx)
	}
	if err != nil && ctx.Err() == nil {
		p.opts.Logger.Warn("the log's chain falls behind, will try again", "error", err)
	}
}

// VerifyChain compares the log with its chain of hashes.
func (p *Pipeline) VerifyChain(
	ctx context.Context, anchors []streams.Anchor, progress func(done, total uint64),
) (*streams.ChainReport, error) {
	return p.log.VerifyChain(ctx, anchors, progress)
}

// Checkpoints returns those of the log's chain.
func (p *Pipeline) Checkpoints(ctx context.Context) ([]streams.Checkpoint, error) {
	return p.log.Checkpoints(ctx)
}
