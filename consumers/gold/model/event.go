package model

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/silver"
)

// Event is one row of Silver as Gold folds it. Its strings alias the record.
type Event struct {
	ID, Entity                            uuid.UUID
	Kind, Workflow, Intent, Agent         string
	Capability, Provider, Finish, Failure string
	Phase                                 bronze.Phase
	Status                                bronze.Status
	Disposition                           bronze.Disposition
	TS                                    int64 // never if the event has none
	Captured                              int64
	Stream                                string
	Position                              uint64
	Part                                  uint32
	Offset                                Offset
	Role, Title, CapabilityKind, source   string
	Parent                                string // own id or UUID of what caused it
	OwnID                                 bool   // the event brought its id along, so it may be met at several places
	Text, Fragments, Payload              string
	InputTokens, OutputTokens, Bytes      int64 // tokens -1 if not reported
	CachedTokens, ReasoningTokens         int64 //
	WrittenTokens, HourTokens             int64 //
	Cost                                  float64
}

// Speaks tells whether an event brings some of its entity's text. That of a tool call only says where its arguments are.
func (ev *Event) Speaks() bool { return ev.Fragments != "" && ev.Kind != bronze.KindToolCall }

// Stamp is the place of the event in the order by which fields are resolved.
func (ev *Event) Stamp() Stamp {
	s := Stamp{TS: Ageless, ID: ev.ID}
	if ev.TS != Never {
		s.TS = ev.TS
	}
	if !ev.OwnID {
		s.position, s.part = ev.Position, ev.Part
	}
	return s
}

// Columns reads the rows of a record of Silver.
type Columns struct {
	ID, entity                                          *array.FixedSizeBinary
	kind, workflow, intent, agent, capability, provider *array.String
	phase, status, stream, ownID, text, fragments       *array.String
	payload, finish, failure, disposition, parent       *array.String
	ts, captured                                        *array.Timestamp
	position, inputTokens, outputTokens, bytes          *array.Int64
	BronzeSeq, cachedTokens, reasoningTokens            *array.Int64
	written, hour                                       *array.Int64
	role, title, capabilityKind, source                 *array.String
	part                                                *array.Int32
	cost                                                *array.Float64

	lastStream     string // whose hash is known, since neighbouring rows mostly share their stream
	lastStreamHash uint64
}

// NewColumns fails with ErrBatch unless the record has Silver's schema.
func NewColumns(r arrow.Record) (c Columns, err error) {
	if !sameFields(r.Schema(), silver.Schema) {
		return c, fmt.Errorf("%w: its schema is %v", ErrBatch, r.Schema())
	}
	return Columns{
		ID:             column[*array.FixedSizeBinary](r, silver.ColEventUUID),
		entity:         column[*array.FixedSizeBinary](r, silver.ColEntityUUID),
		kind:           column[*array.String](r, silver.ColKind),
		workflow:       column[*array.String](r, silver.ColWorkflowID),
		intent:         column[*array.String](r, silver.ColIntentID),
		agent:          column[*array.String](r, silver.ColAgentID),
		capability:     column[*array.String](r, silver.ColCapability),
		provider:       column[*array.String](r, silver.ColProvider),
		phase:          column[*array.String](r, silver.ColPhase),
		status:         column[*array.String](r, silver.ColStatus),
		stream:         column[*array.String](r, silver.ColStreamID),
		ownID:          column[*array.String](r, silver.ColEventID),
		text:           column[*array.String](r, silver.ColText),
		fragments:      column[*array.String](r, silver.ColFragments),
		payload:        column[*array.String](r, silver.ColPayload),
		finish:         column[*array.String](r, silver.ColFinishReason),
		failure:        column[*array.String](r, silver.ColError),
		disposition:    column[*array.String](r, silver.ColDisposition),
		parent:         column[*array.String](r, silver.ColParentID),
		ts:             column[*array.Timestamp](r, silver.ColTS),
		captured:       column[*array.Timestamp](r, silver.ColCapturedAt),
		position:       column[*array.Int64](r, silver.ColPosition),
		inputTokens:    column[*array.Int64](r, silver.ColInputTokens),
		outputTokens:   column[*array.Int64](r, silver.ColOutputTokens),
		bytes:          column[*array.Int64](r, silver.ColBytes),
		BronzeSeq:      column[*array.Int64](r, silver.ColBronzeSeq),
		part:           column[*array.Int32](r, silver.ColPart),
		role:           column[*array.String](r, silver.ColRole),
		source:         column[*array.String](r, silver.ColSource),
		title:          column[*array.String](r, silver.ColTitle),
		capabilityKind: column[*array.String](r, silver.ColCapabilityKind),
		cost:           column[*array.Float64](r, silver.ColCostUSD),

		cachedTokens:    column[*array.Int64](r, silver.ColCachedTokens),
		written:         column[*array.Int64](r, silver.ColWrittenTokens),
		hour:            column[*array.Int64](r, silver.ColHourTokens),
		reasoningTokens: column[*array.Int64](r, silver.ColReasoningTokens),
	}, nil
}

