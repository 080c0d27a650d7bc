package gold

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/silver"
)

// event is one row of Silver as Gold folds it. Its strings alias the record.
type event struct {
	id, entity                            uuid.UUID
	kind, workflow, intent, agent         string
	capability, provider, finish, failure string
	phase                                 bronze.Phase
	status                                bronze.Status
	disposition                           bronze.Disposition
	ts                                    int64 // never if the event has none
	captured                              int64
	stream                                string
	position                              uint64
	part                                  uint32
	place                                 place
	role, title, capabilityKind, source   string
	parent                                string // own id or UUID of what caused it
	ownID                                 bool   // the event brought its id along, so it may be met at several places
	text, fragments, payload              string
	inputTokens, outputTokens, bytes      int64 // tokens -1 if not reported
	cachedTokens, reasoningTokens         int64 //
	cost                                  float64
}

// speaks tells whether an event brings a piece of its entity's text. That of a tool call only says where its arguments are.
func (ev *event) speaks() bool { return ev.fragments != "" && ev.kind != bronze.KindToolCall }

func (ev *event) stamp() stamp {
	s := stamp{ts: ageless, id: ev.id}
	if ev.ts != never {
		s.ts = ev.ts
	}
	if !ev.ownID {
		s.position, s.part = ev.position, ev.part
	}
	return s
}

// columns reads the rows of a record of Silver.
type columns struct {
	id, entity                                          *array.FixedSizeBinary
	kind, workflow, intent, agent, capability, provider *array.String
	phase, status, stream, ownID, text, fragments       *array.String
	payload, finish, failure, disposition, parent       *array.String
	ts, captured                                        *array.Timestamp
	position, inputTokens, outputTokens, bytes          *array.Int64
	bronzeSeq, cachedTokens, reasoningTokens            *array.Int64
	role, title, capabilityKind, source                 *array.String
	part                                                *array.Int32
	cost                                                *array.Float64

	lastStream     string // whose hash is known, since neighbouring rows mostly share their stream
	lastStreamHash uint64
}

// newColumns fails with ErrBatch unless the record has Silver's schema.
func newColumns(r arrow.Record) (c columns, err error) {
	if !sameFields(r.Schema(), silver.Schema) {
		return c, fmt.Errorf("%w: its schema is %v", ErrBatch, r.Schema())
	}
	return columns{
		id:             column[*array.FixedSizeBinary](r, silver.ColEventUUID),
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
		bronzeSeq:      column[*array.Int64](r, silver.ColBronzeSeq),
		part:           column[*array.Int32](r, silver.ColPart),
		role:           column[*array.String](r, silver.ColRole),
		source:         column[*array.String](r, silver.ColSource),
		title:          column[*array.String](r, silver.ColTitle),
		capabilityKind: column[*array.String](r, silver.ColCapabilityKind),
		cost:           column[*array.Float64](r, silver.ColCostUSD),

		cachedTokens:    column[*array.Int64](r, silver.ColCachedTokens),
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

// identify fills ev with what the event in a row is known by.
func (c *columns) identify(row int, ev *event) {
	ev.id, ev.ownID = uuid.UUID(c.id.Value(row)), value(c.ownID, row) != ""
	ev.stream, ev.position, ev.part = value(c.stream, row), uint64(c.position.Value(row)), uint32(c.part.Value(row))
	if ev.stream != c.lastStream || row == 0 {
		c.lastStream, c.lastStreamHash = ev.stream, hashOf(ev.stream)
	}
	ev.place = place{c.lastStreamHash, ev.position, ev.part}
}

// read fills ev with a row.
func (c *columns) read(row int, ev *event) {
	*ev = event{
		entity: uuid.UUID(c.entity.Value(row)),
		kind:   value(c.kind, row), workflow: value(c.workflow, row), intent: value(c.intent, row),
		agent: value(c.agent, row), capability: value(c.capability, row), provider: value(c.provider, row),
		finish: value(c.finish, row), failure: value(c.failure, row),
		phase: bronze.Phase(value(c.phase, row)), status: bronze.Status(value(c.status, row)),
		disposition: bronze.Disposition(value(c.disposition, row)),
		ts:          never, captured: int64(c.captured.Value(row)),
		parent: value(c.parent, row), text: value(c.text, row), fragments: value(c.fragments, row), payload: value(c.payload, row),
		inputTokens: count(c.inputTokens, row), outputTokens: count(c.outputTokens, row), bytes: c.bytes.Value(row),
		role: value(c.role, row), title: value(c.title, row), capabilityKind: value(c.capabilityKind, row), source: value(c.source, row),
		cachedTokens: count(c.cachedTokens, row), reasoningTokens: count(c.reasoningTokens, row), cost: -1,
	}
	if c.cost.IsValid(row) {
		ev.cost = c.cost.Value(row)
	}
	if c.ts.IsValid(row) {
		ev.ts = int64(c.ts.Value(row))
	}
	c.identify(row, ev)
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
