package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"assay/consumers/gold"
	"assay/internal/ops/erase"
	"assay/internal/query"
	"assay/streams"
)

// Whoever serves asks the owners of partitions what the tables do not tell: on assay.ask.<p>.<epoch>, one JSON object for another.

const (
	// askWithin is how long an owner may take to answer, and flushWithin to write its tables or to forget.
	askWithin   = 5 * time.Second
	flushWithin = 2 * time.Minute
	// askAgain is the pause before a partition that has no owner at the moment is asked again.
	askAgain = 200 * time.Millisecond
	// askedAtOnce bounds the questions that one partition answers at a time.
	askedAtOnce = 8
)

// askSubject is where the owner of a partition is asked in its epoch: nobody hears what is meant for the next one.
func askSubject(n int, epoch uint64) string { return fmt.Sprintf("assay.ask.%d.%d", n, epoch) }

// question is what an owner is asked.
type question struct {
	Ask       string             `json:"ask"`
	Workflow  string             `json:"workflow,omitempty"`
	Cursor    string             `json:"cursor,omitempty"`
	Since     time.Time          `json:"since,omitzero"`
	Limit     int                `json:"limit,omitempty"`
	Turns     gold.Turns         `json:"turns,omitzero"`
	ID        uuid.UUID          `json:"id,omitzero"`
	Tombstone *streams.Tombstone `json:"tombstone,omitempty"`
}

// What may be asked.
const (
	askUnsettled     = "unsettled"
	askTraceCount    = "trace_count"
	askWorkflow      = "workflow"
	askWorkflows     = "workflows"
	askNames         = "names"
	askConversation  = "conversation"
	askQuarantines   = "quarantines"
	askQuarantinedBy = "quarantined_by"
	askTotals        = "totals"
	askFlush         = "flush"
	askSpellings     = "spellings"
	askForget        = "forget"
	askCompact       = "compact"
	askPublishing    = "publishing"
	askBuried        = "buried"
)

// reply is what an owner answers.
type reply struct {
	Error      string `json:"error,omitempty"`
	BadRequest bool   `json:"bad_request,omitempty"` // the question is at fault
	Elsewhere  bool   `json:"elsewhere,omitempty"`   // another worker has the partition, or this one cannot be sure of it

	Entities  []told                 `json:"entities,omitempty"`
	Workflow  *query.WorkflowSummary `json:"workflow,omitempty"`
	Workflows []listed               `json:"workflows,omitempty"`
	Names     []string               `json:"names,omitempty"`
	Next      string                 `json:"next,omitempty"`
	Some      bool                   `json:"some,omitempty"`
	ID        uuid.UUID              `json:"id,omitzero"`
	Count     gold.TraceCount        `json:"count,omitzero"`
	Totals    gold.Totals            `json:"totals,omitzero"`
	Forgotten gold.Forgotten         `json:"forgotten,omitzero"`
}

// told is an entity with what is left out of answers to clients.
type told struct {
	query.Entity
	FirstPart int64 `json:"first_part,omitempty"`
}

func tell(entities []query.Entity) (all []told) {
	for _, e := range entities {
		all = append(all, told{e, e.FirstPart})
	}
	return all
}

func (r *reply) entities() []query.Entity {
	all := make([]query.Entity, len(r.Entities))
	for i, e := range r.Entities {
		all[i] = e.Entity
		all[i].FirstPart = e.FirstPart
	}
	return all
}

