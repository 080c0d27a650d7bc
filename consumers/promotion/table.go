package promotion

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/sovereign/schema"
)

// row is a row of the table as it is read; its publication lacks what only the bucket keeps.
type row struct {
	Publication
	Payload string `col:"payload"`
}

// merge writes the publications' rows.
func (p *Publisher) merge(ctx context.Context, publications []*Publication) error {
	rows := encodeRows(publications)
	defer rows.Release()
	if err := p.Store.Merge(ctx, schema.Promotions, rows); err != nil {
		return fmt.Errorf("promotion: merge %d rows: %w", len(publications), err)
	}
	return nil
}

// append writes the rows of publications that the table does not have, which costs a tenth of merging them.
func (p *Publisher) append(ctx context.Context, publications []*Publication) error {
	rows := encodeRows(publications)
	defer rows.Release()
	if err := p.Store.Append(ctx, schema.Promotions, rows); err != nil {
		return fmt.Errorf("promotion: append %d rows: %w", len(publications), err)
	}
	return nil
}

// rows reads the publications that a query of the table finds.
func (p *Publisher) rows(ctx context.Context, q schema.Query) ([]Publication, error) {
	q.Table = schema.Promotions
	reader, err := p.Store.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("promotion: read the table: %w", err)
	}
	defer reader.Release()
	read, err := schema.Scan[row](reader)
	if err != nil {
		return nil, fmt.Errorf("promotion: read the table: %w", err)
	}
	found := make([]Publication, len(read))
	for i, r := range read {
		found[i] = r.Publication
		if r.Payload != "" {
			found[i].Payload = json.RawMessage(r.Payload)
		}
	}
	return found, nil
}

// recorded returns the states that the table has of these promotions, by event_uuid.
func (p *Publisher) recorded(ctx context.Context, ids []string) (map[string]State, error) {
	found, err := p.rows(ctx, schema.Query{Columns: []string{"event_uuid", "state"}, Where: schema.In("event_uuid", ids...)})
	states := make(map[string]State, len(found))
	for _, f := range found {
		states[f.EventUUID] = f.State
	}
	return states, err
}

func encodeRows(publications []*Publication) arrow.Record {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema.ByName(schema.Promotions).Schema)
	defer b.Release()
	for _, p := range publications {
		for i, value := range []any{
			p.EventUUID, p.EventCID, p.Workflow, string(p.State), p.Registry, orNull(p.URN), p.Attempts, orNull(p.LastError),
			p.Time, p.NextAttempt, p.PublishedAt, string(p.Payload),
		} {
			appendValue(b.Field(i), value)
		}
	}
	return b.NewRecord()
}

// orNull makes the empty string the null of a column that may be null.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func appendValue(b array.Builder, value any) {
	switch v := value.(type) {
	case string:
		b.(*array.StringBuilder).Append(v)
	case int64:
		b.(*array.Int64Builder).Append(v)
	case time.Time:
		if v.IsZero() {
			b.AppendNull()
			return
		}
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
	default:
		b.AppendNull()
	}
}
