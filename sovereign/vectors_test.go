package sovereign

import (
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	"assay/sovereign/schema"
)

func TestNearestByIndex(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendEmbedded(t, store, 0, 2000)
	if err := store.EnsureVectorIndex(t.Context(), "model"); err != nil {
		t.Fatal(err)
	}
	if index := indexOn(t, store, schema.Episodes, "vector"); index == nil || index.Type != "IVF_RQ" || index.RowsUnindexed != 0 {
		t.Fatalf("index of vector: %+v, want one that covers all rows", index)
	}
	expectNearest := func(where schema.Filter, of int, want ...string) {
		t.Helper()
		rows := readAll(t, store, schema.Query{
			Table: schema.Episodes, Limit: 3, Where: where, Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(of)},
		})
		if got := texts(rows, "episode_uuid"); len(got) != 3 || !slices.Equal(got[:len(want)], want) {
			t.Errorf("%s: got %q, want 3, first %q", where.SQL(), got, want)
		}
	}
	expectNearest(schema.Filter{}, 1236, "episode_uuid-1236")
	// The filter decides what is searched: three rows are found although a thousand others are nearer.
	few := schema.In("episode_uuid", "episode_uuid-7", "episode_uuid-1236", "episode_uuid-41", "episode_uuid-1998")
	expectNearest(few, 1236, "episode_uuid-1236")
	expectNearest(schema.Lt("position", fewRows+500), 1236, "episode_uuid-1236")
	expectNearest(schema.Lt("position", 1000), 1236)

	// What is not in the index yet is found too.
	appendEmbedded(t, store, 2000, 100)
	if index := indexOn(t, store, schema.Episodes, "vector"); index.RowsUnindexed != 100 {
		t.Errorf("index of vector: %+v, want it to lack the 100 new rows", index)
	}
	expectNearest(schema.Filter{}, 2011, "episode_uuid-2011")
	expectNearest(schema.Ge("position", 2000), 2011, "episode_uuid-2011")
	if err := store.Optimise(t.Context(), schema.Episodes); err != nil {
		t.Fatal(err)
	}
	if index := indexOn(t, store, schema.Episodes, "vector"); index.RowsUnindexed != 0 {
		t.Errorf("index of vector: %+v, want one that covers all rows", index)
	}
	expectNearest(schema.Filter{}, 2011, "episode_uuid-2011")
}

// An index is made of the vectors of one model, whenever the others are found to be gone.
func TestVectorIndexFollowsModel(t *testing.T) {
	store := openStore(t, t.TempDir())
	ensured := func(model string) string {
		t.Helper()
		if err := store.EnsureVectorIndex(t.Context(), model); err != nil {
			t.Fatal(err)
		}
		indexes, err := store.Indexes(t.Context(), schema.Episodes)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, index := range indexes {
			if index.Column == vectorColumn {
				names = append(names, index.Name)
			}
		}
		return strings.Join(names, " ")
	}
	appendEmbedded(t, store, 0, 500)
	if name := ensured("model"); name != "" {
		t.Errorf("few vectors have the index %q", name)
	}
	appendEmbedded(t, store, 500, 1500)
	first := ensured("model")
	if first != vectorIndexName("model") {
		t.Errorf("the index is %q", first)
	}
	if err := store.tables[schema.Episodes].native.createVectorIndex(vectorColumn, "other"); err != nil {
		t.Fatal(err)
	}
	if name := ensured("model"); name != first {
		t.Errorf("after one of another name was found the index is %q, want %q", name, first)
	}
	if name := ensured("another"); name != first {
		t.Errorf("while there are vectors of another model the index is %q, want %q", name, first)
	}
	rows := withModel(t, "another", 0, 2000)
	if err := store.Merge(t.Context(), schema.Episodes, rows); err != nil {
		t.Fatal(err)
	}
	if name := ensured("another"); name != vectorIndexName("another") {
		t.Errorf("once the vectors of the other model were gone the index is %q", name)
	}
}

// Vectors of any length are indexed.
func TestIndexOfOddVectors(t *testing.T) {
	const dimensions = 30
	store, err := Open(t.Context(), t.TempDir(), Options{VectorDimensions: dimensions, VectorIndexRows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	builder := array.NewFixedSizeListBuilder(checkedAllocator(t), dimensions, arrow.PrimitiveTypes.Float32)
	defer builder.Release()
	const count = 1000
	for i := range count {
		builder.Append(true)
		builder.ValueBuilder().(*array.Float32Builder).AppendValues(sampleVector(i)[:dimensions], nil)
	}
	rows := withColumn(t, withModel(t, "model", 0, count), "vector", builder.NewArray())
	if err := store.Append(t.Context(), schema.Episodes, rows); err != nil {
		t.Fatal(err)
	}
	if err := store.EnsureVectorIndex(t.Context(), "model"); err != nil {
		t.Fatal(err)
	}
	if index := indexOn(t, store, schema.Episodes, "vector"); index == nil {
		t.Error("there is no index")
	}
	found := readAll(t, store, schema.Query{
		Table: schema.Episodes, Limit: 3, Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(77)[:dimensions]},
	})
	if got := texts(found, "episode_uuid"); len(got) != 3 || got[0] != "episode_uuid-77" {
		t.Errorf("got %q, want episode_uuid-77 first of 3", got)
	}
}

// appendEmbedded appends episodes whose vectors are all of one model.
func appendEmbedded(t *testing.T, store *Store, first, count int) {
	t.Helper()
	if err := store.Append(t.Context(), schema.Episodes, withModel(t, "model", first, count)); err != nil {
		t.Fatal(err)
	}
}

func withModel(t *testing.T, model string, first, count int) arrow.Record {
	t.Helper()
	builder := array.NewStringBuilder(checkedAllocator(t))
	defer builder.Release()
	for range count {
		builder.Append(model)
	}
	return withColumn(t, sampleRows(t, schema.Episodes, first, count), "model", builder.NewArray())
}
