package gold

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"
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
	CostUSD                                    float64 // -1 if unknown
	Role                                       string
	Clock                                      string // ClockOwn or ClockCapture: which tells StartedAt and EndedAt
	FirstPart                                  int64  // of the record at FirstPosition
	FinishReason, Error, Request, Result, Text string

	Reasoning     string    // of a message; no table has it
	QuarantinedBy uuid.UUID // the event that took it back, or what it descends from; uuid.Nil if none did
}

func newEntityView(id uuid.UUID, e *entity, c *content) *Entity {
	v := &Entity{
		UUID: id, Kind: e.shown(), WorkflowID: e.workflow, IntentID: e.intent, AgentID: e.agent.value,
		Capability: e.capability.value, Provider: e.provider.value, Status: e.status(),
		StartedAt: timeOf(e.started()), EndedAt: timeOf(e.ended()), LatencyUS: e.latency(),
		StreamID: e.stream, FirstPosition: int64(e.firstPosition), LastPosition: int64(e.lastPosition),
		Events: e.events, Bytes: e.bytes, InputTokens: e.inputTokens, OutputTokens: e.outputTokens,
		CachedTokens: e.cachedTokens, ReasoningTokens: e.reasoningTokens, CostUSD: e.dollars(), Role: e.role.value, Clock: e.clock(),
		FirstPart: int64(e.firstPart), FinishReason: e.finish.value, Error: e.why(),
		Request: c.request.payload, Result: c.resultText(e.finish.value), Text: c.text(), Reasoning: c.reasoning(),
	}
	switch {
	case e.hidden: // the answer says it
		v.Text = ""
		v.InputTokens, v.OutputTokens, v.CachedTokens, v.ReasoningTokens, v.CostUSD = -1, -1, -1, -1, -1
	case e.requests > 1: // one of several answers
		v.Result, v.Text = "", ""
	}
	return v
}

func timeOf(micros int64) time.Time {
	if micros == never {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Entity returns the current state of an entity, nil if it is not known.
func (g *Gold) Entity(id uuid.UUID) (*Entity, error) {
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	return loadView(snapshot, id)
}

func loadView(from pebble.Reader, id uuid.UUID) (*Entity, error) {
	w, err := loadWhole(from, id)
	if err != nil || w == nil {
		return nil, err
	}
	return w.view(from)
}

func (w *whole) view(from pebble.Reader) (v *Entity, err error) {
	v = newEntityView(w.id, w.entity, &w.content)
	v.QuarantinedBy, err = quarantinedBy(from, w.id)
	return v, err
}

// MaxUnsettled bounds the answer of Unsettled.
const MaxUnsettled = 10_000

// Unsettled returns the entities of a workflow that the table does not show yet, or shows in an older state: what a
// rehydration adds to the table.
func (g *Gold) Unsettled(ctx context.Context, workflow string) ([]*Entity, error) {
	held := g.heldOf(hashOf(workflow))
	snapshot := g.state.db.NewSnapshot()
	defer snapshot.Close()
	var found []*Entity
	known := map[uuid.UUID]bool{}
	add := func(id uuid.UUID) (more bool, err error) {
		if known[id] {
			return true, nil
		}
		known[id] = true
		e, err := loadView(snapshot, id)
		if err == nil && e != nil && e.WorkflowID == workflow {
			found = append(found, e)
		}
		return err == nil && len(found) < MaxUnsettled && ctx.Err() == nil, err
	}
	for _, id := range held {
		if more, err := add(id); !more {
			return found, errors.Join(err, ctx.Err())
		}
	}
	for _, table := range []byte{dirtyReady, dirtyOpen} {
		err := scan(snapshot, workflowMarks(table, workflow), func(k, _ []byte) (bool, error) {
			return add(markedID(k))
		})
		if err != nil {
			return nil, err
		}
	}
	return found, ctx.Err()
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

func newMetricView(id uuid.UUID, m *metric) *Metric {
	cost := float64(m.cost) / 1e9
	if m.priced == 0 {
		cost = -1
	}
	return &Metric{
		ID: id, Capability: m.capability, Kind: m.kind, Provider: m.provider, Bucket: timeOf(m.bucket), Calls: m.calls, Errors: m.errors,
		LatencyP50US: m.quantile(0.50), LatencyP95US: m.quantile(0.95), LatencyP99US: m.quantile(0.99),
		Bytes: m.bytes, InputTokens: m.inputTokens, OutputTokens: m.outputTokens, Workflows: m.workflows, CostUSD: cost,
	}
}

func (m *metric) quantile(q float64) int64 {
	if latency, ok := m.latencies.quantile(q); ok {
		return latency
	}
	return -1
}

// Metrics yields the capability metrics as of one commit, ordered by id. It stops after an error.
func (g *Gold) Metrics() iter.Seq2[*Metric, error] {
	return views(g, keyMetric, func(from pebble.Reader, id uuid.UUID, record []byte) (*Metric, error) {
		m, err := decodeMetric(record)
		if err != nil {
			return nil, err
		}
		return newMetricView(id, m), nil
	})
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

// Graph yields the usage graph as of one commit, ordered by id. It stops after an error.
func (g *Gold) Graph() iter.Seq2[*Element, error] { return views(g, keyElement, newElementView) }

func newElementView(from pebble.Reader, id uuid.UUID, record []byte) (*Element, error) {
	times, err := newTimes(from)
	if err != nil {
		return nil, err
	}
	e, err := times.element(id, record)
	return e, errors.Join(err, times.close())
}

// times finds out when elements were first and last used.
type times struct{ it *pebble.Iterator }

func newTimes(from pebble.Reader) (times, error) {
	it, err := from.NewIter(&pebble.IterOptions{LowerBound: []byte{keyTime}, UpperBound: []byte{keyTime + 1}})
	return times{it}, stateError("scan", err)
}

func (s times) close() error { return stateError("scan", s.it.Close()) }

func (s times) element(id uuid.UUID, record []byte) (*Element, error) {
	t, err := decodeTally(record)
	if err != nil {
		return nil, err
	}
	first, last := s.span(id)
	return &Element{
		ID: id, Source: t.source.name, SourceType: t.source.kind, Target: t.target.name, TargetType: t.target.kind,
		Relation: t.relation, Count: t.count, Errors: t.errors, FirstAt: timeOf(first), LastAt: timeOf(last),
	}, stateError("scan", s.it.Error())
}

// span returns the first and the last time of an element.
func (s times) span(id uuid.UUID) (first, last int64) {
	prefix := key(keyTime, id)
	if !s.it.SeekGE(prefix) || !bytes.HasPrefix(s.it.Key(), prefix) {
		return never, never
	}
	first = parseMoment(s.it.Key()).at
	if !s.it.SeekLT(after(prefix)) {
		return first, never // an error, which the iterator keeps
	}
	return first, parseMoment(s.it.Key()).at
}

// views yields what view makes of the records of one kind, as of one commit.
func views[V any](g *Gold, kind byte, view func(pebble.Reader, uuid.UUID, []byte) (*V, error)) iter.Seq2[*V, error] {
	return func(yield func(*V, error) bool) {
		snapshot := g.state.db.NewSnapshot()
		defer snapshot.Close()
		err := scan(snapshot, []byte{kind}, func(k, record []byte) (bool, error) {
			v, err := view(snapshot, uuid.UUID(k[1:]), record)
			return err == nil && yield(v, nil), err
		})
		if err != nil {
			yield(nil, err)
		}
	}
}
