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

	"assay/internal/tables"
)

func TestEveryTableRoundTrips(t *testing.T) {
	store := openStore(t, t.TempDir())
	for _, table := range tables.All {
		t.Run(table.Name, func(t *testing.T) {
			byKey := tables.Query{Table: table.Name, OrderBy: []tables.Order{{Column: table.Key}}}
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

			first := tables.In(table.Key, table.Key+"-0", table.Key+"-1")
			if err := store.Delete(t.Context(), table.Name, first); err != nil {
				t.Fatal(err)
			}
			expectRecord(t, readAll(t, store, byKey), sampleRows(t, table.Name, 2, 8))

			if err := store.Delete(t.Context(), table.Name, tables.Filter{}); err != nil {
				t.Fatal(err)
			}
			expectCount(t, store, table.Name, tables.Filter{}, 0)
		})
	}
}

// Rows may be a part of larger arrays, in which offsets do not start at 0.
func TestSlicesRoundTrip(t *testing.T) {
	store := openStore(t, t.TempDir())
	part := sampleRows(t, tables.Episodes, 0, 100).NewSlice(37, 60)
	defer part.Release()
	if err := store.Append(t.Context(), tables.Episodes, part); err != nil {
		t.Fatal(err)
	}
	byPosition := tables.Query{Table: tables.Episodes, OrderBy: []tables.Order{{Column: "position"}}}
	expectRecord(t, readAll(t, store, byPosition), part)
}

// Where a column holds no byte its buffer still has an address: a small number instead, which is what Rust has for nothing,
// makes Go's garbage collector end the program.
func TestEmptyBuffersHaveAddresses(t *testing.T) {
	store := openStore(t, t.TempDir())
	builder := array.NewRecordBuilder(checkedAllocator(t), tables.ByName(tables.Episodes).Schema)
	defer builder.Release()
	for _, column := range builder.Fields() {
		column.AppendEmptyValue()
	}
	rows := builder.NewRecord()
	defer rows.Release()
	if err := store.Append(t.Context(), tables.Episodes, rows); err != nil {
		t.Fatal(err)
	}
	reader, err := store.Query(t.Context(), tables.Query{Table: tables.Episodes})
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
	appendRows(t, store, tables.Shed, 3)
	changed := shedRow(t, "shed_id-1", "wf", 42)
	if err := store.Merge(t.Context(), tables.Shed, changed); err != nil {
		t.Fatal(err)
	}
	expectCount(t, store, tables.Shed, tables.Filter{}, 3)
	expectCount(t, store, tables.Shed, tables.And(tables.Eq("shed_id", "shed_id-1"), tables.Eq("count", 42)), 1)
}

func TestMergeRefusesRepeatedKeys(t *testing.T) {
	store := openStore(t, t.TempDir())
	one := sampleRows(t, tables.Shed, 0, 1)
	twice := joinBatches(t, one.Schema(), []arrow.Record{retained(one), retained(one)})
	if err := store.Merge(t.Context(), tables.Shed, twice); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	expectCount(t, store, tables.Shed, tables.Filter{}, 0)
}

func TestRowsOfAnotherTable(t *testing.T) {
	store := openStore(t, t.TempDir())
	rows := sampleRows(t, tables.Shed, 0, 1)
	if err := store.Append(t.Context(), tables.Traces, rows); !errors.Is(err, ErrSchema) {
		t.Errorf("append: got %v, want ErrSchema", err)
	}
	if err := store.Merge(t.Context(), tables.Traces, rows); !errors.Is(err, ErrSchema) {
		t.Errorf("merge: got %v, want ErrSchema", err)
	}
}

