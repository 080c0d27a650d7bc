package sovereign

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"pgregory.net/rapid"

	"assay/sovereign/schema"
)

func TestEveryTableRoundTrips(t *testing.T) {
	store := openStore(t, t.TempDir())
	for _, table := range schema.All {
		t.Run(table.Name, func(t *testing.T) {
			byKey := schema.Query{Table: table.Name, OrderBy: []schema.Order{{Column: table.Key}}}
			rows := sampleRows(t, table.Name, 0, 9)
			if err := store.Append(t.Context(), table.Name, rows); err != nil {
				t.Fatal(err)
			}
			expectRecord(t, readAll(t, store, byKey), rows)

			// Rows 4 to 8 are there already, 9 is new; the merged ones carry their old values, so all are as before.
			if err := store.Merge(t.Context(), table.Name, sampleRows(t, table.Name, 4, 6)); err != nil {
				t.Fatal(err)
			}
			expectRecord(t, readAll(t, store, byKey), sampleRows(t, table.Name, 0, 10))

			first := schema.In(table.Key, table.Key+"-0", table.Key+"-1")
			if err := store.Delete(t.Context(), table.Name, first); err != nil {
				t.Fatal(err)
			}
			expectRecord(t, readAll(t, store, byKey), sampleRows(t, table.Name, 2, 8))

			if err := store.Delete(t.Context(), table.Name, schema.Filter{}); err != nil {
				t.Fatal(err)
			}
			expectCount(t, store, table.Name, schema.Filter{}, 0)
		})
	}
}

// Rows may be a part of larger arrays, in which offsets do not start at 0.
func TestSlicesRoundTrip(t *testing.T) {
	store := openStore(t, t.TempDir())
	part := sampleRows(t, schema.Episodes, 0, 100).NewSlice(37, 60)
	defer part.Release()
	if err := store.Append(t.Context(), schema.Episodes, part); err != nil {
		t.Fatal(err)
	}
	byPosition := schema.Query{Table: schema.Episodes, OrderBy: []schema.Order{{Column: "position"}}}
	expectRecord(t, readAll(t, store, byPosition), part)
}

// Where a column holds no byte its buffer still has an address: a small number instead, which is what Rust has for nothing,
// makes Go's garbage collector end the program.
func TestEmptyBuffersHaveAddresses(t *testing.T) {
	store := openStore(t, t.TempDir())
	builder := array.NewRecordBuilder(checkedAllocator(t), schema.ByName(schema.Episodes).Schema)
	defer builder.Release()
	for _, column := range builder.Fields() {
		column.AppendEmptyValue()
	}
	rows := builder.NewRecord()
	defer rows.Release()
	if err := store.Append(t.Context(), schema.Episodes, rows); err != nil {
		t.Fatal(err)
	}
	reader, err := store.Query(t.Context(), schema.Query{Table: schema.Episodes})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	for reader.Next() {
		for i, column := range reader.Record().Columns() {
			for _, buffer := range column.Data().Buffers() {
				if buffer == nil || buffer.Buf() == nil {
					continue
				}
				if address := uintptr(unsafe.Pointer(unsafe.SliceData(buffer.Buf()))); address < 4096 {
					t.Errorf("column %s: a buffer of %d bytes at address %#x", reader.Record().ColumnName(i), buffer.Len(), address)
				}
			}
		}
	}
	if reader.Err() != nil {
		t.Fatal(reader.Err())
	}
}

func TestMergeReplacesRows(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Shed, 3)
	changed := shedRow(t, "shed_id-1", "wf", 42)
	if err := store.Merge(t.Context(), schema.Shed, changed); err != nil {
		t.Fatal(err)
	}
	expectCount(t, store, schema.Shed, schema.Filter{}, 3)
	expectCount(t, store, schema.Shed, schema.And(schema.Eq("shed_id", "shed_id-1"), schema.Eq("count", 42)), 1)
}

func TestMergeRefusesRepeatedKeys(t *testing.T) {
	store := openStore(t, t.TempDir())
	one := sampleRows(t, schema.Shed, 0, 1)
	twice := joinBatches(t, one.Schema(), []arrow.Record{retained(one), retained(one)})
	if err := store.Merge(t.Context(), schema.Shed, twice); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	expectCount(t, store, schema.Shed, schema.Filter{}, 0)
}

