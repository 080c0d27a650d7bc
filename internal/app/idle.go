package app

import (
	"context"
	"time"

	"assay/internal/query"
)

// idlePoll is how often WaitIdle looks. The layers have no common signal: they may run in several processes.
const idlePoll = 20 * time.Millisecond

// showEvery is how many looks pass between two reports of progress.
const showEvery = 10

// WaitIdle returns when the log is drained, the tables are written and no promotion is left that could be tried now. Vectors
// are waited for as long as the embedder gives some.
// While it waits it reports progress to show.
func (p *Pipeline) WaitIdle(ctx context.Context, show func(*query.Summary)) error {
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for look := 0; ; look++ {
		busy, err := p.busy(ctx)
		if err == nil && !busy {
			if _, err = p.log.ExtendChain(ctx); err == nil {
				err = p.retain(ctx)
			}
		}
		if err != nil || !busy {
			return err
		}
		if look%showEvery == 0 {
			summary, err := p.Status(ctx)
			if err != nil {
				return err
			}
			show(summary)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.done:
			return p.err
		case <-tick.C:
		}
	}
}

// busy asks each layer in the order in which work moves through them, so that none is missed between two questions.
func (p *Pipeline) busy(ctx context.Context) (bool, error) {
	select {
	case <-p.resumed:
	default:
		return true, nil // what was interrupted of forgetting goes on
	}
	if busy, err := p.forwardBusy(ctx); busy || err != nil || !p.refines() {
		return busy, err
	}
	if busy, err := p.anyBusy(ctx); busy || err != nil {
		return busy, err
	}
	if busy, err := p.publishing(ctx); busy || err != nil {
		return busy, err
	}
	if p.fleet != nil && !p.fleet.Settled() {
		return true, nil
	}
	if _, err := p.flushAll(ctx); err != nil {
		return false, err
	}
	return p.vectors.Busy(ctx)
}
