package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"assay/internal/ops/audit"
	"assay/internal/query"
	"assay/streams"
)

// yieldTimes bounds how long an audit leaves the machine to processing that lags: so many times what its last part took.
const yieldTimes = 3

// Audit compares the tables with the log, also while the pipeline runs: then up to what was in the tables when it began. One
// runs at a time; another one is refused with an error that wraps query.ErrConflict. An error wraps ErrBehind if processing was
// interrupted before it was done.
func (p *Pipeline) Audit(ctx context.Context, workflow string, listMax int, progress func(done, total uint64)) (*audit.Report, error) {
	release, err := p.alone(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	for began := time.Now(); ; {
		report, err := p.audit(ctx, workflow, listMax, progress)
		if !p.passes(err) || ctx.Err() != nil || time.Since(began) > fleetRestWithin {
			return report, err
		}
		p.opts.Logger.Info("the audit begins again", "reason", err)
		select {
		case <-time.After(auditAgain):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// auditAgain is the pause before an audit is tried again.
const auditAgain = time.Second

// passes tells whether what kept a fleet from an audit may be over soon: an election, a partition that moves.
func (p *Pipeline) passes(err error) bool {
	return err != nil && p.fleet != nil && (streams.Transient(err) || errors.Is(err, query.ErrUnanswered) || errors.Is(err, errWentOn))
}

func (p *Pipeline) audit(ctx context.Context, workflow string, listMax int, progress func(done, total uint64)) (*audit.Report, error) {
	if err := p.store.Refresh(ctx); err != nil {
		return nil, err
	}
	options, err := p.auditOptions(ctx)
	if err != nil {
		return nil, err
	}
	options.Workflow, options.ListMax, options.Progress = workflow, listMax, progress
	options.Stamp = fmt.Sprintf("%s %q %d", options.Stamp, workflow, listMax)
	report, err := audit.Run(ctx, options)
	if errors.Is(err, errWentOn) { // what was read of the tables is of no use
		err = errors.Join(err, os.RemoveAll(options.Dir))
	}
	if report != nil {
		report.Stale = p.stale
	}
	return report, err
}

func (p *Pipeline) auditOptions(ctx context.Context) (options audit.Options, err error) {
	silver, err := p.silverOptions(ctx)
	if err != nil {
		return options, err
	}
	gold, err := p.goldOptions(ctx)
	if err != nil {
		return options, err
	}
	keys, err := NaturalKeys(p.opts.Config)
	if err != nil {
		return options, err
	}
	stamp, err := p.programStamp(ctx)
	if err != nil {
		return options, err
	}
	kept, err := p.kept(ctx)
	if err != nil {
		return options, err
	}
	options = audit.Options{
		Kept: kept, Log: p.log, Silver: &silver, Gold: gold, Store: p.store, AtRest: p.atRest, Shared: keys.AcrossWorkflows,
		Dir: filepath.Join(p.opts.Config.Data, auditDir), Stamp: fmt.Sprint(stamp, kept),
	}
	if p.stop != nil {
		options.Yield = p.yield
		options.Stamp += " beside a server"
		return options, nil
	}
	// Whoever has changed the tables since an audit was interrupted wants them audited as they are now.
	if err := p.settle(ctx); err != nil {
		return options, err
	}
	versions, err := p.store.Versions(ctx)
	if err != nil {
		return options, err
	}
	dead, err := p.log.Dead().Info(ctx)
	if err != nil {
		return options, fmt.Errorf("read stream DEAD: %w", err)
	}
	options.Stamp += fmt.Sprint(versions, dead.State.FirstSeq, dead.State.LastSeq, dead.State.Msgs)
	return options, nil
}

// yield leaves the machine to Silver while that lags, within a limit.
func (p *Pipeline) yield(ctx context.Context, took time.Duration) {
	limit, cancel := context.WithTimeout(ctx, yieldTimes*took)
	defer cancel()
	tick := time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		if lag, err := p.log.SilverLag(limit); err != nil || lag == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit.Done():
			return
		}
	}
}