func TestRowsOfAnotherTable(t *testing.T) {
	store := openStore(t, t.TempDir())
	rows := sampleRows(t, schema.Shed, 0, 1)
	if err := store.Append(t.Context(), schema.Traces, rows); !errors.Is(err, ErrSchema) {
		t.Errorf("append: got %v, want ErrSchema", err)
	}
	if err := store.Merge(t.Context(), schema.Traces, rows); !errors.Is(err, ErrSchema) {
		t.Errorf("merge: got %v, want ErrSchema", err)
	}
}

// A string that is not UTF-8 is refused where it enters: Rust code may do anything with one.
func TestInvalidUTF8(t *testing.T) {
	store := openStore(t, t.TempDir())
	if err := store.Append(t.Context(), schema.Shed, shedRow(t, "id", "\xff\xfe", 1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	expectCount(t, store, schema.Shed, schema.Filter{}, 0)
}

func TestFilters(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Promotions, 100) // ts is null in every fifth row, else i seconds
	second := func(i int) time.Time { return time.Unix(int64(i), 0) }
	for _, c := range []struct {
		where schema.Filter
		want  int64
	}{
		{schema.Filter{}, 100},
		{schema.Eq("workflow_id", "workflow_id-7"), 1},
		{schema.In("workflow_id", "workflow_id-7", "workflow_id-8", "nobody"), 2},
		{schema.In[string]("workflow_id"), 0},
		{schema.Lt("attempts", 10), 10},
		{schema.Le("attempts", 10), 11},
		{schema.And(schema.Gt("attempts", 10), schema.Lt("attempts", 20)), 9},
		{schema.Or(schema.Lt("attempts", 10), schema.Ge("attempts", 90)), 20},
		{schema.IsNull("ts"), 20},
		{schema.Eq("ts", second(3)), 1},
		{schema.And(schema.Ge("ts", second(10)), schema.Lt("ts", second(20))), 8},
	} {
		expectCount(t, store, schema.Promotions, c.where, c.want)
		rows := readAll(t, store, schema.Query{Table: schema.Promotions, Where: c.where})
		if rows.NumRows() != c.want {
			t.Errorf("query where %s: %d rows, want %d", c.where.SQL(), rows.NumRows(), c.want)
		}
	}
}

// Whatever a string holds, it is stored, found by Eq, and never found by another's Eq.
func TestFilterValuesAreData(t *testing.T) {
	store := openStore(t, t.TempDir())
	seen := map[string]bool{}
	rapid.Check(t, func(rt *rapid.T) {
		value := rapid.OneOf(
			rapid.String(),
			rapid.SampledFrom([]string{
				"", "'", "''", `\`, `\'`, `"`, "`", "a'b", "x' OR 'a'='a", "'; DROP TABLE shed; --", "%", "_", "\x00", "a\x00' OR true --",
				"'; DELETE FROM shed WHERE ''='", "\n", "é", "e\u0301", "💥", "/*", "--", "$1", "?", ":x", "{}", "0:uh",
			}),
		).Draw(rt, "value")
		if !seen[value] {
			seen[value] = true
			if err := store.Append(t.Context(), schema.Shed, shedRow(t, fmt.Sprint(len(seen)), value, 1)); err != nil {
				rt.Fatal(err)
			}
		}
		found := readAll(t, store, schema.Query{Table: schema.Shed, Where: schema.Eq("workflow_id", value)})
		if got := texts(found, "workflow_id"); !slices.Equal(got, []string{value}) {
			rt.Fatalf("found %q by %q", got, value)
		}
		if n, err := store.Count(t.Context(), schema.Shed, schema.Eq("workflow_id", value)); n != 1 || err != nil {
			rt.Fatalf("counted %d by %q, error %v", n, value, err)
		}
	})
	expectCount(t, store, schema.Shed, schema.Filter{}, int64(len(seen)))
}

func TestQueryShapesRows(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Shed, 20)
	rows := readAll(t, store, schema.Query{
		Table: schema.Shed, Columns: []string{"shed_id"}, Where: schema.Ge("count", 5),
		OrderBy: []schema.Order{{Column: "count", Descending: true}}, Limit: 3, Offset: 2,
	})
	if got, want := texts(rows, "shed_id"), []string{"shed_id-17", "shed_id-16", "shed_id-15"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if rows.NumCols() != 1 {
		t.Errorf("got %d columns, want 1", rows.NumCols())
	}
}

func TestQueriesThatMakeNoSense(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Episodes, 1)
	vector := &schema.Nearest{Column: "vector", Vector: sampleVector(1)}
	match := &schema.Match{Column: "text", Text: "text"}
	for name, q := range map[string]schema.Query{
		"column that is not there":  {Columns: []string{"nothing"}},
		"negative limit":            {Limit: -1},
		"vector without limit":      {Nearest: vector},
		"vector and text, no limit": {Nearest: vector, Match: match},
		"vector with another order": {Nearest: vector, Limit: 1, OrderBy: []schema.Order{{Column: "position"}}},
		"vector of other dimension": {Nearest: &schema.Nearest{Column: "vector", Vector: []float32{1}}, Limit: 1},
		"vector in a text column":   {Nearest: &schema.Nearest{Column: "text", Vector: sampleVector(1)}, Limit: 1},
	} {
		q.Table = schema.Episodes
		if _, err := store.Query(t.Context(), q); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

// A reader sees the table as it was when the query began.
func TestReadersSeeOneVersion(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Shed, 10)
	reader, err := store.Query(t.Context(), schema.Query{Table: schema.Shed})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	if err := store.Delete(t.Context(), schema.Shed, schema.Filter{}); err != nil {
		t.Fatal(err)
	}
	appendRows(t, store, schema.Shed, 3)
	var rows int64
	for reader.Next() {
		rows += reader.Record().NumRows()
	}
	if rows != 10 || reader.Err() != nil {
		t.Errorf("read %d rows, error %v; want the 10 of the beginning", rows, reader.Err())
	}
}

// Appends, merges, queries and upkeep may all run at once: no row is lost or doubled.
func TestConcurrentUse(t *testing.T) {
	const writers, batches, rowsPerBatch = 4, 8, 50
	store := openStore(t, t.TempDir())
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for b := range batches {
				first := (w*batches + b) * rowsPerBatch
				if err := store.Append(t.Context(), schema.Entities, sampleRows(t, schema.Entities, first, rowsPerBatch)); err != nil {
					t.Error(err)
				}
				if err := store.Merge(t.Context(), schema.Entities, sampleRows(t, schema.Entities, first, 5)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	repeat := func(work func() error) {
		reading.Go(func() {
			for {
				if err := work(); err != nil {
					t.Error(err)
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	repeat(func() error { return store.Optimise(t.Context(), schema.Entities) })
	repeat(func() error { return store.EnsureIndexes(t.Context()) })
	repeat(func() error {
		n, err := store.Count(t.Context(), schema.Entities, schema.Eq("entity_uuid", "entity_uuid-0"))
		if n > 1 {
			return fmt.Errorf("row 0 is there %d times", n)
		}
		return err
	})
	writing.Wait()
	close(done)
	reading.Wait()
	byPosition := schema.Query{Table: schema.Entities, OrderBy: []schema.Order{{Column: "first_position"}}}
	expectRecord(t, readAll(t, store, byPosition), sampleRows(t, schema.Entities, 0, writers*batches*rowsPerBatch))
}

func shedRow(tb testing.TB, id, workflow string, count int64) arrow.Record {
	tb.Helper()
	builder := array.NewRecordBuilder(checkedAllocator(tb), schema.ByName(schema.Shed).Schema)
	defer builder.Release()
	builder.Field(0).(*array.StringBuilder).Append(id)
	builder.Field(1).(*array.StringBuilder).Append(workflow)
	builder.Field(2).(*array.StringBuilder).Append("text_delta")
	builder.Field(3).(*array.Int64Builder).Append(count)
	builder.Field(4).(*array.Int64Builder).Append(0)
	rows := builder.NewRecord()
	tb.Cleanup(rows.Release)
	return rows
}

func retained(rows arrow.Record) arrow.Record {
	rows.Retain()
	return rows
}

func expectRecord(tb testing.TB, got, want arrow.Record) {
	tb.Helper()
	if array.RecordEqual(got, want) {
		return
	}
	tb.Errorf("got %d rows, want %d", got.NumRows(), want.NumRows())
	for i, field := range want.Schema().Fields() {
		if !array.Equal(got.Column(i), want.Column(i)) {
			tb.Errorf("column %s: got %s, want %s", field.Name, shortened(got.Column(i)), shortened(want.Column(i)))
		}
	}
}

func shortened(values arrow.Array) string {
	const shown = 400
	text := fmt.Sprint(values)
	if len(text) > shown {
		return strings.ToValidUTF8(text[:shown], "") + "…"
	}
	return text
}
