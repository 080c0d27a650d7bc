package model

import (
	"time"

	"github.com/google/uuid"
)

// Entity is the current state of an entity, as the table entities shows it.
type Entity struct {
	UUID                                       uuid.UUID
	Kind, WorkflowID, IntentID, AgentID        string
	Capability, Provider                       string
	Status                                     string    // open, ok, error, cancelled
	StartedAt, EndedAt                         time.Time // zero if unknown
	LatencyUS                                  int64     // -1 if unknown
	StreamID                                   string
	FirstPosition, LastPosition, Events, Bytes int64
	InputTokens, OutputTokens                  int64   // -1 if unknown
	CachedTokens, ReasoningTokens              int64   // of these; -1 if unknown
	WrittenTokens, HourTokens                  int64   // of the input, written to a cache, and of these for an hour; -1 if unknown
	CostUSD                                    float64 // -1 if unknown
	Role                                       string
	Clock                                      string // ClockOwn or ClockCapture: which tells StartedAt and EndedAt
	FirstPart                                  int64  // of the record at FirstPosition
	FinishReason, Error, Request, Result, Text string

	Reasoning     string    // of a message; no table has it
	CountedAs     uuid.UUID // the entity that counts of several that see one call; uuid.Nil if it is this one
	QuarantinedBy uuid.UUID // the event that took it back, or what it descends from; uuid.Nil if none did
}

// NewEntity is an entity as it is shown, but for what took it back.
func NewEntity(id uuid.UUID, e *EntityState, c *Content) *Entity {
	v := &Entity{
		UUID: id, Kind: e.ShownKind(), WorkflowID: e.Workflow, IntentID: e.intent, AgentID: e.agent.Value,
		Capability: e.capability.Value, Provider: e.provider.Value, Status: e.status(),
		StartedAt: TimeOf(e.started()), EndedAt: TimeOf(e.ended()), LatencyUS: e.latency(),
		StreamID: e.stream, FirstPosition: int64(e.firstPosition), LastPosition: int64(e.lastPosition),
		Events: e.Events, Bytes: e.bytes, InputTokens: e.inputTokens, OutputTokens: e.outputTokens,
		CachedTokens: e.cachedTokens, ReasoningTokens: e.reasoningTokens,
		WrittenTokens: e.written, HourTokens: e.hour, CostUSD: e.dollars(), Role: e.role.Value, Clock: e.clock(),
		FirstPart: int64(e.firstPart), FinishReason: e.finish.Value, Error: e.explain(),
		Request: c.Request.Payload, Result: c.resultText(e.finish.Value), Text: c.Text(), Reasoning: c.reasoning(),
		CountedAs: e.CountedAs,
	}
	switch {
	case e.Hidden: // the answer says it
		v.Text = ""
		v.InputTokens, v.OutputTokens, v.CachedTokens, v.ReasoningTokens, v.CostUSD = -1, -1, -1, -1, -1
		v.WrittenTokens, v.HourTokens = -1, -1
	case e.requests > 1: // one of several answers
		v.Result, v.Text = "", ""
	}
	return v
}

// TimeOf is a time of microseconds since 1970, zero for Never.
func TimeOf(micros int64) time.Time {
	if micros == Never {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Metric is one row of the capability metrics.
type Metric struct {
	ID                                       uuid.UUID
	Capability, Kind, Provider               string    // Kind is model, tool or method
	Bucket                                   time.Time // start of the hour in which the calls began
	Calls, Errors                            int64
	LatencyP50US, LatencyP95US, LatencyP99US int64 // -1 if no latency is known
	Bytes, InputTokens, OutputTokens         int64
	Workflows                                int64   // distinct
	CostUSD                                  float64 // of the calls that have a price; -1 if none has
}

// NewMetric is a metric as its row shows it.
func NewMetric(id uuid.UUID, m *MetricSum) *Metric {
	cost := float64(m.cost) / 1e9
	if m.priced == 0 {
		cost = -1
	}
	return &Metric{
		ID: id, Capability: m.capability, Kind: m.kind, Provider: m.provider, Bucket: TimeOf(m.bucket), Calls: m.Calls, Errors: m.errors,
		LatencyP50US: m.quantile(0.50), LatencyP95US: m.quantile(0.95), LatencyP99US: m.quantile(0.99),
		Bytes: m.bytes, InputTokens: m.inputTokens, OutputTokens: m.outputTokens, Workflows: m.Workflows, CostUSD: cost,
	}
}

func (m *MetricSum) quantile(q float64) int64 {
	if latency, ok := m.Latencies.quantile(q); ok {
		return latency
	}
	return -1
}

// Element is a node or an edge of the usage graph. A node has neither target nor relation.
type Element struct {
	ID                 uuid.UUID
	Source, SourceType string
	Target, TargetType string
	Relation           string
	Count, Errors      int64
	FirstAt, LastAt    time.Time
}

// Happened is when an episode of the entity took place: calls when they were made, all else when it was complete.
func (e *Entity) Happened(kind string) time.Time {
	if kind == EpisodeToolCall || e.EndedAt.IsZero() {
		return e.StartedAt
	}
	return e.EndedAt
}

// Position is where an episode of a kind stands in the stream of the entity.
func (e *Entity) Position(kind string) int64 {
	if kind == EpisodeToolResult || kind == EpisodeObservation {
		return e.LastPosition
	}
	return e.FirstPosition
}
