package retention

import (
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

// statusOpen is that of an entity that has not ended: it is never dropped.
const statusOpen = "open"

// columns tell, by table, when a row was last active: the first of them that has a value.
var columns = map[string][]string{
	schema.Traces:            {"captured_at"},
	schema.Entities:          {"ended_at", "started_at"},
	schema.Episodes:          {"ts"},
	schema.CapabilityMetrics: {"bucket"},
}

// Tables lists those whose rows can be dropped.
func Tables() []string {
	return []string{schema.Traces, schema.Entities, schema.Episodes, schema.CapabilityMetrics}
}

// Aged holds for rows of a table that were last active before a time.
func Aged(table string, before time.Time) schema.Filter {
	of := columns[table]
	aged := schema.Lt(of[len(of)-1], before)
	for i := len(of) - 2; i >= 0; i-- {
		aged = schema.Or(schema.Lt(of[i], before), schema.And(schema.IsNull(of[i]), aged))
	}
	if table == schema.Entities {
		aged = schema.And(aged, schema.Ne("status", statusOpen))
	}
	return aged
}

// Stays holds for the other rows, those without a time included. For the zero time it holds for all.
func Stays(table string, before time.Time) schema.Filter {
	of := columns[table]
	if len(of) == 0 || before.IsZero() {
		return schema.Filter{}
	}
	last := of[len(of)-1]
	stays := schema.Or(schema.IsNull(last), schema.Ge(last, before))
	for i := len(of) - 2; i >= 0; i-- {
		stays = schema.Or(schema.Ge(of[i], before), schema.And(schema.IsNull(of[i]), stays))
	}
	if table == schema.Entities {
		stays = schema.Or(stays, schema.Eq("status", statusOpen))
	}
	return stays
}

// AgedRows tells of which rows of a record Aged holds.
func AgedRows(table string, before time.Time, rows arrow.Record) func(row int) bool {
	var times []*array.Timestamp
	for _, name := range columns[table] {
		if at := rows.Schema().FieldIndices(name); len(at) > 0 {
			if c, ok := rows.Column(at[0]).(*array.Timestamp); ok {
				times = append(times, c)
			}
		}
	}
	status, _ := statusColumn(rows)
	return func(row int) bool {
		if before.IsZero() || table == schema.Entities && status != nil && status.Value(row) == statusOpen {
			return false
		}
		for _, c := range times {
			if c.IsValid(row) {
				return int64(c.Value(row)) < before.UnixMicro()
			}
		}
		return false
	}
}

func statusColumn(rows arrow.Record) (*array.String, bool) {
	at := rows.Schema().FieldIndices("status")
	if len(at) == 0 {
		return nil, false
	}
	c, ok := rows.Column(at[0]).(*array.String)
	return c, ok
}
