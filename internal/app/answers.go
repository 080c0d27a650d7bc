package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/gold"
	"assay/consumers/silver"
	"assay/internal/ops/metrics"
	"assay/internal/query"
	"assay/streams"
)

// Limits of one answer about dead letters: how many, and the bytes of each and of all that go with them. The log has the whole.
const (
	maxLetters     = 10_000
	letterRawMax   = 64 << 10
	lettersRawsMax = 8 << 20
)

// figuresAge is how old the counts may be that Figures returns.
const figuresAge = 10 * time.Second

// Figures are a Summary that is seldom counted, however often it is asked for: frames as of when the chain was last extended,
// rows as of figuresAge ago at most.
func (p *Pipeline) Figures(ctx context.Context) (*query.Summary, error) {
	p.figuring.Lock()
	defer p.figuring.Unlock()
	if p.figures != nil && time.Since(p.figured) < figuresAge {
		return p.figures, nil
	}
	s, err := p.summary(ctx, p.log.Tallied())
	if err == nil {
		p.figures, p.figured = s, time.Now()
	}
	return s, err
}

// Summary counts what every layer holds.
func (p *Pipeline) Summary(ctx context.Context) (*query.Summary, error) {
	tally, err := p.log.Tally(ctx)
	if err != nil {
		return nil, err
	}
	return p.summary(ctx, tally)
}

func (p *Pipeline) summary(ctx context.Context, tally streams.Tally) (*query.Summary, error) {
	batches, err := p.log.Silver().Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read stream SILVER: %w", err)
	}
	promotions, err := p.promotion.Counts(ctx)
	if err != nil {
		return nil, err
	}
	warnings, err := p.warnings(ctx)
	if err != nil {
		return nil, err
	}
	letters, err := p.log.Dead().Info(ctx, jetstream.WithSubjectFilter(silver.SubjectDeadBatch))
	if err != nil {
		return nil, fmt.Errorf("read stream DEAD: %w", err)
	}
	pending, err := p.vectors.Pending(ctx)
	if err != nil {
		return nil, err
	}
	retained, err := p.retained(ctx)
	if err != nil {
		return nil, err
	}
	totals := p.gold.Totals()
	return &query.Summary{
		Retention: retained,
		Bronze:    query.BronzeSummary{Frames: tally.Frames, Events: tally.Events, Bytes: tally.Bytes},
		Silver: query.SilverSummary{
			Events: totals.Events, Batches: batches.State.LastSeq, Shed: totals.Shed, Dead: totals.Dead,
		},
		Gold: query.GoldSummary{
			Traces: totals.Traces, Entities: totals.Entities, Capabilities: totals.Capabilities, Edges: totals.Edges,
			Dead: letters.State.Subjects[silver.SubjectDeadBatch],
		},
		Promotions: query.PromotionSummary{
			Published: uint64(promotions.Published), Pending: uint64(promotions.Pending), Rejected: uint64(promotions.Rejected),
		},
		Embeddings: query.EmbeddingSummary{Model: p.embedder.Model(), Pending: pending},
		Warnings:   warnings,
	}, nil
}

// letters reads what lies on DEAD.
func (p *Pipeline) letters(ctx context.Context, limit int) ([]query.Dead, error) {
	if limit <= 0 || limit > maxLetters {
		limit = maxLetters
	}
	letters, raws := []query.Dead{}, lettersRawsMax
	for m, err := range streams.Scan(ctx, p.log.Dead(), streams.ReplayOptions{}) {
		if err != nil {
			return nil, err
		}
		raw := m.Data[:min(len(m.Data), letterRawMax, raws)]
		raws -= len(raw)
		letters = append(letters, query.Dead{
			Sequence: m.Seq, BronzeSeq: header(m, silver.HeaderBronzeSeq), Position: header(m, streams.HeaderPosition),
			StreamID:   streams.UnescapeHeader(m.Header.Get(streams.HeaderStream)),
			WorkflowID: streams.UnescapeHeader(m.Header.Get(silver.HeaderWorkflow)),
			Reason:     m.Header.Get(silver.HeaderReason), Bytes: m.Bytes, At: m.Time, Raw: slices.Clone(raw), // lest the answer hold the whole
		})
		if len(letters) == limit {
			break
		}
	}
	return letters, nil
}

