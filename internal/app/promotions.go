package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"assay/consumers/promotion"
	"assay/internal/ops/rebuild"
	"assay/internal/query"
	"assay/sovereign/schema"
)

// openPromotion prepares publishing, without a registry if none is configured: promotions then wait.
func (p *Pipeline) openPromotion(ctx context.Context) error {
	c := p.opts.Config.Registry
	if c.URL != "" {
		registry, err := promotion.Open(c.Kind, promotion.Endpoint{
			URL: c.URL, TokenFile: c.TokenFile, TokenEnv: registryTokenEnv, CAFile: c.CAFile, Proxy: c.Proxy, Namespace: c.Namespace,
		})
		if err != nil {
			return err
		}
		p.registry = registry
	}
	var err error
	p.promotion, err = p.newPublisher(ctx, p.store)
	return err
}

// newPublisher returns a publisher that writes rows to a store.
func (p *Pipeline) newPublisher(ctx context.Context, rows schema.Store) (*promotion.Publisher, error) {
	consumer, err := p.log.PromotionConsumer(ctx)
	if err != nil {
		return nil, err
	}
	instance, err := p.instance()
	if err != nil {
		return nil, err
	}
	c := p.opts.Config.Registry
	return promotion.New(promotion.Options{
		Stream: consumer, KV: p.log.Publications(), Log: p.log, Store: rows, Registry: p.registry,
		Instance: instance, Concurrency: c.Concurrency, Timeout: c.Timeout, Logger: p.opts.Logger,
	})
}

// publisherNow is the publisher that runs here, or one that could.
func (p *Pipeline) publisherNow() *promotion.Publisher {
	if runs := p.publishes.Load(); runs != nil {
		return runs
	}
	return p.promotion
}

// publishing tells whether whoever publishes has something that could be done now.
func (p *Pipeline) publishing(ctx context.Context) (bool, error) {
	if !p.joins() {
		return p.promotion.Busy(ctx)
	}
	r, err := there{p, Leading}.ask(ctx, askWithin, question{Ask: askPublishing})
	if err != nil {
		return true, err
	}
	return r.Some, nil
}

// registryTokenEnv holds the registry's bearer token where no file does.
const registryTokenEnv = "ASSAY_REGISTRY_TOKEN"

// instance names this data directory among the processes that share a log. The name outlives a restart, so that the
// leases of attempts which a crash interrupted are its own again.
func (p *Pipeline) instance() (string, error) {
	file := filepath.Join(p.opts.Config.Data, "instance")
	name, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(name) == 0 { // a power failure may have left it empty
		name = []byte(uuid.NewString())
		err = rebuild.WriteDurably(file, name)
	}
	if err != nil {
		return "", fmt.Errorf("name this instance: %w", err)
	}
	return string(name), nil
}

// warnings tell what somebody should look into.
func (p *Pipeline) warnings(ctx context.Context) (warnings []string, err error) {
	if p.stale != "" {
		warnings = append(warnings, p.stale)
	}
	for _, table := range p.damaged {
		warnings = append(warnings, fmt.Sprintf("table %s cannot be read: stop, and run `assay rebuild`", table))
	}
	if trouble := p.trouble(ctx); trouble != nil {
		warnings = append(warnings, fmt.Sprintf("what comes in is kept in the log, and will be in the tables when these can be written again: %v", trouble))
	}
	unreadable, err := p.gold.Unreadable()
	if err != nil {
		return nil, err
	}
	if unreadable > 0 {
		warnings = append(warnings, fmt.Sprintf("%d entities cannot be read and are passed over: stop, and run `assay rebuild`", unreadable))
	}
	forward, err := p.forwardWarnings(ctx)
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, forward...)
	limit := p.opts.Config.Registry.WarnAge
	if limit == 0 {
		return warnings, nil
	}
	age, err := p.oldestAge(ctx)
	if err == nil && age > limit {
		warnings = append(warnings, fmt.Sprintf("a promotion has waited for %v, longer than registry.warn_age %v: see"+
			" `assay promotions --state pending`", age.Round(time.Second), limit))
	}
	return warnings, err
}

// trouble is what keeps the tables from being read or written.
func (p *Pipeline) trouble(ctx context.Context) error {
	if p.store == nil {
		return nil
	}
	return p.store.Trouble(ctx)
}

// oldestAge is how long the pending promotion that waits longest has waited, 0 if none does.
func (p *Pipeline) oldestAge(ctx context.Context) (time.Duration, error) {
	if p.stop != nil { // running
		return p.publisherNow().Status().OldestAge, nil
	}
	oldest, err := p.promotion.Oldest(ctx)
	if err != nil || oldest.IsZero() {
		return 0, err
	}
	return time.Since(oldest), nil
}

// publications implements view.Publications.
type publications struct{ publisher *promotion.Publisher }

func (p publications) Get(ctx context.Context, eventUUID string) (*query.PromotionDetail, error) {
	found, err := p.publisher.Get(ctx, eventUUID)
	if err != nil {
		return nil, steeringError(err)
	}
	return detail(found), nil
}

func (p publications) Retry(ctx context.Context, eventUUID string) error {
	return steeringError(p.publisher.Retry(ctx, eventUUID))
}

func (p publications) RetryRejected(ctx context.Context) (int, error) {
	return p.publisher.RetryRejected(ctx)
}

func (p publications) Reject(ctx context.Context, eventUUID, reason string) error {
	return steeringError(p.publisher.Reject(ctx, eventUUID, reason))
}

// Changes passes over attempts that have only begun.
func (p publications) Changes(ctx context.Context) iter.Seq2[*query.PromotionDetail, error] {
	return func(yield func(*query.PromotionDetail, error) bool) {
		for found, err := range p.publisher.Changes(ctx) {
			switch {
			case err != nil:
				yield(nil, steeringError(err))
				return
			case found.Lease == nil && !yield(detail(found), nil):
				return
			}
		}
	}
}

func detail(p *promotion.Publication) *query.PromotionDetail {
	return &query.PromotionDetail{
		Promotion: query.Promotion{
			EventUUID: p.EventUUID, EventCID: p.EventCID, WorkflowID: p.Workflow, State: string(p.State), Registry: p.Registry,
			URN: p.URN, Attempts: p.Attempts, Reason: p.LastError, TS: p.Time, NextAttemptAt: p.NextAttempt, PublishedAt: p.PublishedAt,
		},
		Accepted: p.Accepted, Unanswered: p.Unanswered, Event: p.Payload,
	}
}

// steeringError says in the view's terms why a promotion could not be steered.
func steeringError(err error) error {
	switch {
	case errors.Is(err, promotion.ErrUnknown):
		return fmt.Errorf("%w: %w", query.ErrNotFound, err)
	case errors.Is(err, promotion.ErrBusy), errors.Is(err, promotion.ErrPublished):
		return fmt.Errorf("%w: %w", query.ErrConflict, err)
	}
	return err
}
