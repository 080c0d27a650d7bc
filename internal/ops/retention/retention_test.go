package retention

import (
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"go.uber.org/goleak"

	"assay/sovereign/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An entity counts by when it ended, else by when it began; one that is open stays.
func TestAgedRows(t *testing.T) {
	before := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	old, young := arrow.Timestamp(before.UnixMicro()-1), arrow.Timestamp(before.UnixMicro())
	const none = arrow.Timestamp(0)
	cases := []struct {
		started, ended arrow.Timestamp
		status         string
		aged           bool
	}{
		{old, old, "ok", true}, {old, young, "ok", false}, {old, none, "ok", true}, {old, none, "open", false},
		{none, none, "ok", false}, {young, none, "error", false},
	}
	fields := schema.ByName(schema.Entities).Schema
	b := array.NewRecordBuilder(memory.DefaultAllocator, fields)
	defer b.Release()
	for _, c := range cases {
		for i, field := range fields.Fields() {
			switch column := b.Field(i).(type) {
			case *array.TimestampBuilder:
				at := map[string]arrow.Timestamp{"started_at": c.started, "ended_at": c.ended}[field.Name]
				if at == none {
					column.AppendNull()
				} else {
					column.Append(at)
				}
			case *array.StringBuilder:
				column.Append(c.status)
			case *array.Int64Builder:
				column.Append(1)
			}
		}
	}
	rows := b.NewRecord()
	defer rows.Release()
	aged := AgedRows(schema.Entities, before, rows)
	for i, c := range cases {
		if aged(i) != c.aged {
			t.Errorf("%+v: aged %t", c, !c.aged)
		}
	}
}