// sameFields compares names and types: metadata and nullability make no difference to a reader.
func sameFields(a, b *arrow.Schema) bool {
	if a.NumFields() != b.NumFields() {
		return false
	}
	for i, f := range a.Fields() {
		if g := b.Field(i); f.Name != g.Name || !arrow.TypeEqual(f.Type, g.Type) {
			return false
		}
	}
	return true
}

func column[C arrow.Array](r arrow.Record, name string) C {
	return r.Column(r.Schema().FieldIndices(name)[0]).(C)
}

// Identify fills ev with what the event in a row is known by.
func (c *Columns) Identify(row int, ev *Event) {
	ev.ID, ev.OwnID = uuid.UUID(c.ID.Value(row)), value(c.ownID, row) != ""
	ev.Stream, ev.Position, ev.Part = value(c.stream, row), uint64(c.position.Value(row)), uint32(c.part.Value(row))
	if ev.Stream != c.lastStream || row == 0 {
		c.lastStream, c.lastStreamHash = ev.Stream, HashOf(ev.Stream)
	}
	ev.Offset = Offset{c.lastStreamHash, ev.Position, ev.Part}
}

// Read fills ev with a row.
func (c *Columns) Read(row int, ev *Event) {
	*ev = Event{
		Entity: uuid.UUID(c.entity.Value(row)),
		Kind:   value(c.kind, row), Workflow: value(c.workflow, row), Intent: value(c.intent, row),
		Agent: value(c.agent, row), Capability: value(c.capability, row), Provider: value(c.provider, row),
		Finish: value(c.finish, row), Failure: value(c.failure, row),
		Phase: bronze.Phase(value(c.phase, row)), Status: bronze.Status(value(c.status, row)),
		Disposition: bronze.Disposition(value(c.disposition, row)),
		TS:          Never, Captured: int64(c.captured.Value(row)),
		Parent: value(c.parent, row), Text: value(c.text, row), Fragments: value(c.fragments, row), Payload: value(c.payload, row),
		InputTokens: count(c.inputTokens, row), OutputTokens: count(c.outputTokens, row), Bytes: c.bytes.Value(row),
		Role: value(c.role, row), Title: value(c.title, row), CapabilityKind: value(c.capabilityKind, row), source: value(c.source, row),
		CachedTokens: count(c.cachedTokens, row), ReasoningTokens: count(c.reasoningTokens, row),
		WrittenTokens: count(c.written, row), HourTokens: count(c.hour, row), Cost: -1,
	}
	if c.cost.IsValid(row) {
		ev.Cost = c.cost.Value(row)
	}
	if c.ts.IsValid(row) {
		ev.TS = int64(c.ts.Value(row))
	}
	c.Identify(row, ev)
}

func value(c *array.String, row int) string {
	if c.IsNull(row) {
		return ""
	}
	return c.Value(row)
}

func count(c *array.Int64, row int) int64 {
	if c.IsNull(row) {
		return -1
	}
	return c.Value(row)
}