// answer answers what is asked on a subject until stop is called.
func (p *Pipeline) answer(
	ctx context.Context, subject string, use func(context.Context, *question, *reply) error,
) (stop func() error, err error) {
	places := make(chan struct{}, askedAtOnce)
	sub, err := p.conn.Subscribe(subject, func(msg *nats.Msg) {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		go func() {
			defer func() { <-places }()
			var asked question
			answered := reply{}
			err := json.Unmarshal(msg.Data, &asked)
			if err == nil {
				err = p.contact()
			}
			if err == nil {
				err = use(ctx, &asked, &answered)
			}
			if err != nil {
				answered = reply{Error: err.Error(), BadRequest: errors.Is(err, query.ErrRequest), Elsewhere: elsewhere(err)}
			}
			body, err := json.Marshal(&answered)
			if err == nil {
				err = msg.Respond(body)
			}
			if err != nil {
				p.opts.Logger.Warn("a question of another worker is not answered", "subject", subject, "error", err)
			}
		}()
	})
	if err != nil {
		return nil, fmt.Errorf("answer on %s: %w", subject, err)
	}
	return func() error {
		err := sub.Unsubscribe()
		for range askedAtOnce { // what is being answered ends
			places <- struct{}{}
		}
		return err
	}, nil
}

// elsewhere tells whether an error means that whoever was asked is not, or not sure to be, the owner any more.
func elsewhere(err error) bool {
	return errors.Is(err, errElsewhere) || errors.Is(err, query.ErrUnanswered)
}

// reply answers one question.
func (p *Pipeline) reply(ctx context.Context, n int, q *question, r *reply) (err error) {
	h := here{p, n}
	var entities []query.Entity
	switch q.Ask {
	case askUnsettled:
		entities, err = h.Unsettled(ctx, q.Workflow)
	case askTraceCount:
		r.Count, err = h.TraceCount(ctx, q.Workflow)
	case askWorkflow:
		r.Workflow, err = h.Workflow(ctx, q.Workflow)
	case askWorkflows:
		r.Workflows, r.Next, err = h.Workflows(ctx, q.Cursor, q.Since, q.Limit)
	case askNames:
		r.Names, err = h.WorkflowNames(ctx, q.Limit)
	case askConversation:
		entities, r.Next, err = h.Conversation(ctx, q.Workflow, q.Turns)
	case askQuarantines:
		r.Some, err = h.Quarantines(ctx)
	case askQuarantinedBy:
		r.ID, err = h.QuarantinedBy(ctx, q.ID)
	case askTotals:
		r.Totals, err = h.Totals(ctx)
	case askFlush:
		err = h.ask(func(g *gold.Gold) error { return g.FlushAll(ctx) })
	case askSpellings:
		err = h.ask(func(g *gold.Gold) (err error) {
			r.Names, err = g.Spellings(q.Workflow)
			return err
		})
	case askForget:
		err = h.ask(func(g *gold.Gold) error { return p.forgetHere(ctx, g, q.Tombstone, &r.Forgotten) })
	case askCompact:
		err = h.ask(func(g *gold.Gold) error { return errors.Join(g.Compact(ctx), p.rebase(ctx, n, g)) })
	case askPublishing:
		if publisher := p.publishes.Load(); publisher != nil {
			r.Some, err = publisher.Busy(ctx)
		} else {
			err = errElsewhere
		}
	default:
		err = fmt.Errorf("%w: nothing is known of %q: do all workers have the same version?", query.ErrRequest, q.Ask)
	}
	r.Entities = tell(entities)
	return err
}

// forgetHere forgets a workflow in one partition.
func (p *Pipeline) forgetHere(ctx context.Context, g *gold.Gold, t *streams.Tombstone, out *gold.Forgotten) error {
	if t == nil {
		return fmt.Errorf("%w: a tombstone is needed", query.ErrRequest)
	}
	options, err := p.forgetOptions(ctx)
	if err != nil {
		return err
	}
	p.log.Forgotten().Add(*t)
	found, err := erase.Take(ctx, options, g, *t)
	if found != nil {
		*out = *found
	}
	return err
}

// request asks on a subject, where somebody has to listen.
func (p *Pipeline) request(ctx context.Context, subject string, body []byte) (*reply, error) {
	msg, err := p.conn.RequestWithContext(ctx, subject, body)
	if err != nil {
		return nil, err
	}
	r := &reply{}
	return r, json.Unmarshal(msg.Data, r)
}
