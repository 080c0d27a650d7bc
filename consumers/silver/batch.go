package silver

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/kernels"
)

// Batch gathers decoded events in Arrow builders until Record turns them into one record of Schema. It is reused from
// batch to batch and is not safe for concurrent use.
type Batch struct {
	mem      memory.Allocator
	rows     *array.RecordBuilder
	columns  columns
	events   *array.StringBuilder // names of event identities
	entities keyColumns           // keys of entities
	keys     Keys
	ns       uuid.UUID
	bytes    int
	scratch  []byte // of one row
}

// Keys tells which components make up the natural key of an event's entity. A bronze.Keys does.
type Keys interface {
	// Components appends the components of e's key to dst. With exact they keep their case.
	Components(dst []string, e *bronze.Event) (components []string, exact bool)
}

// NewBatch returns an empty batch whose identities lie in the namespace ns. The caller releases it.
func NewBatch(mem memory.Allocator, ns uuid.UUID, keys Keys) *Batch {
	b := &Batch{mem: mem, rows: array.NewRecordBuilder(mem, Schema), events: array.NewStringBuilder(mem), keys: keys, ns: ns}
	b.columns = bindColumns(b.rows)
	return b
}

// Release frees the builders.
func (b *Batch) Release() {
	b.rows.Release()
	b.events.Release()
	b.entities.release()
}

// Rows is the number of events gathered since the last Record.
func (b *Batch) Rows() int { return b.columns.position.Len() }

// Bytes is the approximate size, in bytes, of what was gathered since the last Record.
func (b *Batch) Bytes() int { return b.bytes }

// Append adds one event.
func (b *Batch) Append(e *bronze.Event) {
	c := &b.columns
	c.kind.Append(e.Kind)
	c.workflowID.Append(e.WorkflowID)
	appendText(c.intentID, e.IntentID)
	appendText(c.agentID, e.AgentID)
	appendText(c.capability, e.Capability)
	appendText(c.provider, e.Provider)
	appendText(c.phase, string(e.Phase))
	appendText(c.status, string(e.Status))
	appendTime(c.ts, e.Time)
	c.streamID.Append(e.StreamID)
	c.position.Append(int64(e.Position))
	c.capturedAt.Append(arrow.Timestamp(e.CapturedAt.UnixMicro()))
	c.bronzeSeq.Append(int64(e.BronzeSeq))
	c.source.Append(e.Source)
	appendText(c.eventID, e.EventID)
	appendText(c.parentID, e.ParentID)
	appendText(c.finishReason, e.FinishReason)
	appendText(c.failure, e.Error)
	appendCount(c.inputTokens, e.InputTokens)
	appendCount(c.outputTokens, e.OutputTokens)
	c.bytes.Append(int64(e.Bytes))
	c.removed.Append(int32(e.Removed))
	c.disposition.Append(string(e.Disposition))
	c.part.Append(int32(e.Part))
	appendText(c.role, e.Role)
	appendText(c.title, e.Title)
	appendCount(c.cachedTokens, e.CachedTokens)
	appendCount(c.written, e.WrittenTokens)
	appendCount(c.hour, e.HourTokens)
	appendCount(c.reasoningTokens, e.ReasoningTokens)
	appendCost(c.costUSD, e.CostUSD)
	appendText(c.capabilityKind, e.CapabilityKind)
	b.appendContent(e)
	b.appendNames(e)
	b.bytes += rowBytes(e)
}

// appendContent adds the columns that only kept rows have: rows that were shed or are dead exist to be counted.
func (b *Batch) appendContent(e *bronze.Event) {
	c := &b.columns
	if e.Disposition != bronze.Kept {
		c.text.AppendNull()
		c.payload.AppendNull()
		c.fragments.AppendNull()
		return
	}
	appendText(c.text, e.Text)
	appendText(c.payload, e.Payload)
	if len(e.Fragments) == 0 {
		c.fragments.AppendNull()
		return
	}
	b.scratch = appendFragments(b.scratch[:0], e.Fragments)
	c.fragments.BinaryBuilder.Append(b.scratch)
}

// appendNames adds the names of the event and of its entity.
func (b *Batch) appendNames(e *bronze.Event) {
	b.scratch = appendEventName(b.scratch[:0], e)
	b.events.BinaryBuilder.Append(b.scratch)

	var parts [4]string
	components, exact := b.keys.Components(parts[:0], e)
	b.entities.append(b.mem, components, exact)
}

// appendEventName appends what identifies an event: its own id, else where it stands, which part of its record it is unless
// that is the first, and what it says, joined as the components of a key are. These are opaque, so they are taken as they are.
func appendEventName(dst []byte, e *bronze.Event) []byte {
	if e.EventID != "" {
		return append(dst, e.EventID...)
	}
	dst = kernels.AppendEscaped(dst, e.StreamID)
	dst = append(dst, '|')
	dst = strconv.AppendUint(dst, e.Position, 10)
	dst = append(dst, '|')
	if e.Part > 0 {
		dst = strconv.AppendInt(dst, int64(e.Part), 10)
		dst = append(dst, '|')
	}
	return hex.AppendEncode(dst, e.Digest[:])
}

// Record turns what was gathered into a record of Schema and empties the batch. The caller releases the record.
func (b *Batch) Record() (arrow.Record, error) {
	names := b.events.NewStringArray()
	defer names.Release()
	events, err := kernels.UUIDv5(b.mem, b.ns, names)
	if err != nil {
		return nil, fmt.Errorf("silver: identify events: %w", err)
	}
	defer events.Release()
	b.columns.eventUUID.Reserve(events.Len())
	for row := range events.Len() {
		b.columns.eventUUID.Append(events.Value(row))
	}
	if err := b.entities.identify(b.mem, b.ns, b.columns.entityUUID); err != nil {
		return nil, err
	}
	payload := b.columns.payload.DataLen()
	record := b.rows.NewRecord()
	b.bytes = 0
	b.rows.Reserve(int(record.NumRows())) // the next batch is likely to be as large
	b.columns.payload.ReserveData(payload)
	return record, nil
}

func appendText(b *array.StringBuilder, s string) {
	if s == "" {
		b.AppendNull()
		return
	}
	b.Append(s)
}

func appendTime(b *array.TimestampBuilder, t time.Time) {
	if t.IsZero() {
		b.AppendNull()
		return
	}
	b.Append(arrow.Timestamp(t.UnixMicro()))
}

func appendCount(b *array.Int64Builder, n int64) {
	if n < 0 {
		b.AppendNull()
		return
	}
	b.Append(n)
}

func appendCost(b *array.Float64Builder, usd float64) {
	if usd < 0 {
		b.AppendNull()
		return
	}
	b.Append(usd)
}
