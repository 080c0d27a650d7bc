package retention

import (
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/internal/tables"
)

// statusOpen is that of an entity that has not ended: it is never dropped.
const statusOpen = "open"

// columns tell, by table, when a row was last active: the first of them that has a value.
var columns = map[string][]string{
	tables.Traces:            {"captured_at"},
	tables.Entities:          {"ended_at", "started_at"},
	tables.Episodes:          {"ts"},
	tables.CapabilityMetrics: {"bucket"},
}

// Tables lists those whose rows can be dropped.
func Tables() []string {
	return []string{tables.Traces, tables.Entities, tables.Episodes, tables.CapabilityMetrics}
}

// Aged holds for rows of a table that were last active before a time.
func Aged(table string, before time.Time) tables.Filter {
	of := columns[table]
	aged := tables.Lt(of[len(of)-1], before)
	for i := len(of) - 2; i >= 0; i-- {
		aged = tables.Or(tables.Lt(of[i], before), tables.And(tables.IsNull(of[i]), aged))
	}
	if table == tables.Entities {
		aged = tables.And(aged, tables.Ne("status", statusOpen))
	}
	return aged
}

// Stays holds for the other rows, those without a time included. For the zero time it holds for all.
func Stays(table string, before time.Time) tables.Filter {
	of := columns[table]
	if len(of) == 0 || before.IsZero() {
		return tables.Filter{}
	}
	last := of[len(of)-1]
	stays := tables.Or(tables.IsNull(last), tables.Ge(last, before))
	for i := len(of) - 2; i >= 0; i-- {
		stays = tables.Or(tables.Ge(of[i], before), tables.And(tables.IsNull(of[i]), stays))
	}
	if table == tables.Entities {
		stays = tables.Or(stays, tables.Eq("status", statusOpen))
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
		if before.IsZero() || table == tables.Entities && status != nil && status.Value(row) == statusOpen {
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
