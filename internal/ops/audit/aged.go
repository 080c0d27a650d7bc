package audit

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/consumers/silver"
	"assay/sovereign/schema"
)

// agedOut is what can no longer be proved, because frames have left the log.
type agedOut struct {
	rows     uint64 // of traces
	entities map[string]struct{}
}

// agedMax bounds the entities that are remembered one by one.
const agedMax = 1 << 20

func (o *agedOut) any() bool { return o.rows > 0 }

// has reports whether an entity has events whose frames have left the log.
func (o *agedOut) has(entity string) bool {
	_, aged := o.entities[entity]
	return aged || len(o.entities) == agedMax
}

// findAged reads which entities have rows of traces from before the log's first frame.
func (a *audit) findAged(ctx context.Context) error {
	o := &agedOut{entities: map[string]struct{}{}}
	a.aged = o
	if a.report.FirstSeq == 1 {
		return nil
	}
	reader, err := a.Store.Query(ctx, schema.Query{
		Table: schema.Traces, Columns: []string{silver.ColEntityUUID}, Where: a.beforeLog(),
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	defer reader.Release()
	for reader.Next() {
		column, ok := reader.Record().Column(0).(*array.String)
		if !ok {
			return fmt.Errorf("%w: %s of %s", ErrColumn, silver.ColEntityUUID, schema.Traces)
		}
		for row := range column.Len() {
			if o.rows++; len(o.entities) < agedMax {
				o.entities[string([]byte(column.Value(row)))] = struct{}{}
			}
		}
	}
	if err := reader.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

// beforeLog holds for rows of frames that have left the log.
func (a *audit) beforeLog() schema.Filter {
	return a.where(schema.Ge(silver.ColBronzeSeq, int64(1)), schema.Lt(silver.ColBronzeSeq, int64(a.report.FirstSeq)))
}
