package sovereign

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/lancedb/lancedb-go/pkg/contracts"
	"github.com/lancedb/lancedb-go/pkg/lancedb"

	"assay/sovereign/schema"
)

// An earlier version's tables have fewer columns. They open, their rows have nulls there, and from then on they are written
// and read as any other, although what was added comes after columns before which tables.All has it.
func TestOpenAddsColumns(t *testing.T) {
	for _, c := range []struct {
		table   string
		lacking []string
	}{
		{schema.Entities, []string{"quarantined_by"}},
		{schema.Entities, []string{"intent_id", "latency_us", "quarantined_by", "started_at"}},
		{schema.Episodes, []string{"quarantined_by"}},
		{schema.Episodes, []string{"agent_id", "ts", "vector"}},
	} {
		t.Run(c.table+" without "+strings.Join(c.lacking, " and "), func(t *testing.T) {
			dir := t.TempDir()
			old := without(t, sampleRows(t, c.table, 0, 9), c.lacking...)
			createTable(t, dir, c.table, old, nil)
			store := openStore(t, dir)
			expectAdded(t, store, c.table, c.lacking)
			expectFitted(t, store, c.table, c.lacking, old)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			expectAdded(t, openStore(t, dir), c.table, nil)
		})
	}
}

// Indexes on a column that was added are built once it has values.
func TestIndexOnAddedColumn(t *testing.T) {
	dir := t.TempDir()
	createTable(t, dir, schema.Episodes, without(t, sampleRows(t, schema.Episodes, 0, 9), "quarantined_by"), nil)
	store := openStore(t, dir)
	indexed := func() bool {
		if err := errors.Join(store.EnsureIndexes(t.Context()), store.Optimise(t.Context(), schema.Episodes)); err != nil {
			t.Fatal(err)
		}
		indexes, err := store.Indexes(t.Context(), schema.Episodes)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(indexes, func(i Index) bool { return i.Column == "quarantined_by" && i.RowsUnindexed == 0 })
	}
	if indexed() {
		t.Error("indexed a column without values")
	}
	if err := store.Merge(t.Context(), schema.Episodes, sampleRows(t, schema.Episodes, 3, 9)); err != nil {
		t.Fatal(err)
	}
	if !indexed() {
		t.Error("the column has values and no index")
	}
	expectCount(t, store, schema.Episodes, schema.Eq("quarantined_by", "quarantined_by-4"), 1)
	expectCount(t, store, schema.Episodes, schema.IsNull("quarantined_by"), 3+2)
}

// Indexes of an earlier version serve on; that of vectors, which was of another kind, is replaced.
func TestIndexesOfAnEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	createTable(t, dir, schema.Episodes, without(t, withModel(t, "model", 0, 500), "quarantined_by"),
		map[string]contracts.IndexType{"workflow_id": contracts.IndexTypeBTree, "text": contracts.IndexTypeFts, "vector": contracts.IndexTypeIvfPq})
	store := openStore(t, dir)
	nearest := schema.Query{
		Table: schema.Episodes, Limit: 1, Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(77)},
		Where: schema.IsNull("quarantined_by"),
	}
	expectFirst := func(q schema.Query) {
		t.Helper()
		if got := texts(readAll(t, store, q), "episode_uuid"); !slices.Equal(got, []string{"episode_uuid-77"}) {
			t.Errorf("found %q", got)
		}
	}
	expectFirst(nearest)
	expectFirst(schema.Query{Table: schema.Episodes, Limit: 1, Match: &schema.Match{Column: "text", Text: "77"}})
	expectFirst(schema.Query{Table: schema.Episodes, Where: schema.Eq("workflow_id", "workflow_id-77")})
	if err := errors.Join(store.EnsureIndexes(t.Context()), store.EnsureVectorIndex(t.Context(), "model")); err != nil {
		t.Fatal(err)
	}
	if index := indexOn(t, store, schema.Episodes, vectorColumn); index == nil || index.Name != vectorIndexName("model") {
		t.Errorf("the index of vectors is %+v", index)
	}
	expectFirst(nearest)
}

