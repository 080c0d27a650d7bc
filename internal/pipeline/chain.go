package pipeline

import (
	"context"
	"time"

	"assay/streams"
)

const (
	// chainInterval is how often the log's chain of hashes is brought up to date; frames that came since then it does not
	// protect yet.
	chainInterval = 10 * time.Second
	// chainStopTimeout is how long a clean stop waits for that.
	chainStopTimeout = 5 * time.Second
)

// extendChain keeps the chain up to date, and brings it up to date a last time when it is told to stop.
func (p *Pipeline) extendChain(ctx context.Context) error {
	tick := time.NewTicker(chainInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.extendChainOnce(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), chainStopTimeout)
			defer cancel()
			p.extendChainOnce(last)
			return nil
		}
	}
}

func (p *Pipeline) extendChainOnce(ctx context.Context) {
	if _, err := p.log.ExtendChain(ctx); err != nil && ctx.Err() == nil {
		p.opts.Logger.Warn("the log's chain falls behind, will try again", "error", err)
	}
}

// VerifyChain compares the log with its chain of hashes.
func (p *Pipeline) VerifyChain(
	ctx context.Context, anchors []streams.Anchor, progress func(done, total uint64),
) (*streams.ChainReport, error) {
	return p.log.VerifyChain(ctx, anchors, progress)
}
