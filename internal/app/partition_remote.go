package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"assay/consumers/gold"
	"assay/internal/fleet"
	"assay/internal/query"
)

// there is a partition that another worker owns.
type there struct {
	pipeline *Pipeline
	n        int
}

var _ partition = there{}

// ask asks the owner. While a partition has none, as when it is being taken over, it asks again, and where it moves it asks the next one.
func (t there) ask(ctx context.Context, within time.Duration, q question) (*reply, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	body, err := json.Marshal(&q)
	if err != nil {
		return nil, err
	}
	for {
		owner, err := t.pipeline.ownerOf(ctx, t.n)
		if err == nil {
			err = t.pipeline.contact()
		}
		var r *reply
		if err == nil && owner.Name != "" {
			r, err = t.askOwner(ctx, owner, body)
		}
		switch {
		case r != nil && r.BadRequest:
			return nil, fmt.Errorf("%w: %s", query.ErrRequest, r.Error)
		case r != nil && r.Error != "" && !r.Elsewhere:
			return nil, fmt.Errorf("partition %d: %s", t.n, r.Error)
		case r != nil && r.Error == "":
			return r, nil
		case ctx.Err() != nil:
			return nil, t.unanswered(errors.Join(err, context.Cause(ctx)))
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, t.unanswered(errors.Join(err, context.Cause(ctx)))
		}
	}
}

// askOwner asks who owns the partition in an epoch, as long as it does.
func (t there) askOwner(ctx context.Context, owner fleet.Owner, body []byte) (*reply, error) {
	ctx, moved := context.WithCancel(ctx)
	defer moved()
	go func() {
		tick := time.NewTicker(askAgain)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now, err := t.pipeline.ownerOf(ctx, t.n); err == nil && now != owner {
				moved()
			}
		}
	}()
	return t.pipeline.request(ctx, askSubject(t.n, owner.Epoch), body)
}

// unanswered names who did not answer.
func (t there) unanswered(err error) error {
	owner := "nobody"
	if now, err := t.pipeline.ownerOf(context.Background(), t.n); err == nil && now.Name != "" {
		owner = now.Name
	}
	return fmt.Errorf("%w: partition %d is owned by %s, which does not answer; `assay fleet` shows who lives: %w", query.ErrUnanswered, t.n, owner, err)
}

// Unsettled implements partition.
func (t there) Unsettled(ctx context.Context, workflow string) ([]query.Entity, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askUnsettled, Workflow: workflow})
	if err != nil {
		return nil, err
	}
	return r.entities(), nil
}

// TraceCount implements partition.
func (t there) TraceCount(ctx context.Context, workflow string) (gold.TraceCount, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askTraceCount, Workflow: workflow})
	if err != nil {
		return gold.TraceCount{}, err
	}
	return r.Count, nil
}

// Workflow implements partition.
func (t there) Workflow(ctx context.Context, workflow string) (*query.WorkflowSummary, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askWorkflow, Workflow: workflow})
	if err != nil {
		return nil, err
	}
	return r.Workflow, nil
}

// Workflows implements partition.
func (t there) Workflows(ctx context.Context, cursor string, since time.Time, limit int) ([]listed, string, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askWorkflows, Cursor: cursor, Since: since, Limit: limit})
	if err != nil {
		return nil, "", err
	}
	return r.Workflows, r.Next, nil
}

// WorkflowNames implements partition.
func (t there) WorkflowNames(ctx context.Context, limit int) ([]string, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askNames, Limit: limit})
	if err != nil {
		return nil, err
	}
	return r.Names, nil
}

// Conversation implements partition.
func (t there) Conversation(ctx context.Context, workflow string, turns gold.Turns) ([]query.Entity, string, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askConversation, Workflow: workflow, Turns: turns})
	if err != nil {
		return nil, "", err
	}
	return r.entities(), r.Next, nil
}

// Quarantines implements partition.
func (t there) Quarantines(ctx context.Context) (bool, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askQuarantines})
	if err != nil {
		return false, err
	}
	return r.Some, nil
}

// QuarantinedBy implements partition.
func (t there) QuarantinedBy(ctx context.Context, id uuid.UUID) (uuid.UUID, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askQuarantinedBy, ID: id})
	if err != nil {
		return uuid.Nil, err
	}
	return r.ID, nil
}

// Totals implements partition.
func (t there) Totals(ctx context.Context) (gold.Totals, error) {
	r, err := t.ask(ctx, askWithin, question{Ask: askTotals})
	if err != nil {
		return gold.Totals{}, err
	}
	return r.Totals, nil
}
