package promotion

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"assay/sovereign/schema"
)

// Limits of RetryRejected.
const (
	retriedTogetherMax = 512       // publications of one commit
	rejectedMax        = 1_000_000 // publications of one call
)

// Retry makes a pending or rejected publication due now. Errors wrap ErrUnknown, ErrBusy or ErrPublished.
func (p *Publisher) Retry(ctx context.Context, eventUUID string) error {
	return p.amend(ctx, []string{eventUUID}, p.makeDue)[0]
}

// RetryRejected makes all rejected publications due now and returns how many. Those that change meanwhile are left alone.
func (p *Publisher) RetryRejected(ctx context.Context) (retried int, err error) {
	found, err := p.rows(ctx, schema.Query{
		Columns: []string{"event_uuid"}, Where: schema.Eq("state", string(Rejected)), Limit: rejectedMax,
	})
	if err != nil {
		return 0, err
	}
	for chunk := range slices.Chunk(found, retriedTogetherMax) {
		ids := make([]string, len(chunk))
		for i := range chunk {
			ids[i] = chunk[i].EventUUID
		}
		for _, err := range p.amend(ctx, ids, p.makeDue) {
			switch {
			case err == nil:
				retried++
			case !errors.Is(err, ErrBusy) && !errors.Is(err, ErrPublished):
				return retried, err
			}
		}
	}
	return retried, nil
}

func (p *Publisher) makeDue(pub *Publication) {
	pub.State, pub.NextAttempt, pub.Asked = Pending, p.Clock.Now().UTC(), false
}

// Reject gives a publication up, for the reason. Errors wrap ErrUnknown, ErrBusy or ErrPublished.
func (p *Publisher) Reject(ctx context.Context, eventUUID, reason string) error {
	return p.amend(ctx, []string{eventUUID}, func(pub *Publication) {
		pub.State, pub.NextAttempt, pub.Asked, pub.LastError = Rejected, time.Time{}, false, excerpt(reason)
	})[0]
}

// amend changes publications as attempts do: leases, rows in one commit, entries; so that it meets no attempt halfway. It
// returns one error or nil for each.
func (p *Publisher) amend(ctx context.Context, ids []string, change func(*Publication)) []error {
	errs, leased := make([]error, len(ids)), make([]outcome, len(ids))
	each(ids, func(i int) { leased[i], errs[i] = p.seize(ctx, ids[i]) })
	var rows []*Publication
	for i, o := range leased {
		if errs[i] == nil {
			change(o.publication)
			o.publication.Lease = nil
			rows = append(rows, o.publication)
		}
	}
	if len(rows) == 0 {
		return errs
	}
	failed := p.merge(ctx, rows)
	each(ids, func(i int) {
		if errs[i] != nil {
			return
		}
		if errs[i] = failed; failed == nil {
			_, err := p.update(ctx, leased[i].publication, leased[i].revision)
			errs[i] = busyIfLost(err, ids[i])
		}
	})
	return errs
}

// each calls do for every index, some at a time.
func each(ids []string, do func(i int)) {
	var calls errgroup.Group
	calls.SetLimit(entriesInFlight)
	for i := range ids {
		calls.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = calls.Wait() // do keeps its own error
}

// seize leases a publication that no attempt is at.
func (p *Publisher) seize(ctx context.Context, id string) (outcome, error) {
	pub, revision, err := p.entry(ctx, id)
	if errors.Is(err, ErrUnknown) || err == nil && pub.Lease != nil { // published, or an attempt may have got that far
		if done, ferr := p.finished(ctx, id); ferr != nil || done != nil {
			return outcome{}, errors.Join(ferr, fmt.Errorf("%w: %s", ErrPublished, id))
		}
	}
	if err != nil {
		return outcome{}, err
	}
	if pub.Lease != nil && pub.Lease.Until.After(p.Clock.Now()) {
		return outcome{}, fmt.Errorf("%w: %s", ErrBusy, id)
	}
	pub.Unanswered = pub.Unanswered || pub.Lease != nil
	revision, err = p.lease(ctx, pub, revision)
	return outcome{pub, revision}, busyIfLost(err, id)
}

func busyIfLost(err error, id string) error {
	if errors.Is(err, errLost) {
		return fmt.Errorf("%w: %s", ErrBusy, id)
	}
	return err
}
