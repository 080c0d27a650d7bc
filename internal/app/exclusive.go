package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/query"
)

const (
	// aloneWithin is how long an audit waits for another one, which may be ending because its client went away.
	aloneWithin = 10 * time.Second
	// aloneLook is how often it is looked whether another worker is done.
	aloneLook = 200 * time.Millisecond
	// aloneKey is the key of the bucket state under which a worker of a fleet tells that it is alone.
	aloneKey = "alone"
)

// alone keeps audits, and what would change rows behind an audit's back, apart, on all workers: it returns when no other is under way.
// The error wraps query.ErrConflict if another one goes on.
func (p *Pipeline) alone(ctx context.Context) (release func(), err error) {
	if err := p.unreached(ctx); err != nil {
		return nil, err
	}
	here, err := p.aloneHere(ctx)
	if err != nil || p.fleet == nil {
		return here, err
	}
	everywhere, err := p.aloneInFleet(ctx)
	if err != nil {
		here()
		return nil, err
	}
	return func() {
		everywhere()
		here()
	}, nil
}

// aloneHere does so in this process.
func (p *Pipeline) aloneHere(ctx context.Context) (release func(), err error) {
	select {
	case p.auditing <- struct{}{}:
		return func() { <-p.auditing }, nil
	case <-time.After(aloneWithin):
		return nil, fmt.Errorf("%w: an audit is under way; try again when it is done", query.ErrConflict)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// whoIsAlone is what a worker writes that is alone. It counts as long as that worker lives.
type whoIsAlone struct {
	Name     string `json:"name"`
	Instance string `json:"instance"`
}

// aloneInFleet does so among the workers of a fleet.
func (p *Pipeline) aloneInFleet(ctx context.Context) (release func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, aloneWithin)
	defer cancel()
	for {
		revision, by, err := p.takeAlone(waiting)
		if err == nil && by == "" {
			return func() { p.endAlone(context.WithoutCancel(ctx), revision) }, nil
		}
		select {
		case <-time.After(aloneLook):
		case <-waiting.Done():
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if err != nil {
				return nil, fmt.Errorf("find out whether an audit is under way: %w", err)
			}
			return nil, fmt.Errorf("%w: worker %s audits, forgets or drops what is old; try again when it is done", query.ErrConflict, by)
		}
	}
}

// takeAlone writes that this worker is alone, or returns the name of a living one that is.
func (p *Pipeline) takeAlone(ctx context.Context) (revision uint64, by string, err error) {
	kv, self := p.log.State(), p.fleet.Self()
	value, err := json.Marshal(whoIsAlone{self.Name, self.Instance})
	if err != nil {
		return 0, "", err
	}
	entry, err := kv.Get(ctx, aloneKey)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		revision, err = kv.Create(ctx, aloneKey, value)
		return revision, "", err
	case err != nil:
		return 0, "", err
	}
	var holds whoIsAlone
	if json.Unmarshal(entry.Value(), &holds) == nil && holds.Instance != self.Instance && p.fleet.Lives(holds.Instance) {
		return 0, holds.Name, nil
	}
	revision, err = kv.Update(ctx, aloneKey, value, entry.Revision())
	return revision, "", err
}

// endAlone lets others begin.
func (p *Pipeline) endAlone(ctx context.Context, revision uint64) {
	ctx, cancel := context.WithTimeout(ctx, aloneWithin)
	defer cancel()
	for {
		err := p.log.State().Delete(ctx, aloneKey, jetstream.LastRevision(revision))
		if err == nil || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return
		}
		select {
		case <-time.After(aloneLook):
		case <-ctx.Done(): // the others wait until this worker begins anew, or ends
			p.opts.Logger.Warn("the other workers are kept from audits until this one ends", "error", err)
			return
		}
	}
}
