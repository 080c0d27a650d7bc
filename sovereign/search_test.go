package sovereign

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

func TestNearest(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Episodes, 200) // every fifth vector is null
	for _, exact := range []bool{true, false} {
		rows := readAll(t, store, schema.Query{
			Table: schema.Episodes, Columns: []string{"episode_uuid"}, Limit: 3,
			Nearest: &schema.Nearest{Column: "vector", Vector: scaled(sampleVector(17), 3), Exact: exact},
		})
		if got := texts(rows, "episode_uuid"); len(got) != 3 || got[0] != "episode_uuid-17" {
			t.Errorf("exact %t: got %q, want episode_uuid-17 first of 3", exact, got)
		}
		if d := numbers(rows, "_distance"); !slices.IsSorted(d) || d[0] > 1e-5 {
			t.Errorf("exact %t: distances %v are not rising from 0", exact, d)
		}
	}
}

// A page is what is read at a time; all pages together are what is read without.
func TestPagesOfARankedQuery(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Episodes, 200)
	q := schema.Query{
		Table: schema.Episodes, Columns: []string{"episode_uuid"}, Limit: 5,
		Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(17)},
	}
	want := texts(readAll(t, store, q), "episode_uuid")
	q.Page = 2
	reader, err := store.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	var got []string
	var pages []int64
	for reader.Next() {
		pages = append(pages, reader.Record().NumRows())
		for _, id := range texts(reader.Record(), "episode_uuid") {
			got = append(got, strings.Clone(id)) // the reader's next page takes its place
		}
	}
	if err := reader.Err(); err != nil || !slices.Equal(pages, []int64{2, 2, 1}) || !slices.Equal(got, want) {
		t.Errorf("pages of %v rows: %q, %v; want 2, 2 and 1 of %q", pages, got, err, want)
	}
}

// The filter decides which rows are compared, so the limit is filled although the nearest rows do not fit.
func TestNearestAmongFiltered(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Episodes, 200)
	rows := readAll(t, store, schema.Query{
		Table: schema.Episodes, Where: schema.Lt("position", 50), Limit: 5, Offset: 1,
		Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(117)},
	})
	if got := texts(rows, "episode_uuid"); len(got) != 5 || slices.Contains(got, "episode_uuid-117") {
		t.Errorf("got %q, want 5 others than episode_uuid-117", got)
	}
}

func TestMatch(t *testing.T) {
	for _, indexed := range []bool{false, true} {
		t.Run(fmt.Sprintf("indexed=%t", indexed), func(t *testing.T) {
			store := openStore(t, t.TempDir())
			appendTexts(t, store, "The cat sat on the mat", "a dog and a cat, cat, cat", "nothing of the kind", "Dogs bark")
			if indexed {
				if err := store.Optimise(t.Context(), schema.Episodes); err != nil {
					t.Fatal(err)
				}
			}
			appendTexts(t, store, "later: one more cat")
			for text, want := range map[string]int{"cat": 3, "CATS": 3, "dog": 2, "unicorn": 0, "cat dog": 4, `"'\;--`: 0, "": 0} {
				rows := readAll(t, store, schema.Query{
					Table: schema.Episodes, Limit: 10, Match: &schema.Match{Column: "text", Text: text},
				})
				if rows.NumRows() != int64(want) {
					t.Errorf("%q: found %q, want %d rows", text, texts(rows, "text"), want)
				}
				if scores := numbers(rows, "_score"); !slices.IsSortedFunc(scores, func(a, b float32) int { return int(b - a) }) {
					t.Errorf("%q: scores %v do not fall", text, scores)
				}
			}
		})
	}
}

func TestMatchAmongFiltered(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendTexts(t, store, "cat cat cat", "cat", "cat cat")
	rows := readAll(t, store, schema.Query{
		Table: schema.Episodes, Limit: 1, Where: schema.Eq("position", 1), Match: &schema.Match{Column: "text", Text: "cat"},
	})
	if got := texts(rows, "text"); !slices.Equal(got, []string{"cat"}) {
		t.Errorf("found %q, want the row at position 1", got)
	}
}

func TestMatchInEmptyTable(t *testing.T) {
	store := openStore(t, t.TempDir())
	rows := readAll(t, store, schema.Query{
		Table: schema.Episodes, Limit: 1, Match: &schema.Match{Column: "text", Text: "cat"},
	})
	if rows.NumRows() != 0 {
		t.Errorf("found %d rows", rows.NumRows())
	}
}

func TestUpkeep(t *testing.T) {
	store := openStore(t, t.TempDir())
	store.opts.VersionAgeMax = time.Nanosecond
	const batches = 20
	for b := range batches {
		if err := store.Append(t.Context(), schema.Traces, sampleRows(t, schema.Traces, b*10, 10)); err != nil {
			t.Fatal(err)
		}
		if b == batches/2 {
			if err := store.EnsureIndexes(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if index := indexOn(t, store, schema.Traces, "workflow_id"); index == nil || index.RowsUnindexed == 0 {
		t.Fatalf("before: %+v, want an index that lacks rows", index)
	}
	for range 2 { // the first round merges rows with and without index apart
		if err := store.Optimise(t.Context(), schema.Traces); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range schema.ByName(schema.Traces).Indexes {
		if index := indexOn(t, store, schema.Traces, want.Column); index == nil || index.RowsUnindexed != 0 {
			t.Errorf("after: %+v, want an index on %s that covers all rows", index, want.Column)
		}
	}
	if n := filesIn(t, store, "traces.lance/data"); n != 1 {
		t.Errorf("%d data files are left, want 1", n)
	}
	if n := filesIn(t, store, "traces.lance/_versions"); n > 3 {
		t.Errorf("%d versions are left, want those that the round itself made", n)
	}
	expectCount(t, store, schema.Traces, schema.Filter{}, batches*10)
	expectCount(t, store, schema.Traces, schema.Eq("workflow_id", "workflow_id-150"), 1)
}

func appendTexts(t *testing.T, store *Store, list ...string) {
	t.Helper()
	n, err := store.Count(t.Context(), schema.Episodes, schema.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	rows := sampleRows(t, schema.Episodes, int(n), len(list))
	builder := array.NewStringBuilder(checkedAllocator(t))
	defer builder.Release()
	builder.AppendValues(list, nil)
	rows = withColumn(t, rows, "text", builder.NewArray())
	if err := store.Append(t.Context(), schema.Episodes, rows); err != nil {
		t.Fatal(err)
	}
}

func indexOn(tb testing.TB, store *Store, table, column string) *Index {
	tb.Helper()
	indexes, err := store.Indexes(tb.Context(), table)
	if err != nil {
		tb.Fatal(err)
	}
	for _, index := range indexes {
		if index.Column == column {
			return &index
		}
	}
	return nil
}

func numbers(rows arrow.Record, column string) []float32 {
	return rows.Column(rows.Schema().FieldIndices(column)[0]).(*array.Float32).Float32Values()
}

func scaled(vector []float32, factor float32) []float32 {
	for d := range vector {
		vector[d] *= factor
	}
	return vector
}
