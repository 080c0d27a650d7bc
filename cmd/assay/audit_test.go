package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/internal/ops/audit"
	"assay/sovereign"
	"assay/sovereign/schema"
)

// runHere runs the program and returns its exit status and what it printed.
func runHere(t testing.TB, args ...string) (status int, stdout string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(context.Background(), args, bytes.NewReader(nil), &out, &errs)
	if errs.Len() > 0 {
		t.Logf("assay %v: %s", args, errs.String())
	}
	return status, out.String()
}

// sampled is a data directory that holds the sample session.
func sampled(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if status, _ := runHere(t, "run", "--data", dir, "--sample", "--until-idle", "--log-level", "error"); status != exitDone {
		t.Fatal("run failed")
	}
	return dir
}

// audited runs an audit and returns its exit status and report.
func audited(t *testing.T, dir string, args ...string) (int, *audit.Report) {
	t.Helper()
	status, out := runHere(t, append([]string{"audit", "--data", dir, "--json"}, args...)...)
	report := &audit.Report{}
	if err := json.Unmarshal([]byte(out), report); err != nil {
		t.Fatalf("status %d, %q: %v", status, out, err)
	}
	return status, report
}

// tamper changes tables as another client would.
func tamper(t *testing.T, dir string, change func(ctx context.Context, store *sovereign.Store) error) {
	t.Helper()
	ctx := context.Background()
	store, err := sovereign.Open(ctx, filepath.Join(dir, "sovereign"), sovereign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := change(ctx, store); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// firstRow reads the first row of a table by its key. The caller releases it.
func firstRow(ctx context.Context, t *testing.T, store *sovereign.Store, name string, where schema.Filter) arrow.Record {
	t.Helper()
	reader, err := store.Query(ctx, schema.Query{
		Table: name, Where: where, OrderBy: []schema.Order{{Column: schema.ByName(name).Key}}, Limit: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	if !reader.Next() {
		t.Fatalf("%s has no row: %v", name, reader.Err())
	}
	row := reader.Record()
	row.Retain()
	return row
}

// with returns a copy of a row with another text in a column.
func with(row arrow.Record, column, text string) arrow.Record {
	columns := slices.Clone(row.Columns())
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Append(text)
	columns[row.Schema().FieldIndices(column)[0]] = b.NewArray()
	return array.NewRecord(row.Schema(), columns, 1)
}

func keyOf(row arrow.Record, table string) string {
	return row.Column(row.Schema().FieldIndices(schema.ByName(table).Key)[0]).(*array.String).Value(0)
}

func TestAuditNamesWhatAnotherClientChanged(t *testing.T) {
	dir := sampled(t)
	if status, report := audited(t, dir); status != exitDone || !report.Clean() {
		t.Fatalf("status %d before anything was changed: %+v", status, report)
	}
	for _, changes := range []struct{ table, column string }{
		{schema.Traces, "kind"}, {schema.Entities, "status"}, {schema.Episodes, "text"},
		{schema.CapabilityMetrics, "capability"}, {schema.UsageGraph, "source"}, {schema.Promotions, "payload"},
	} {
		t.Run(changes.table, func(t *testing.T) { testTampering(t, dir, changes.table, changes.column) })
	}
}

// testTampering deletes, changes, doubles and adds a row of a table, each time from what the log says on.
func testTampering(t *testing.T, dir, name, column string) {
	var row arrow.Record
	tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
		row = firstRow(ctx, t, store, name, schema.Filter{})
		return nil
	})
	const stranger = "00000000-0000-4000-8000-000000000000"
	id := schema.ByName(name).Key
	for _, step := range []struct {
		rows []arrow.Record // in place of the row
		want audit.Difference
	}{
		{nil, audit.Difference{Key: keyOf(row, name), Finding: audit.Missing}},
		{[]arrow.Record{with(row, column, "tampered")},
			audit.Difference{Key: keyOf(row, name), Finding: audit.Different, Columns: []string{column}}},
		{[]arrow.Record{row, row}, audit.Difference{Key: keyOf(row, name), Finding: audit.Unexpected}},
		{[]arrow.Record{row, with(row, id, stranger)}, audit.Difference{Key: stranger, Finding: audit.Unexpected}},
	} {
		replace(t, dir, name, step.rows, keyOf(row, name), stranger)
		step.want.Table = name
		expect(t, dir, step.want)
	}
	replace(t, dir, name, []arrow.Record{row}, keyOf(row, name), stranger)
	if _, report := audited(t, dir); !report.Clean() {
		t.Errorf("not clean after the row was put back: %+v", report.Differences)
	}
}

// replace puts rows in the place of those with the given keys.
func replace(t *testing.T, dir, name string, rows []arrow.Record, keys ...string) {
	t.Helper()
	tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
		if err := store.Delete(ctx, name, schema.In(schema.ByName(name).Key, keys...)); err != nil {
			return err
		}
		for _, row := range rows {
			if err := store.Append(ctx, name, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// expect fails unless an audit finds one difference, the given one.
func expect(t *testing.T, dir string, want audit.Difference) {
	t.Helper()
	status, report := audited(t, dir)
	if status != exitDifference || len(report.Differences) != 1 {
		t.Fatalf("status %d, differences %+v; want %+v", status, report.Differences, want)
	}
	got := report.Differences[0]
	if got.Table != want.Table || got.Key != want.Key || got.Finding != want.Finding || !slices.Equal(got.Columns, want.Columns) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// An entity that nothing in the log is about is nowhere in the log.
	known := want.Table == schema.Traces || want.Table == schema.Episodes || want.Table == schema.Entities && want.Finding != audit.Unexpected
	if known && got.BronzeSeq == 0 {
		t.Errorf("%+v does not say where in the log", got)
	}
}
