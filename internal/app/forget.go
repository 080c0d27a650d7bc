package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/ops/erase"
	"assay/internal/ops/rebuild"
	"assay/internal/query"
	"assay/streams"
)

// Forget removes a workflow from everything that was made of it and, if asked to, from the log; also while the pipeline runs.
// Folding stands still while what it made is taken out, and not while the log is read for that. Errors wrap query.ErrNotFound, or query.ErrConflict if an audit is under way
// or promotions are not published yet.
func (p *Pipeline) Forget(ctx context.Context, workflow string, opts query.ForgetOptions) (*query.Forgetting, error) {
	release, err := p.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := p.catchUp(ctx); err != nil && !opts.Abandon {
		return nil, err
	}
	// What an audit or a rebuild that was interrupted has computed is no longer so.
	err = errors.Join(os.RemoveAll(filepath.Join(p.opts.Config.Data, auditDir)), rebuild.Discard(p.opts.Config.Data))
	if err != nil {
		return nil, fmt.Errorf("forget: %w", err)
	}
	options, err := p.forgetOptions(ctx)
	if err != nil {
		return nil, err
	}
	report, err := erase.Run(ctx, options, erase.Request{
		Workflow: workflow, Bronze: opts.Bronze, Abandon: opts.Abandon, By: opts.By,
	})
	switch {
	case errors.Is(err, erase.ErrUnknown):
		return nil, fmt.Errorf("%w: workflow %q", query.ErrNotFound, workflow)
	case errors.Is(err, erase.ErrPending), errors.Is(err, erase.ErrBusy):
		return nil, fmt.Errorf("%w: %w", query.ErrConflict, err)
	case err == nil:
		err = p.tellAll(ctx, &report.Tombstone) // whose old rows are gone from the tables now
	}
	if err != nil {
		return nil, err
	}
	return &query.Forgetting{
		WorkflowID: workflow, Spellings: report.Spellings, Through: report.Through, At: report.At, Events: report.Events,
		Entities: report.Entities, Promotions: report.Promotions, Letters: report.Letters, Frames: report.Frames,
		Shared: report.Shared, Rewritten: report.Rewritten, Erased: report.Erased,
	}, nil
}

// catchUpWithin is how long processing may take to get to where the log is now.
const catchUpWithin = 30 * time.Second

// catchUp waits until what the log has now is processed, so that it is known which workflows there are, and no promotion is
// overlooked. The error wraps query.ErrConflict if that does not happen.
func (p *Pipeline) catchUp(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, catchUpWithin)
	defer cancel()
	err := p.processed(waiting)
	if err != nil && ctx.Err() == nil && (waiting.Err() != nil || p.stop == nil) {
		return fmt.Errorf("%w: frames of the log are not processed yet, among them perhaps promotions; let the server catch up,"+
			" or abandon what is pending: %w", query.ErrConflict, err)
	}
	return err
}

// processed waits until each layer is done with what its stream has when it is asked.
func (p *Pipeline) processed(ctx context.Context) error {
	for _, find := range p.layers() {
		if err := p.passedBy(ctx, find); err != nil {
			return err
		}
	}
	return nil
}

// passedBy waits until a consumer is done with what its stream has now, and for one that is being made anew, as by a worker that
// takes a partition over.
func (p *Pipeline) passedBy(ctx context.Context, find func(context.Context) (jetstream.Consumer, error)) error {
	for {
		consumer, err := find(ctx)
		if err == nil {
			err = p.passed(ctx, consumer)
		}
		if !p.joins() || !streams.ConsumerGone(err) {
			return err
		}
		select {
		case <-time.After(idlePoll):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// passed waits until a consumer is done with what its stream has now. Where nothing runs it does not wait.
func (p *Pipeline) passed(ctx context.Context, consumer jetstream.Consumer) error {
	stream, err := p.log.JetStream().Stream(ctx, consumer.CachedInfo().Stream)
	if err != nil {
		return fmt.Errorf("forget: read a stream: %w", err)
	}
	seq := stream.CachedInfo().State.LastSeq
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		info, err := consumer.Info(ctx)
		if err != nil {
			return fmt.Errorf("read consumer: %w", err)
		}
		if info.AckFloor.Stream >= seq {
			return nil
		}
		drained, err := p.log.Drained(ctx, consumer)
		switch {
		case err != nil || drained:
			return err
		case p.stop == nil:
			return ErrBehind
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// endForgettingAtOnce ends what was interrupted where nothing is going to run. Start does so beside serving.
func (p *Pipeline) endForgettingAtOnce(ctx context.Context) error {
	if !p.opts.Reading || p.joins() {
		return nil
	}
	return p.endForgetting(ctx)
}

// resumeForgetting ends what was interrupted, and then lets audits and other forgetting begin. Until then nothing is folded or
// promoted.
func (p *Pipeline) resumeForgetting(release func()) func(context.Context) error {
	return func(ctx context.Context) error {
		defer release()
		defer close(p.resumed)
		return p.endForgetting(ctx)
	}
}

// afterForgetting is a part that begins when what was interrupted of forgetting is ended.
func (p *Pipeline) afterForgetting(part func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-p.resumed:
			return part(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// endForgetting ends what was interrupted. If that fails, the tombstone still keeps what is forgotten from coming back, and the
// next start tries again.
func (p *Pipeline) endForgetting(ctx context.Context) error {
	if p.joins() { // there whoever leads does so
		return nil
	}
	options, err := p.forgetOptions(ctx)
	if err != nil {
		return err
	}
	if err := erase.Resume(ctx, options); err != nil {
		p.opts.Logger.Error("forgetting is not done; the next start tries again", "error", err)
	}
	return context.Cause(ctx)
}

func (p *Pipeline) forgetOptions(ctx context.Context) (erase.Options, error) {
	silver, err := p.silverOptions(ctx)
	options := erase.Options{
		Log: p.log, Gold: p.gold, Store: p.store, Silver: &silver, Logger: p.opts.Logger, Dir: p.opts.Config.Data, Running: p.stop != nil,
	}
	if p.joins() {
		options.Gold = everywhere{p}
	}
	if p.fleet != nil {
		options.Quietly = p.quietly
	}
	return options, err
}
