package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"assay/consumers/gold"
	"assay/consumers/promotion"
	"assay/consumers/silver"
	"assay/internal/ops/metrics"
	"assay/internal/query"
	"assay/sovereign/schema"
	"assay/streams"
)

// Limits of a page of dead letters: the bytes of each that go with it, the log having the whole, and of all of them, after which
// the page ends.
const (
	letterRawMax   = 64 << 10
	lettersRawsMax = 8 << 20
)

// How old may be what Figures and Status have counted in tables.
const (
	figuresAge = 10 * time.Second
	statusAge  = time.Second
)

// Figures are a Summary that is seldom counted, however often it is asked for: frames as of when the chain was last extended,
// rows as of figuresAge ago at most.
func (p *Pipeline) Figures(ctx context.Context) (*query.Summary, error) {
	s, err := p.lately(ctx, figuresAge)
	if err != nil {
		return nil, err
	}
	return p.upToDate(s, p.log.Tallied()), nil
}

// Status is a Summary whose tables are counted once in statusAge at most, however often it is asked for.
func (p *Pipeline) Status(ctx context.Context) (*query.Summary, error) {
	if p.stop == nil { // nothing runs, and nobody asks twice
		return p.Summary(ctx)
	}
	tally, err := p.log.Tally(ctx)
	if err != nil {
		return nil, err
	}
	s, err := p.lately(ctx, statusAge)
	if err != nil {
		return nil, err
	}
	return p.upToDate(s, tally), nil
}

// Summary counts what every layer holds.
func (p *Pipeline) Summary(ctx context.Context) (*query.Summary, error) {
	tally, err := p.log.Tally(ctx)
	if err != nil {
		return nil, err
	}
	s, err := p.counted(ctx)
	if err != nil {
		return nil, err
	}
	return p.upToDate(s, tally), nil
}

// lately is what was counted no longer than age ago.
func (p *Pipeline) lately(ctx context.Context, age time.Duration) (*query.Summary, error) {
	p.figuring.Lock()
	defer p.figuring.Unlock()
	if p.figures != nil && time.Since(p.figured) < age {
		return p.figures, nil
	}
	s, err := p.counted(ctx)
	if err == nil {
		p.figures, p.figured = s, time.Now()
	}
	return s, err
}

// counted is what has to be counted in tables and streams.
func (p *Pipeline) counted(ctx context.Context) (*query.Summary, error) {
	batches, err := p.log.Silver().Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("read stream SILVER: %w", err)
	}
	promotions, pending, err := p.rowCounts(ctx)
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
	retained, err := p.retained(ctx)
	if err != nil {
		return nil, err
	}
	forward, err := p.Forwarding(ctx)
	if err != nil {
		return nil, err
	}
	return &query.Summary{
		Forward:   forward,
		Retention: retained,
		Silver:    query.SilverSummary{Batches: batches.State.LastSeq},
		Gold:      query.GoldSummary{Dead: letters.State.Subjects[silver.SubjectDeadBatch]},
		Promotions: query.PromotionSummary{
			Published: uint64(promotions.Published), Pending: uint64(promotions.Pending), Rejected: uint64(promotions.Rejected),
		},
		Embeddings: query.EmbeddingSummary{Model: p.embedder.Model(), Pending: pending},
		Warnings:   warnings,
	}, nil
}

// upToDate is s with the counts that the log and Gold keep.
func (p *Pipeline) upToDate(s *query.Summary, tally streams.Tally) *query.Summary {
	now, totals := *s, p.totals()
	now.Bronze = query.BronzeSummary{Frames: tally.Frames, Events: tally.Events, Bytes: tally.Bytes}
	now.Silver.Events, now.Silver.Shed, now.Silver.Dead = totals.Events, totals.Shed, totals.Dead
	now.Gold.Traces, now.Gold.Entities = totals.Traces, totals.Entities
	now.Gold.Capabilities, now.Gold.Edges = totals.Capabilities, totals.Edges
	return &now
}

// rowCounts counts rows of tables. Where these cannot be reached, it counts none, and a warning says so.
func (p *Pipeline) rowCounts(ctx context.Context) (promotions promotion.Counts, pending int64, err error) {
	if p.trouble(ctx) != nil {
		return promotion.Counts{}, 0, nil
	}
	if promotions, err = p.promotion.Counts(ctx); err == nil {
		pending, err = p.vectors.Pending(ctx)
	}
	if errors.Is(err, schema.ErrIO) && ctx.Err() == nil { // the trouble began in between
		return promotion.Counts{}, 0, nil
	}
	return promotions, pending, err
}

// operations answers for the whole pipeline.
type operations struct{ *Pipeline }

var _ query.Operations = operations{}

// DeadLetters implements query.Operations.
func (p operations) DeadLetters(ctx context.Context, after uint64, limit int) (letters []query.Dead, more bool, err error) {
	raws := lettersRawsMax
	for m, err := range streams.Scan(ctx, p.log.Dead(), streams.ReplayOptions{FromSeq: after + 1}) {
		if err != nil {
			return nil, false, err
		}
		raw := m.Data[:min(len(m.Data), letterRawMax)]
		if len(letters) == limit || len(letters) > 0 && len(raw) > raws {
			return letters, true, nil
		}
		raws -= len(raw)
		letters = append(letters, query.Dead{
			Sequence: m.Seq, BronzeSeq: header(m, silver.HeaderBronzeSeq), Position: header(m, streams.HeaderPosition),
			StreamID:   streams.UnescapeHeader(m.Header.Get(streams.HeaderStream)),
			WorkflowID: streams.UnescapeHeader(m.Header.Get(silver.HeaderWorkflow)),
			Reason:     m.Header.Get(silver.HeaderReason), Bytes: m.Bytes, At: m.Time, Raw: slices.Clone(raw), // lest the answer hold the whole
		})
	}
	return letters, false, nil
}

