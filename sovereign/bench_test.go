package sovereign

import (
	"fmt"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/sovereign/schema"
)

// batchRows is the size of the batches that the benchmarks write.
const batchRows = 16384

func BenchmarkAppendNarrow(b *testing.B) { benchmarkAppend(b, schema.Traces) }

// Episodes have a vector of 256 numbers in each row.
func BenchmarkAppendWide(b *testing.B) { benchmarkAppend(b, schema.Episodes) }

func benchmarkAppend(b *testing.B, table string) {
	b.Helper()
	store := benchStore(b)
	rows := benchRows(table, 0, batchRows)
	for b.Loop() {
		if err := store.Append(b.Context(), table, rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(batchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// Half of the merged rows are in the table already.
func BenchmarkMergeInto200k(b *testing.B) {
	store := benchStore(b)
	fill(b, store, schema.Entities, 200_000)
	next := 200_000 - batchRows/2
	for b.Loop() {
		b.StopTimer()
		rows := benchRows(schema.Entities, next, batchRows)
		next += batchRows / 2
		b.StartTimer()
		if err := store.Merge(b.Context(), schema.Entities, rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(batchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// A workflow has 200 of a million rows, in 10 bursts.
func BenchmarkIndexedLookupIn1M(b *testing.B) {
	store := benchStore(b)
	fill(b, store, schema.Traces, 1_000_000)
	if err := store.EnsureIndexes(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := store.Optimise(b.Context(), schema.Traces); err != nil {
		b.Fatal(err)
	}
	i := 0
	for b.Loop() {
		workflow := fmt.Sprintf("workflow-%d", i*37%5000)
		if n := drain(b, store, schema.Query{Table: schema.Traces, Where: schema.Eq("workflow_id", workflow)}); n != 200 {
			b.Fatalf("%d rows, want 200", n)
		}
		i++
	}
}

func BenchmarkExactNearestIn328k(b *testing.B) {
	store := benchStore(b)
	fill(b, store, schema.Episodes, 20*batchRows)
	vector := sampleVector(42)
	for b.Loop() {
		q := schema.Query{
			Table: schema.Episodes, Columns: []string{"episode_uuid"}, Limit: 10,
			Nearest: &schema.Nearest{Column: "vector", Vector: vector, Exact: true},
		}
		if n := drain(b, store, q); n != 10 {
			b.Fatalf("%d rows, want 10", n)
		}
	}
}

func BenchmarkOptimise(b *testing.B) {
	store := benchStore(b)
	for b.Loop() {
		b.StopTimer()
		fill(b, store, schema.Traces, 10*batchRows)
		b.StartTimer()
		if err := store.EnsureIndexes(b.Context()); err != nil {
			b.Fatal(err)
		}
		if err := store.Optimise(b.Context(), schema.Traces); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(10*batchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	return benchStoreAt(b, b.TempDir(), Options{})
}

func benchStoreAt(b *testing.B, root string, options Options) *Store {
	b.Helper()
	store, err := Open(b.Context(), root, options)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	return store
}

func fill(b *testing.B, store *Store, table string, count int) {
	b.Helper()
	for first := 0; first < count; first += batchRows {
		rows := benchRows(table, first, min(batchRows, count-first))
		if err := store.Append(b.Context(), table, rows); err != nil {
			b.Fatal(err)
		}
		rows.Release()
	}
}

// benchRows makes rows of about the length that real ones have, of 5,000 workflows, 20 of each at a time.
func benchRows(table string, first, count int) arrow.Record {
	builder := array.NewRecordBuilder(memory.NewGoAllocator(), schema.ByName(table).Schema)
	defer builder.Release()
	for c, field := range builder.Schema().Fields() {
		for i := first; i < first+count; i++ {
			text, ok := builder.Field(c).(*array.StringBuilder)
			switch {
			case ok && field.Name == "workflow_id":
				text.Append(fmt.Sprintf("workflow-%d", i/20%5000))
			case ok && field.Name == schema.ByName(table).Key:
				text.Append(fmt.Sprintf("%08x-d298-5473-a93a-%012x", uint32(i)*2654435761, i))
			case ok && field.Nullable && c%2 == 0:
				text.AppendNull()
			default:
				appendSample(builder.Field(c), field.Name, i)
			}
		}
	}
	return builder.NewRecord()
}

func drain(b *testing.B, store *Store, q schema.Query) int64 {
	b.Helper()
	reader, err := store.Query(b.Context(), q)
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Release()
	var n int64
	for reader.Next() {
		n += reader.Record().NumRows()
	}
	if reader.Err() != nil {
		b.Fatal(reader.Err())
	}
	return n
}