// A string that is not UTF-8 is refused where it enters: Rust code may do anything with one.
func TestInvalidUTF8(t *testing.T) {
	store := openStore(t, t.TempDir())
	if err := store.Append(t.Context(), tables.Shed, shedRow(t, "id", "\xff\xfe", 1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	expectCount(t, store, tables.Shed, tables.Filter{}, 0)
}

func TestFilters(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, tables.Promotions, 100) // ts is null in every fifth row, else i seconds
	second := func(i int) time.Time { return time.Unix(int64(i), 0) }
	for _, c := range []struct {
		where tables.Filter
		want  int64
	}{
		{tables.Filter{}, 100},
		{tables.Eq("workflow_id", "workflow_id-7"), 1},
		{tables.In("workflow_id", "workflow_id-7", "workflow_id-8", "nobody"), 2},
		{tables.In[string]("workflow_id"), 0},
		{tables.Lt("attempts", 10), 10},
		{tables.Le("attempts", 10), 11},
		{tables.And(tables.Gt("attempts", 10), tables.Lt("attempts", 20)), 9},
		{tables.Or(tables.Lt("attempts", 10), tables.Ge("attempts", 90)), 20},
		{tables.IsNull("ts"), 20},
		{tables.Eq("ts", second(3)), 1},
		{tables.And(tables.Ge("ts", second(10)), tables.Lt("ts", second(20))), 8},
	} {
		expectCount(t, store, tables.Promotions, c.where, c.want)
		rows := readAll(t, store, tables.Query{Table: tables.Promotions, Where: c.where})
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
			if err := store.Append(t.Context(), tables.Shed, shedRow(t, fmt.Sprint(len(seen)), value, 1)); err != nil {
				rt.Fatal(err)
			}
		}
		found := readAll(t, store, tables.Query{Table: tables.Shed, Where: tables.Eq("workflow_id", value)})
		if got := texts(found, "workflow_id"); !slices.Equal(got, []string{value}) {
			rt.Fatalf("found %q by %q", got, value)
		}
		if n, err := store.Count(t.Context(), tables.Shed, tables.Eq("workflow_id", value)); n != 1 || err != nil {
			rt.Fatalf("counted %d by %q, error %v", n, value, err)
		}
	})
	expectCount(t, store, tables.Shed, tables.Filter{}, int64(len(seen)))
}

func TestQueryShapesRows(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, tables.Shed, 20)
	rows := readAll(t, store, tables.Query{
		Table: tables.Shed, Columns: []string{"shed_id"}, Where: tables.Ge("count", 5),
		OrderBy: []tables.Order{{Column: "count", Descending: true}}, Limit: 3, Offset: 2,
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
	appendRows(t, store, tables.Episodes, 1)
	vector := &tables.Nearest{Column: "vector", Vector: sampleVector(1)}
	match := &tables.Match{Column: "text", Text: "text"}
	for name, q := range map[string]tables.Query{
		"column that is not there":  {Columns: []string{"nothing"}},
		"negative limit":            {Limit: -1},
		"vector without limit":      {Nearest: vector},
		"vector and text":           {Nearest: vector, Match: match, Limit: 1},
		"vector with another order": {Nearest: vector, Limit: 1, OrderBy: []tables.Order{{Column: "position"}}},
		"vector of other dimension": {Nearest: &tables.Nearest{Column: "vector", Vector: []float32{1}}, Limit: 1},
		"vector in a text column":   {Nearest: &tables.Nearest{Column: "text", Vector: sampleVector(1)}, Limit: 1},
	} {
		q.Table = tables.Episodes
		if _, err := store.Query(t.Context(), q); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
}

// A reader sees the table as it was when the query began.
func TestReadersSeeOneVersion(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, tables.Shed, 10)
	reader, err := store.Query(t.Context(), tables.Query{Table: tables.Shed})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	if err := store.Delete(t.Context(), tables.Shed, tables.Filter{}); err != nil {
		t.Fatal(err)
	}
	appendRows(t, store, tables.Shed, 3)
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
				if err := store.Append(t.Context(), tables.Entities, sampleRows(t, tables.Entities, first, rowsPerBatch)); err != nil {
					t.Error(err)
				}
				if err := store.Merge(t.Context(), tables.Entities, sampleRows(t, tables.Entities, first, 5)); err != nil {
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
	repeat(func() error { return store.Optimise(t.Context(), tables.Entities) })
	repeat(func() error { return store.EnsureIndexes(t.Context()) })
	repeat(func() error {
		n, err := store.Count(t.Context(), tables.Entities, tables.Eq("entity_uuid", "entity_uuid-0"))
		if n > 1 {
			return fmt.Errorf("row 0 is there %d times", n)
		}
		return err
	})
	writing.Wait()
	close(done)
	reading.Wait()
	byPosition := tables.Query{Table: tables.Entities, OrderBy: []tables.Order{{Column: "first_position"}}}
	expectRecord(t, readAll(t, store, byPosition), sampleRows(t, tables.Entities, 0, writers*batches*rowsPerBatch))
}

func shedRow(tb testing.TB, id, workflow string, count int64) arrow.Record {
	tb.Helper()
	builder := array.NewRecordBuilder(checkedAllocator(tb), tables.ByName(tables.Shed).Schema)
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
