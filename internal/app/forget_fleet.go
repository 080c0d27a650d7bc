package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"assay/consumers/gold"
	"assay/internal/fleet"
	"assay/internal/ops/erase"
	"assay/internal/query"
	"assay/streams"
)

// everywhere is what was folded in all partitions of a fleet, whoever owns them.
type everywhere struct{ pipeline *Pipeline }

var _ erase.Gold = everywhere{}

// Spellings implements erase.Gold.
func (e everywhere) Spellings(workflow string) ([]string, error) {
	r, err := there{e.pipeline, e.pipeline.gold.Of(workflow)}.ask(context.Background(), askWithin, question{Ask: askSpellings, Workflow: workflow})
	if err != nil {
		return nil, err
	}
	return r.Names, nil
}

// Forget implements erase.Gold. The tombstone comes first, so that no worker lets anything of the workflow in any more.
func (e everywhere) Forget(
	ctx context.Context, workflow string, bury func(ctx context.Context, spellings []string) (*gold.EraseScope, error),
) (*gold.Forgotten, error) {
	spellings, err := e.Spellings(workflow)
	if err != nil {
		return nil, err
	}
	if _, err := bury(ctx, spellings); err != nil {
		return nil, err
	}
	t, err := e.pipeline.log.Tombstone(ctx, workflow)
	if err == nil {
		err = e.pipeline.tellAll(ctx, t)
	}
	if err != nil {
		return nil, err
	}
	var sum gold.Forgotten
	own := e.pipeline.gold.Of(workflow)
	err = e.pipeline.allPartitions(ctx, question{Ask: askForget, Tombstone: t}, func(n int, r *reply) {
		if n == own {
			sum = r.Forgotten
		}
	})
	return &sum, err
}

// FlushAll implements erase.Gold.
func (e everywhere) FlushAll(ctx context.Context) error {
	_, err := e.pipeline.flushAll(ctx)
	return err
}

// Compact implements erase.Gold.
func (e everywhere) Compact(ctx context.Context) error {
	return e.pipeline.allPartitions(ctx, question{Ask: askCompact}, func(int, *reply) {})
}

// workerSubject is where a worker is asked as such, whatever it owns.
func workerSubject(instance string) string { return "assay.worker." + instance }

// tellWithin is how long a worker may take to confirm that it knows what is forgotten.
const tellWithin = 10 * time.Second

// tellAll has all living workers confirm that they know of a tombstone and see the tables as they are now. The error names one that
// lives and does not.
func (p *Pipeline) tellAll(ctx context.Context, t *streams.Tombstone) error {
	if p.fleet == nil {
		return nil
	}
	body, err := json.Marshal(question{Ask: askBuried, Tombstone: t})
	if err != nil {
		return err
	}
	group, asking := errgroup.WithContext(ctx)
	for _, m := range p.fleet.Status().Members {
		if m.Alive {
			group.Go(func() error { return p.tell(asking, m, body) })
		}
	}
	return group.Wait()
}

// tell tries until a worker has confirmed, is dead, or has had time enough.
func (p *Pipeline) tell(ctx context.Context, m fleet.MemberStatus, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	for {
		r, err := p.request(ctx, workerSubject(m.Instance), body)
		if err == nil && r.Error != "" {
			err = errors.New(r.Error)
		}
		if err == nil || !p.fleet.Lives(m.Instance) {
			return nil
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return fmt.Errorf("%w: worker %s lives and has not confirmed what is forgotten; try again: %w", query.ErrUnanswered, m.Name, err)
		}
	}
}

// hearForgotten answers for this worker as such.
func (p *Pipeline) hearForgotten(ctx context.Context) error {
	if p.fleet == nil {
		return nil
	}
	stop, err := p.answer(ctx, workerSubject(p.fleet.Self().Instance), func(ctx context.Context, q *question, _ *reply) error {
		if q.Ask != askBuried || q.Tombstone == nil {
			return fmt.Errorf("%w: nothing is known of %q: do all workers have the same version?", query.ErrRequest, q.Ask)
		}
		p.log.Forgotten().Add(*q.Tombstone)
		p.store.ClearCache()
		// What an audit that was interrupted has computed is no longer so. None is under way while a workflow is being forgotten.
		return errors.Join(os.RemoveAll(filepath.Join(p.opts.Config.Data, auditDir)), p.store.Refresh(ctx))
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return stop()
}
