package promotion

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/failpoint"
	"assay/sovereign/schema"
)

// errLost means that the entry is not as the ticket has it: another instance, a command or an earlier attempt was first.
var errLost = errors.New("promotion: entry changed")

// attempt tries one publication: claims it, asks or sends, and hands the outcome to the recorder. It outlives ctx, within
// the length of a lease, so that a stop does not leave it half done.
func (p *Publisher) attempt(ctx context.Context, t ticket) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTimeouts*p.Timeout)
	defer cancel()
	pub, revision, err := p.claim(ctx, t)
	if err != nil {
		p.breaker.withdrawn(t.probe)
		p.putBack(t.key, err)
		return
	}
	if pub.State == Published { // the last attempt went as far as the table
		p.breaker.withdrawn(t.probe)
	} else {
		failpoint.Point("promotion: leased, not sent")
		urn, err := p.submit(ctx, pub)
		failpoint.Point("promotion: published, not recorded")
		p.judge(pub, t.probe, urn, err)
	}
	p.outcomes <- outcome{pub, revision}
}

// putBack returns a publication to the queue after a failure on our own side.
func (p *Publisher) putBack(key string, err error) {
	if errors.Is(err, errLost) {
		p.queue.release(key)
		return
	}
	p.Logger.Warn("promotion: attempt not made, trying again", "event_uuid", key, "error", err)
	p.queue.postpone(key, p.Clock.Now().Add(localRetryDelay))
}

// claim takes the entry's lease, at the revision of the ticket, so that of all instances one proceeds. An entry that has a
// lease already is an attempt that was cut off: the table is asked how far it went.
func (p *Publisher) claim(ctx context.Context, t ticket) (*Publication, uint64, error) {
	entry, err := p.KV.Get(ctx, t.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		p.queue.forget(t.key, t.revision+1)
		return nil, 0, errLost
	}
	if err != nil {
		return nil, 0, fmt.Errorf("promotion: read entry %s: %w", t.key, err)
	}
	pub, err := decodePublication(entry.Key(), entry.Value())
	if err != nil {
		return nil, 0, err
	}
	if entry.Revision() != t.revision {
		p.queue.observe(pub, entry.Revision(), false)
		return nil, 0, errLost
	}
	if pub.Lease != nil {
		if done, err := p.finished(ctx, t.key); err != nil || done != nil {
			return done, entry.Revision(), err
		}
		pub.Unanswered = true
	}
	if name := p.Registry.Name(); pub.Registry != name {
		pub.Registry, pub.Attempts = name, 0
	}
	revision, err := p.lease(ctx, pub, entry.Revision())
	return pub, revision, err
}

// finished returns the row of a promotion that the table has as published, else nil.
func (p *Publisher) finished(ctx context.Context, id string) (*Publication, error) {
	found, err := p.rows(ctx, schema.Query{Where: schema.And(schema.Eq("event_uuid", id), schema.Eq("state", string(Published)))})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// lease writes our lease into the entry. errLost if it is no longer at that revision.
func (p *Publisher) lease(ctx context.Context, pub *Publication, revision uint64) (uint64, error) {
	pub.Lease = &Lease{Owner: p.Instance, Until: p.Clock.Now().Add(leaseTimeouts * p.Timeout).UTC()}
	return p.update(ctx, pub, revision)
}

// update writes the entry. errLost if it is no longer at that revision.
func (p *Publisher) update(ctx context.Context, pub *Publication, revision uint64) (uint64, error) {
	value, err := pub.encode()
	if err != nil {
		return 0, err
	}
	next, err := p.KV.Update(ctx, pub.EventUUID, value, revision)
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return 0, errLost
	}
	if err != nil {
		return 0, fmt.Errorf("promotion: write entry %s: %w", pub.EventUUID, err)
	}
	return next, nil
}

// submit asks the registry whether it has the promotion, if an earlier attempt left that open, and else publishes it.
func (p *Publisher) submit(ctx context.Context, pub *Publication) (urn string, err error) {
	promotion, err := pub.promotion()
	if err != nil {
		return "", &Failure{Kind: ErrRejected, Reason: err.Error(), Err: err}
	}
	p.attempts.Add(1)
	if pub.Unanswered {
		ctx, cancel := context.WithTimeout(ctx, p.Timeout)
		defer cancel()
		urn, found, err := p.Registry.Lookup(ctx, &promotion)
		if err != nil || found {
			return urn, err
		}
		pub.Unanswered = false
	}
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	return p.Registry.Publish(ctx, &promotion)
}

// judge makes the attempt's result the publication's next state, and tells the breaker.
func (p *Publisher) judge(pub *Publication, probe bool, urn string, err error) {
	now := p.Clock.Now().UTC()
	pub.Attempts++
	pub.NextAttempt, pub.Asked, pub.LastError = time.Time{}, false, ""
	var failure *Failure
	if err != nil && !errors.As(err, &failure) {
		failure = &Failure{Kind: ErrUnavailable, Reason: excerpt(err.Error()), Err: err}
	}
	switch {
	case failure == nil:
		p.breaker.answered()
		pub.State, pub.URN, pub.PublishedAt = Published, urn, now
	case failure.Kind == ErrRejected: //nolint:errorlint // the verdict itself, not what caused it
		p.breaker.answered()
		pub.State, pub.LastError = Rejected, failure.Reason
		p.Logger.Warn("promotion: rejected", "event_uuid", pub.EventUUID, "reason", failure.Reason)
	default:
		p.failures.Add(1)
		if p.breaker.failed(now, probe, failure.RetryAfter) {
			p.Logger.Warn("promotion: the registry fails; promotions wait", "reason", failure.Reason)
		}
		wait := max(failure.RetryAfter, p.Backoff.delay(int(pub.Attempts)))
		pub.NextAttempt, pub.Asked, pub.LastError = now.Add(wait), failure.RetryAfter > 0, failure.Reason
		pub.Unanswered = pub.Unanswered || failure.Kind == ErrUnanswered //nolint:errorlint // as above
		p.Logger.Info("promotion: not published yet", "event_uuid", pub.EventUUID, "attempts", pub.Attempts, "reason", failure.Reason)
	}
}
