package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/gold"
	"assay/internal/ops/audit"
	"assay/streams"
)

// ErrBehind means that frames of the log are not in the tables yet, so that they cannot be compared.
var ErrBehind = errors.New("the tables are behind the log")

// restWithin is how long processing may take to come to rest. Silver pauses no longer than that, whatever happens to whoever
// has asked for it.
const restWithin = 30 * time.Second

// atRest runs do at a moment at which the tables are what the log says up to a sequence. Where the pipeline runs, Silver takes
// no more frames until all that it took is in the tables; meanwhile the log takes in what comes.
func (p *Pipeline) atRest(ctx context.Context, do func(audit.Rest) error) error {
	switch {
	case p.stop == nil:
		return p.atRestStopped(ctx, do)
	case p.joins():
		return p.atRestInFleet(ctx, do)
	}
	resting, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	if err := p.pauseSilver(resting); err != nil {
		return err
	}
	resume := func() { p.resumeSilver(ctx) }
	defer resume()
	upTo, err := p.drain(resting)
	var totals gold.Totals
	if err == nil {
		totals, err = p.flushAll(resting)
	}
	if err != nil {
		return behind(ctx, resting, err)
	}
	return p.gold.BetweenFlushes(func() error {
		return do(audit.Rest{UpTo: upTo, Totals: &totals, Resume: resume})
	})
}

// behind tells that processing does not get to where an audit could begin, if that is why a context has ended.
func behind(ctx, resting context.Context, err error) error {
	if resting.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w, and do not catch up in time: see the server's log: %w", ErrBehind, err)
	}
	return err
}

func (p *Pipeline) pauseSilver(ctx context.Context) error {
	_, err := p.log.JetStream().PauseConsumer(ctx, streams.StreamBronze, streams.ConsumerSilver, time.Now().Add(restWithin))
	if err != nil {
		return fmt.Errorf("pause Silver: %w", err)
	}
	return nil
}

// resumeSilver ends the pause. If that fails, the server does so by itself when the time is over.
func (p *Pipeline) resumeSilver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restWithin)
	defer cancel()
	_, _ = p.log.JetStream().ResumeConsumer(ctx, streams.StreamBronze, streams.ConsumerSilver)
}

// lookWithin is how long one look at the consumers may take: a server that is gone answers never.
const lookWithin = 5 * time.Second

// drain waits until all that Silver took is in the tables, and returns the last sequence of it. In a fleet it looks again where the log
// does not answer.
func (p *Pipeline) drain(ctx context.Context) (upTo uint64, err error) {
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		upTo, busy, err := p.look(ctx)
		if err != nil && !(p.fleet != nil && ctx.Err() == nil && unanswered(err)) {
			return 0, err
		}
		if err == nil && !busy {
			return upTo, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, errors.Join(err, context.Cause(ctx))
		}
	}
}

// look tells up to where Silver took frames, and whether any of them is not in the tables yet.
func (p *Pipeline) look(ctx context.Context) (upTo uint64, busy bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	silver, err := p.log.SilverConsumer(ctx)
	if err != nil {
		return 0, false, err
	}
	info := silver.CachedInfo()
	if info.NumAckPending > 0 {
		return 0, true, nil
	}
	busy, err = p.refinedBusy(ctx)
	return info.Delivered.Stream, busy, err
}

// unanswered tells whether an error says no more than that the log did not answer.
func unanswered(err error) bool {
	return streams.Transient(err) || errors.Is(err, context.DeadlineExceeded)
}

// atRestStopped makes sure that nothing is left to process, and writes what the tables still lack of the state, as after a
// crash.
func (p *Pipeline) atRestStopped(ctx context.Context, do func(audit.Rest) error) error {
	if err := p.settle(ctx); err != nil {
		return err
	}
	info, err := p.log.Bronze().Info(ctx)
	if err != nil {
		return fmt.Errorf("read stream BRONZE: %w", err)
	}
	rest := audit.Rest{UpTo: info.State.LastSeq, Resume: func() {}}
	if !p.joins() { // else only the owners of partitions have counted
		totals := p.totals()
		rest.Totals = &totals
	}
	return do(rest)
}

// settle writes what the tables still lack of the state, and fails if the state lacks something. The pipeline must not have
// been started.
func (p *Pipeline) settle(ctx context.Context) error {
	busy, err := p.anyBusy(ctx)
	if err != nil {
		return err
	}
	if busy {
		return fmt.Errorf("%w: finish with `assay run --data %s --until-idle`, then try again", ErrBehind, p.opts.Config.Data)
	}
	_, err = p.flushAll(ctx)
	return err
}

// layers are the consumers, in the order in which work moves through them.
func (p *Pipeline) layers() []func(context.Context) (jetstream.Consumer, error) {
	all := append([]func(context.Context) (jetstream.Consumer, error){p.log.SilverConsumer}, p.log.GoldConsumers()...)
	return append(all, p.log.PromotionConsumer)
}

// anyBusy asks the layers in the order in which work moves through them, so that none is missed between two questions.
func (p *Pipeline) anyBusy(ctx context.Context) (bool, error) {
	if busy, err := p.consumerBusy(ctx, p.log.SilverConsumer); busy || err != nil {
		return busy, err
	}
	return p.refinedBusy(ctx)
}

// refinedBusy asks those that work on what Silver has published.
func (p *Pipeline) refinedBusy(ctx context.Context) (bool, error) {
	lags, err := p.log.GoldLags(ctx)
	if err != nil || slices.Max(lags) > 0 {
		return true, err
	}
	return p.consumerBusy(ctx, p.log.PromotionConsumer)
}

func (p *Pipeline) consumerBusy(ctx context.Context, find func(context.Context) (jetstream.Consumer, error)) (bool, error) {
	consumer, err := find(ctx)
	if err != nil {
		return true, err
	}
	drained, err := p.log.Drained(ctx, consumer)
	return !drained, err
}
