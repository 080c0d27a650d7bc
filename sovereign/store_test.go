package sovereign

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"go.uber.org/goleak"

	"assay/sovereign/schema"
)

func TestMain(m *testing.M) {
	// Each step of a property here writes to disk. More: -rapid.checks=1000.
	if err := flag.Set("rapid.checks", "20"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func TestOpenCreatesTheTables(t *testing.T) {
	store := openStore(t, t.TempDir())
	for _, table := range schema.All {
		if n, err := store.Count(t.Context(), table.Name, schema.Filter{}); n != 0 || err != nil {
			t.Errorf("%s has %d rows, error %v", table.Name, n, err)
		}
	}
}

// A folder's name is not a URL: whatever characters it has, it is found again.
func TestOpenAnyFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b%20ü#?&", "store")
	store := openStore(t, dir)
	appendRows(t, store, schema.Shed, 3)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "shed.lance")); err != nil {
		t.Fatal(err)
	}
	expectCount(t, openStore(t, dir), schema.Shed, schema.Filter{}, 3)
}

// A process that is killed while it makes a table leaves its folder, with or without files in it.
func TestOpenMakesAnewWhatWasLeftUnfinished(t *testing.T) {
	dir := t.TempDir()
	for _, unfinished := range []string{"traces.lance", "entities.lance/_versions", "episodes.lance/_transactions"} {
		if err := os.MkdirAll(filepath.Join(dir, unfinished), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	store, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestReopenKeepsRows(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	for _, table := range schema.All {
		appendRows(t, store, table.Name, 10)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatalf("closing twice: %v", err)
	}
	store = openStore(t, dir)
	for _, table := range schema.All {
		expectCount(t, store, table.Name, schema.Filter{}, 10)
	}
}

// Two stores on one folder in one process see each other's writes.
func TestStoresShareTables(t *testing.T) {
	dir := t.TempDir()
	one, other := openStore(t, dir), openStore(t, dir)
	appendRows(t, one, schema.Shed, 5)
	expectCount(t, other, schema.Shed, schema.Filter{}, 5)
	appendRows(t, other, schema.Shed, 5)
	expectCount(t, one, schema.Shed, schema.Filter{}, 10)
}

func TestUseAfterClose(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Shed, 1)
	rows, err := store.Query(t.Context(), schema.Query{Table: schema.Shed})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Release()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if rows.Next() || !errors.Is(rows.Err(), ErrClosed) {
		t.Errorf("reading after Close: %v, want ErrClosed", rows.Err())
	}
	if _, err := store.Count(t.Context(), schema.Shed, schema.Filter{}); !errors.Is(err, ErrClosed) {
		t.Errorf("counting after Close: %v, want ErrClosed", err)
	}
}

func TestEndedContext(t *testing.T) {
	store := openStore(t, t.TempDir())
	cause := errors.New("the caller went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	rows := sampleRows(t, schema.Shed, 0, 1)
	for name, call := range map[string]func() error{
		"append": func() error { return store.Append(ctx, schema.Shed, rows) },
		"merge":  func() error { return store.Merge(ctx, schema.Shed, rows) },
		"delete": func() error { return store.Delete(ctx, schema.Shed, schema.Filter{}) },
		"count":  func() error { _, err := store.Count(ctx, schema.Shed, schema.Filter{}); return err },
		"query":  func() error { _, err := store.Query(ctx, schema.Query{Table: schema.Shed}); return err },
		"upkeep": func() error { return store.Optimise(ctx, schema.Shed) },
	} {
		if err := call(); !errors.Is(err, cause) {
			t.Errorf("%s: %v, want the context's cause", name, err)
		}
	}
}

func TestUnknownTable(t *testing.T) {
	store := openStore(t, t.TempDir())
	if _, err := store.Count(t.Context(), "nothing", schema.Filter{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestCheckSchema(t *testing.T) {
	text := func(name string) arrow.Field { return arrow.Field{Name: name, Type: arrow.BinaryTypes.String} }
	number := func(name string) arrow.Field { return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64} }
	wanted := []arrow.Field{text("a"), number("b")}
	for name, found := range map[string][]arrow.Field{
		"a column is missing":  {text("a")},
		"a column too many":    {text("a"), number("b"), text("c")},
		"a column comes twice": {text("a"), number("b"), text("a")},
		"another name":         {text("a"), number("c")},
		"another type":         {text("a"), text("b")},
		"another nullability":  {text("a"), {Name: "b", Type: arrow.PrimitiveTypes.Int64, Nullable: true}},
	} {
		err := checkSchema(arrow.NewSchema(found, nil), arrow.NewSchema(wanted, nil))
		if !errors.Is(err, ErrSchema) {
			t.Errorf("%s: got %v, want ErrSchema", name, err)
		}
	}
	for name, found := range map[string][]arrow.Field{
		"the same columns":         wanted,
		"columns in another order": {number("b"), text("a")},
	} {
		if err := checkSchema(arrow.NewSchema(found, nil), arrow.NewSchema(wanted, nil)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefusesAnotherSchema(t *testing.T) {
	dir := t.TempDir()
	if err := openStore(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	shed := filepath.Join(dir, "shed.lance")
	if err := os.RemoveAll(shed); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "usage_graph.lance"), shed); err != nil {
		t.Fatal(err)
	}
	store, err := Open(t.Context(), dir, Options{})
	if !errors.Is(err, ErrSchema) {
		t.Errorf("got %v, want ErrSchema", err)
	}
	if store != nil {
		t.Error("got a store beside the error")
	}
}

func openStore(tb testing.TB, dir string) *Store {
	tb.Helper()
	store, err := Open(tb.Context(), dir, Options{VectorIndexRows: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return store
}

// checkedAllocator fails the test if what it allocates is not released by its end.
func checkedAllocator(tb testing.TB) memory.Allocator {
	tb.Helper()
	checked := memory.NewCheckedAllocator(memory.NewGoAllocator())
	tb.Cleanup(func() { checked.AssertSize(tb, 0) })
	return checked
}

// sampleRows makes count rows of a table. Row i, counted from first, has the same values every time; text columns hold
// "<column>-<i>", numbers i, times i seconds, and every fifth nullable value is null.
func sampleRows(tb testing.TB, table string, first, count int) arrow.Record {
	tb.Helper()
	builder := array.NewRecordBuilder(checkedAllocator(tb), schema.ByName(table).Schema)
	defer builder.Release()
	for c, field := range builder.Schema().Fields() {
		for i := first; i < first+count; i++ {
			if field.Nullable && (i+c)%5 == 0 {
				builder.Field(c).AppendNull()
				continue
			}
			appendSample(builder.Field(c), field.Name, i)
		}
	}
	rows := builder.NewRecord()
	tb.Cleanup(rows.Release)
	return rows
}

func appendSample(builder array.Builder, column string, i int) {
	switch b := builder.(type) {
	case *array.StringBuilder:
		b.Append(fmt.Sprintf("%s-%d", column, i))
	case *array.Int64Builder:
		b.Append(int64(i))
	case *array.Float64Builder:
		b.Append(float64(i) / 8)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(int64(i) * int64(time.Second/time.Microsecond)))
	case *array.FixedSizeListBuilder:
		b.Append(true)
		b.ValueBuilder().(*array.Float32Builder).AppendValues(sampleVector(i), nil)
	default:
		panic(fmt.Sprintf("no sample for a %T", builder))
	}
}

func sampleVector(i int) []float32 {
	random := rand.New(rand.NewPCG(uint64(i), 0))
	vector := make([]float32, schema.VectorDim)
	for d := range vector {
		vector[d] = float32(random.NormFloat64())
	}
	return vector
}

func appendRows(tb testing.TB, store *Store, table string, count int) {
	tb.Helper()
	if err := store.Append(tb.Context(), table, sampleRows(tb, table, 0, count)); err != nil {
		tb.Fatal(err)
	}
}

func expectCount(tb testing.TB, store *Store, table string, where schema.Filter, want int64) {
	tb.Helper()
	got, err := store.Count(tb.Context(), table, where)
	if err != nil {
		tb.Fatal(err)
	}
	if got != want {
		tb.Errorf("%s: %d rows where %s, want %d", table, got, where.SQL(), want)
	}
}

// readAll runs a query and returns its rows as one record.
func readAll(tb testing.TB, store *Store, q schema.Query) arrow.Record {
	tb.Helper()
	reader, err := store.Query(tb.Context(), q)
	if err != nil {
		tb.Fatal(err)
	}
	defer reader.Release()
	var batches []arrow.Record
	for reader.Next() {
		reader.Record().Retain()
		batches = append(batches, reader.Record())
	}
	if reader.Err() != nil {
		tb.Fatal(reader.Err())
	}
	return joinBatches(tb, reader.Schema(), batches)
}

func joinBatches(tb testing.TB, schema *arrow.Schema, batches []arrow.Record) arrow.Record {
	tb.Helper()
	table := array.NewTableFromRecords(schema, batches)
	defer table.Release()
	for _, batch := range batches {
		batch.Release()
	}
	columns := make([]arrow.Array, schema.NumFields())
	for i := range columns {
		chunks := table.Column(i).Data().Chunks()
		if len(chunks) == 0 {
			columns[i] = array.MakeArrayOfNull(memory.DefaultAllocator, schema.Field(i).Type, 0)
			continue
		}
		column, err := array.Concatenate(chunks, memory.DefaultAllocator)
		if err != nil {
			tb.Fatal(err)
		}
		columns[i] = column
	}
	rows := array.NewRecord(schema, columns, table.NumRows())
	tb.Cleanup(rows.Release)
	return rows
}

// texts returns the values of a text column, "" for null.
func texts(rows arrow.Record, column string) []string {
	values := rows.Column(rows.Schema().FieldIndices(column)[0]).(*array.String)
	list := make([]string, values.Len())
	for i := range list {
		if values.IsValid(i) {
			list[i] = values.Value(i)
		}
	}
	return list
}

func filesIn(tb testing.TB, store *Store, folder string) int {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Join(store.root, folder))
	if err != nil {
		tb.Fatal(err)
	}
	return len(entries)
}

func TestReshape(t *testing.T) {
	dir := t.TempDir()
	store := openStore(t, dir)
	appendRows(t, store, schema.Episodes, 5)
	if err := store.Reshape(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	expectCount(t, store, schema.Episodes, schema.Filter{}, 0)
	if n := store.Dimensions(); n != 3 {
		t.Errorf("%d dimensions, want 3", n)
	}
	rows := sampleRows(t, schema.Episodes, 0, 4)
	vectors := array.NewFixedSizeListBuilder(checkedAllocator(t), 3, arrow.PrimitiveTypes.Float32)
	defer vectors.Release()
	for range 3 {
		vectors.Append(true)
		vectors.ValueBuilder().(*array.Float32Builder).AppendValues([]float32{1, 0, 0}, nil)
	}
	vectors.AppendNull()
	rows = withColumn(t, rows, "vector", vectors.NewArray())
	if err := store.Append(t.Context(), schema.Episodes, rows); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	// A table that exists keeps its length, whatever is asked for.
	store = openStore(t, dir)
	if n := store.Dimensions(); n != 3 {
		t.Errorf("%d dimensions after opening again, want 3", n)
	}
	expectCount(t, store, schema.Episodes, schema.IsNull("vector"), 1)
	q := schema.Query{Table: schema.Episodes, Limit: 10, Nearest: &schema.Nearest{Column: "vector", Vector: []float32{1, 1, 0}}}
	if got := readAll(t, store, q); got.NumRows() != 3 {
		t.Errorf("%d rows are near, want 3", got.NumRows())
	}
}

// withColumn replaces a column, whose type may be another one. It takes over values.
func withColumn(t *testing.T, rows arrow.Record, name string, values arrow.Array) arrow.Record {
	t.Helper()
	defer values.Release()
	fields, columns := slices.Clone(rows.Schema().Fields()), slices.Clone(rows.Columns())
	i := rows.Schema().FieldIndices(name)[0]
	fields[i].Type, columns[i] = values.DataType(), values
	changed := array.NewRecord(arrow.NewSchema(fields, nil), columns, rows.NumRows())
	t.Cleanup(changed.Release)
	return changed
}
