package main

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"assay/consumers/gold"
	"assay/sovereign"
	"assay/sovereign/schema"
)

// TestMetricsAreWhatSQLSays computes metrics and graph from traces by the SQL of docs/metrics.md, in another engine, and
// compares them with the tables.
func TestMetricsAreWhatSQLSays(t *testing.T) {
	t.Parallel()
	t.Run("sample", func(t *testing.T) {
		t.Parallel()
		compareWithSQL(t, sampled(t))
	})
	t.Run("recordings", func(t *testing.T) {
		t.Parallel()
		data := t.TempDir()
		summarise(t, ingestArgs(data, recordings(t)))
		compareWithSQL(t, data)
	})
}

func compareWithSQL(t *testing.T, data string) {
	db := openSQL(t)
	tamper(t, data, func(ctx context.Context, store *sovereign.Store) error {
		for _, table := range []string{schema.Traces, schema.CapabilityMetrics, schema.UsageGraph} {
			copyTable(ctx, t, store, db, table)
		}
		return nil
	})
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(documented(t), -1) {
		execSQL(t, db, block[1])
	}
	const metrics = `capability, kind, coalesce(provider, ''), bucket, calls, errors, bytes, input_tokens, output_tokens, workflows`
	sameRows(t, db, "metrics", `SELECT `+metrics+` FROM metrics`, `SELECT `+metrics+` FROM capability_metrics`)
	const graph = `source, source_type, coalesce(target, ''), coalesce(target_type, ''), coalesce(relation, ''), count, errors, first_at, last_at`
	sameRows(t, db, "graph", `SELECT `+graph+` FROM graph`, `SELECT `+graph+` FROM usage_graph`)
	sameQuantiles(t, db)
}

func documented(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func openSQL(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // each connection would have a database of its own
	t.Cleanup(func() { db.Close() })
	return db
}

func execSQL(t *testing.T, db *sql.DB, statement string, arguments ...any) {
	t.Helper()
	if _, err := db.Exec(statement, arguments...); err != nil {
		t.Fatalf("%v in %s", err, statement)
	}
}

// copyTable copies a table into SQLite: texts as they are, numbers and times as integers.
func copyTable(ctx context.Context, t *testing.T, store *sovereign.Store, db *sql.DB, table string) {
	t.Helper()
	var names, holes []string
	for _, field := range schema.ByName(table).Schema.Fields() {
		names, holes = append(names, `"`+field.Name+`"`), append(holes, "?")
	}
	execSQL(t, db, fmt.Sprintf("CREATE TABLE %s (%s)", table, strings.Join(names, ", ")))
	reader, err := store.Query(ctx, schema.Query{Table: table})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	execSQL(t, db, "BEGIN")
	for reader.Next() {
		for row := range int(reader.Record().NumRows()) {
			execSQL(t, db, fmt.Sprintf("INSERT INTO %s VALUES (%s)", table, strings.Join(holes, ", ")), valuesOf(t, reader.Record(), row)...)
		}
	}
	execSQL(t, db, "COMMIT")
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
}

func valuesOf(t *testing.T, record arrow.Record, row int) (values []any) {
	for i, column := range record.Columns() {
		if column.IsNull(row) {
			values = append(values, nil)
			continue
		}
		switch c := column.(type) {
		case *array.String:
			values = append(values, c.Value(row))
		case *array.Int64:
			values = append(values, c.Value(row))
		case *array.Float64:
			values = append(values, c.Value(row))
		case *array.Timestamp:
			values = append(values, int64(c.Value(row)))
		default:
			t.Fatalf("column %s is a %s", record.ColumnName(i), c.DataType())
		}
	}
	return values
}

// sameRows fails unless two queries give the same rows, and some.
func sameRows(t *testing.T, db *sql.DB, what, computed, stored string) {
	t.Helper()
	a, b := rowsOf(t, db, computed), rowsOf(t, db, stored)
	if len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("%s: SQL has %d rows, the table %d. Only SQL:\n%sOnly the table:\n%s", what, len(a), len(b),
			only(strings.Join(a, ""), strings.Join(b, "")), only(strings.Join(b, ""), strings.Join(a, "")))
	}
	t.Logf("%s: %d rows", what, len(a))
}

// rowsOf returns the rows of a query, a line each, sorted.
func rowsOf(t *testing.T, db *sql.DB, query string) (lines []string) {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatalf("%v in %s", err, query)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintln(values...))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// sameQuantiles compares latencies, which the table has by sketch.
func sameQuantiles(t *testing.T, db *sql.DB) {
	t.Helper()
	rows, err := db.Query(`SELECT m.capability, q.p50, q.p95, q.p99, m.latency_p50_us, m.latency_p95_us, m.latency_p99_us
		FROM capability_metrics m LEFT JOIN quantiles q
		ON q.capability = m.capability AND q.kind = m.kind AND q.provider = coalesce(m.provider, '') AND q.bucket = m.bucket`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	compared := 0
	for rows.Next() {
		var capability string
		var exact, sketched [3]sql.NullInt64
		if err := rows.Scan(&capability, &exact[0], &exact[1], &exact[2], &sketched[0], &sketched[1], &sketched[2]); err != nil {
			t.Fatal(err)
		}
		for i := range exact {
			compared++
			// Half a microsecond, because the table has whole ones.
			bound := gold.LatencyAccuracy*float64(exact[i].Int64) + 0.5
			if exact[i].Valid != sketched[i].Valid || math.Abs(float64(exact[i].Int64-sketched[i].Int64)) > bound {
				t.Errorf("%s: quantile %d is %v, the table has %v", capability, i, exact[i], sketched[i])
			}
		}
	}
	if err := rows.Err(); err != nil || compared == 0 {
		t.Errorf("%d quantiles compared, %v", compared, err)
	}
	t.Logf("%d quantiles", compared)
}
