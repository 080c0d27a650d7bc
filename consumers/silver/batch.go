package silver

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"

	"assay/consumers/bronze"
)

// Batch gathers decoded events in Arrow builders until Record turns them into one record of Schema. It is reused from
// batch to batch and is not safe for concurrent use.
type Batch struct {
	mem      memory.Allocator
	rows     *array.RecordBuilder
	columns  columns
	events   keyColumns // names of event identities
	entities keyColumns // names of entity identities
	keys     Keys
	ns       uuid.UUID
	bytes    int
}

// Keys tells which components make up the natural key of an event's entity.
type Keys interface {
	// Components appends the components of e's key to dst. With exact they keep their case.
	Components(dst []string, e *bronze.Event) (components []string, exact bool)
}

// NewBatch returns an empty batch whose identities lie in the namespace ns. The caller releases it.
func NewBatch(mem memory.Allocator, ns uuid.UUID, keys Keys) *Batch {
	b := &Batch{mem: mem, rows: array.NewRecordBuilder(mem, Schema), keys: keys, ns: ns}
	b.columns = bindColumns(b.rows)
	return b
}

// Release frees the builders.
func (b *Batch) Release() {
	b.rows.Release()
	b.events.release()
	b.entities.release()
}

// Rows is the number of events gathered since the last Record.
func (b *Batch) Rows() int { return b.columns.position.Len() }

// Bytes is the approximate size, in bytes, of what was gathered since the last Record.
func (b *Batch) Bytes() int { return b.bytes }

// Append adds one event.
func (b *Batch) Append(e *bronze.Event) error {
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
	b.appendKeys(e)
	return b.appendContent(e)
}

// appendContent adds the columns that only kept rows have: rows that were shed or are dead exist to be counted.
func (b *Batch) appendContent(e *bronze.Event) error {
	c := &b.columns
	if e.Disposition != bronze.Kept {
		c.text.AppendNull()
		c.payload.AppendNull()
		c.fragments.AppendNull()
		b.bytes += rowBytes
		return nil
	}
	appendText(c.text, e.Text)
	appendText(c.payload, e.Payload)
	if len(e.Fragments) == 0 {
		c.fragments.AppendNull()
		b.bytes += rowBytes + len(e.Text) + len(e.Payload)
		return nil
	}
	fragments, err := json.Marshal(e.Fragments)
	if err != nil {
		return fmt.Errorf("silver: encode fragments of %s position %d: %w", e.StreamID, e.Position, err)
	}
	c.fragments.BinaryBuilder.Append(fragments)
	b.bytes += rowBytes + len(e.Text) + len(e.Payload) + len(fragments)
	return nil
}

// rowBytes is about what the columns other than text, payload and fragments take.
const rowBytes = 256

// appendKeys adds the names of the event and of its entity.
func (b *Batch) appendKeys(e *bronze.Event) {
	var parts [4]string
	b.events.append(b.mem, eventName(parts[:0], e), verbatim)

	name, exact := b.keys.Components(parts[:0], e)
	form := folded
	if exact {
		form = exactCase
	}
	b.entities.append(b.mem, name, form)
}

// eventName appends what identifies an event to dst: its own id, else where it stands and what it says. These parts are
// opaque, so they are taken as they are.
func eventName(dst []string, e *bronze.Event) []string {
	if e.EventID != "" {
		return append(dst, e.EventID)
	}
	return append(dst, e.StreamID, strconv.FormatUint(e.Position, 10), hex.EncodeToString(e.Digest[:]))
}

// Record turns what was gathered into a record of Schema and empties the batch. The caller releases the record.
func (b *Batch) Record() (arrow.Record, error) {
	for _, ids := range []struct {
		names *keyColumns
		into  *array.FixedSizeBinaryBuilder
	}{{&b.events, b.columns.eventUUID}, {&b.entities, b.columns.entityUUID}} {
		if err := ids.names.identify(b.mem, b.ns, ids.into); err != nil {
			return nil, err
		}
	}
	b.bytes = 0
	return b.rows.NewRecord(), nil
}

// Encode renders a record as one Arrow IPC stream: schema, one batch, end.
func Encode(mem memory.Allocator, record arrow.Record) ([]byte, error) {
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(record.Schema()), ipc.WithAllocator(mem))
	if err := w.Write(record); err != nil {
		return nil, fmt.Errorf("silver: encode batch: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("silver: encode batch: %w", err)
	}
	return buf.Bytes(), nil
}

// Decode is the inverse of Encode. The caller releases the record. Errors wrap ErrBatch.
func Decode(mem memory.Allocator, message []byte) (arrow.Record, error) {
	r, err := ipc.NewReader(bytes.NewReader(message), ipc.WithAllocator(mem))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	defer r.Release()
	if !r.Schema().Equal(Schema) {
		return nil, fmt.Errorf("%w: its schema is another version's; rebuild the layers above Bronze with `assay rebuild`", ErrBatch)
	}
	if !r.Next() {
		return nil, fmt.Errorf("%w: no record: %w", ErrBatch, r.Err())
	}
	record := r.Record()
	record.Retain()
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