// header reads a number that this program wrote; a letter of another origin may lack it.
func header(m streams.Message, name string) uint64 {
	n, _ := strconv.ParseUint(m.Header.Get(name), 10, 64)
	return n
}

// Gauges implements metrics.Source.
func (p *Pipeline) Gauges(ctx context.Context) (metrics.Gauges, error) {
	lag, err := p.log.SilverLag(ctx)
	status := p.publisherNow().Status()
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
	if p.fleet != nil && p.isReached() && !p.fleet.Joined() {
		return nil, errors.New("this worker is joining the fleet: not all partitions are with their owners yet")
	}
	return p.warnings(ctx)
}

// partition is one of the log's partitions.
func (p *Pipeline) partition(n int) partition {
	if p.joins() && !p.gold.Has(n) {
		return there{p, n}
	}
	return here{p, n}
}

// totals are the counts of all partitions; those of a worker that does not answer are left out.
func (p *Pipeline) totals() (sum gold.Totals) {
	if !p.joins() {
		return p.gold.Totals()
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, part := range p.partitions() {
		asking.Go(func() {
			if t, err := part.Totals(ctx); err == nil {
				mu.Lock()
				defer mu.Unlock()
				sum.Add(t)
			}
		})
	}
	asking.Wait()
	return sum
}

// partitionOf is that of a workflow.
func (p *Pipeline) partitionOf(workflow string) partition { return p.partition(p.gold.Of(workflow)) }

// partitions are all of them.
func (p *Pipeline) partitions() []partition {
	all := make([]partition, p.gold.Count())
	for n := range all {
		all[n] = p.partition(n)
	}
	return all
}

// states answers from the states of all partitions.
type states struct{ pipeline *Pipeline }

var _ query.States = states{}

// Unsettled implements query.States.
func (s states) Unsettled(ctx context.Context, workflow string) ([]query.Entity, error) {
	live, err := s.pipeline.partitionOf(workflow).Unsettled(ctx, workflow)
	if err == nil && s.pipeline.joins() { // what has settled since, another worker may have written
		err = s.pipeline.store.Refresh(ctx)
	}
	return live, err
}

// AsOf implements query.States.
func (s states) AsOf(ctx context.Context, workflow string, at time.Time) ([]query.Entity, error) {
	options := s.pipeline.gold.Options(s.pipeline.gold.Of(workflow))
	then, err := gold.AsOf(ctx, options, query.TracesUntil(workflow, at))
	if err != nil {
		return nil, err
	}
	return shown(then), nil
}

// TraceCount implements query.States.
func (s states) TraceCount(ctx context.Context, workflow string) (events, lastBronzeSeq int64, err error) {
	count, err := s.pipeline.partitionOf(workflow).TraceCount(ctx, workflow)
	return count.Events, count.LastBronzeSeq, err
}

// Quarantines implements query.States.
func (s states) Quarantines(ctx context.Context) (bool, error) {
	if s.pipeline.joins() { // asking all costs more than the condition that this spares
		return true, nil
	}
	for _, part := range s.pipeline.partitions() {
		if some, err := part.Quarantines(ctx); some || err != nil {
			return some, err
		}
	}
	return false, nil
}

// QuarantinedBy implements query.States: it asks all partitions, since an id does not tell whose it is.
func (s states) QuarantinedBy(ctx context.Context, id string) (string, error) {
	event, err := uuid.Parse(id)
	if err != nil {
		return "", nil // a row that another client wrote
	}
	for _, part := range s.pipeline.partitions() {
		if by, err := part.QuarantinedBy(ctx, event); by != uuid.Nil || err != nil {
			return idOrNone(by), err
		}
	}
	return "", nil
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
			WrittenTokens: max(0, e.WrittenTokens), HourTokens: max(0, e.HourTokens),
			CostUSD:    max(0, e.CostUSD),
			EntityUUID: e.UUID.String(), Kind: e.Kind, WorkflowID: e.WorkflowID, IntentID: e.IntentID, AgentID: e.AgentID,
			Capability: e.Capability, Provider: e.Provider, Status: e.Status, StartedAt: e.StartedAt, EndedAt: e.EndedAt,
			LatencyUS: max(0, e.LatencyUS), StreamID: e.StreamID, FirstPosition: e.FirstPosition, LastPosition: e.LastPosition, FirstPart: e.FirstPart,
			Events: e.Events, Bytes: e.Bytes, InputTokens: max(0, e.InputTokens), OutputTokens: max(0, e.OutputTokens),
			FinishReason: e.FinishReason, Error: e.Error, Request: e.Request, Result: e.Result, Text: e.Text,
			QuarantinedBy: idOrNone(e.QuarantinedBy), CountedAs: idOrNone(e.CountedAs),
		}
	}
	return entities
}