// What is not a column that may be null is not added, and nothing is changed.
func TestOpenRefusesOtherColumns(t *testing.T) {
	sample := sampleRows(t, schema.Episodes, 0, 3)
	positions := sample.Column(sample.Schema().FieldIndices("position")[0])
	positions.Retain() // for withColumn
	for _, c := range []struct {
		what  string
		rows  arrow.Record
		named string
	}{
		{"a column is missing that is never null", without(t, sample, "quarantined_by", "position"), "column position is missing"},
		{"a column of a later version", renamed(t, sample, "quarantined_by", "later"), "column later is not known"},
		{"another type", withColumn(t, without(t, sample, "quarantined_by"), "agent_id", positions), "column agent_id has type int64"},
	} {
		t.Run(c.what, func(t *testing.T) {
			dir := t.TempDir()
			createTable(t, dir, schema.Episodes, c.rows, nil)
			_, err := Open(t.Context(), dir, Options{})
			if !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), c.named) || !strings.Contains(err.Error(), "assay rebuild") {
				t.Errorf("got %v, want ErrSchema with %q and the remedy", err, c.named)
			}
			versions, err := filepath.Glob(filepath.Join(dir, schema.Episodes+".lance", "_versions", "*.manifest"))
			if len(versions) != 2 || err != nil { // made, filled
				t.Errorf("%d versions, error %v; want 2", len(versions), err)
			}
		})
	}
}

// expectFitted writes to a table whose rows 0 to 8 are old, and reads it.
func expectFitted(t *testing.T, store *Store, table string, lacking []string, old arrow.Record) {
	t.Helper()
	key := schema.ByName(table).Key
	byKey := schema.Query{Table: table, OrderBy: []schema.Order{{Column: key}}}
	expectRecord(t, selected(t, readAll(t, store, byKey), namesOf(old.Schema())), old)
	for _, column := range lacking {
		expectCount(t, store, table, schema.IsNull(column), 9)
	}
	full := namesOf(schema.ByName(table).Schema)
	if err := store.Append(t.Context(), table, sampleRows(t, table, 9, 1)); err != nil {
		t.Fatal(err)
	}
	if err := store.Merge(t.Context(), table, sampleRows(t, table, 0, 9)); err != nil {
		t.Fatal(err)
	}
	want := sampleRows(t, table, 0, 10)
	expectRecord(t, selected(t, readAll(t, store, byKey), full), want)
	if err := store.Optimise(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	byKey.Columns = full
	expectRecord(t, readAll(t, store, byKey), want)
}

func expectAdded(t *testing.T, store *Store, table string, columns []string) {
	t.Helper()
	var want []string
	for _, field := range schema.ByName(table).Schema.Fields() {
		if slices.Contains(columns, field.Name) {
			want = append(want, table+"."+field.Name)
		}
	}
	if got := store.ColumnsAdded(); !slices.Equal(got, want) {
		t.Errorf("added %v, want %v", got, want)
	}
}

// createTable makes a table of rows, with their columns and with indexes, in a folder without a store.
func createTable(t *testing.T, dir, name string, rows arrow.Record, indexes map[string]contracts.IndexType) {
	t.Helper()
	connection, err := lancedb.Connect(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := lancedb.NewSchema(rows.Schema())
	if err != nil {
		t.Fatal(err)
	}
	table, err := connection.CreateTable(t.Context(), name, schema)
	if err != nil {
		t.Fatal(err)
	}
	errs := []error{table.AddRecords(t.Context(), []arrow.Record{rows}, nil)}
	for column, kind := range indexes {
		errs = append(errs, table.CreateIndex(t.Context(), []string{column}, kind))
	}
	if err := errors.Join(append(errs, table.Close(), connection.Close())...); err != nil {
		t.Fatal(err)
	}
}

// without leaves columns out of rows.
func without(t *testing.T, rows arrow.Record, columns ...string) arrow.Record {
	t.Helper()
	others := slices.DeleteFunc(namesOf(rows.Schema()), func(name string) bool { return slices.Contains(columns, name) })
	return selected(t, rows, others)
}

// selected returns those columns of rows, in that order.
func selected(t *testing.T, rows arrow.Record, columns []string) arrow.Record {
	t.Helper()
	var fields []arrow.Field
	var values []arrow.Array
	for _, name := range columns {
		i := rows.Schema().FieldIndices(name)[0]
		fields, values = append(fields, rows.Schema().Field(i)), append(values, rows.Column(i))
	}
	record := array.NewRecord(arrow.NewSchema(fields, nil), values, rows.NumRows())
	t.Cleanup(record.Release)
	return record
}

// renamed gives a column of rows another name.
func renamed(t *testing.T, rows arrow.Record, from, to string) arrow.Record {
	t.Helper()
	fields := slices.Clone(rows.Schema().Fields())
	fields[rows.Schema().FieldIndices(from)[0]].Name = to
	record := array.NewRecord(arrow.NewSchema(fields, nil), rows.Columns(), rows.NumRows())
	t.Cleanup(record.Release)
	return record
}

func namesOf(schema *arrow.Schema) []string {
	var names []string
	for _, field := range schema.Fields() {
		names = append(names, field.Name)
	}
	return names
}