// header reads a number that this program wrote; a letter of another origin may lack it.
func header(m streams.Message, name string) uint64 {
	n, _ := strconv.ParseUint(m.Header.Get(name), 10, 64)
	return n
}

// Gauges implements metrics.Source.
func (p *Pipeline) Gauges(ctx context.Context) (metrics.Gauges, error) {
	lag, err := p.log.SilverLag(ctx)
	status := p.promotion.Status()
	return metrics.Gauges{
		SilverLag: lag, ShedThreshold: p.shed(), EmbeddingsWaiting: p.vectors.Waiting(), PromotionOldestAge: status.OldestAge,
		PromotionAttempts: status.Attempts, PromotionFailures: status.Failures, PromotionBreaker: status.Breaker,
	}, err
}

// Ready reports whether the pipeline takes events in: the log answers and nothing has stopped by itself. Warnings are about
// what does not keep it from that.
func (p *Pipeline) Ready(ctx context.Context) (warnings []string, err error) {
	select {
	case <-p.done:
		return nil, fmt.Errorf("processing has stopped: %w", p.err)
	default:
	}
	if _, err := p.log.SilverLag(ctx); err != nil {
		return nil, err
	}
	return p.warnings(ctx)
}

// unsettled returns the entities of a workflow that the tables do not show yet, or show in an older state.
func (p *Pipeline) unsettled(ctx context.Context, workflow string) ([]query.Entity, error) {
	live, err := p.gold.Unsettled(ctx, workflow)
	if err != nil {
		return nil, err
	}
	return shown(live), nil
}

// asOf returns the entities of a workflow as they were at a time.
func (p *Pipeline) asOf(ctx context.Context, workflow string, at time.Time) ([]query.Entity, error) {
	then, err := p.gold.AsOf(ctx, query.TracesUntil(workflow, at))
	if err != nil {
		return nil, err
	}
	return shown(then), nil
}

func (p *Pipeline) traceCount(workflow string) (events, lastBronzeSeq int64, err error) {
	count, err := p.gold.TraceCount(workflow)
	return count.Events, count.LastBronzeSeq, err
}

func (p *Pipeline) quarantinedBy(id string) (string, error) {
	event, err := uuid.Parse(id)
	if err != nil {
		return "", nil // a row that another client wrote
	}
	by, err := p.gold.QuarantinedBy(event)
	return idOrNone(by), err
}

func idOrNone(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func shown(found []*gold.Entity) []query.Entity {
	entities := make([]query.Entity, len(found))
	for i, e := range found {
		entities[i] = query.Entity{
			Reasoning: e.Reasoning, Role: e.Role, Clock: e.Clock, CachedTokens: max(0, e.CachedTokens), ReasoningTokens: max(0, e.ReasoningTokens),
			CostUSD:    max(0, e.CostUSD),
			EntityUUID: e.UUID.String(), Kind: e.Kind, WorkflowID: e.WorkflowID, IntentID: e.IntentID, AgentID: e.AgentID,
			Capability: e.Capability, Provider: e.Provider, Status: e.Status, StartedAt: e.StartedAt, EndedAt: e.EndedAt,
			LatencyUS: max(0, e.LatencyUS), StreamID: e.StreamID, FirstPosition: e.FirstPosition, LastPosition: e.LastPosition, FirstPart: e.FirstPart,
			Events: e.Events, Bytes: e.Bytes, InputTokens: max(0, e.InputTokens), OutputTokens: max(0, e.OutputTokens),
			FinishReason: e.FinishReason, Error: e.Error, Request: e.Request, Result: e.Result, Text: e.Text,
			QuarantinedBy: idOrNone(e.QuarantinedBy),
		}
	}
	return entities
}
