package sovereign

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"assay/internal/test/gateway"
	"assay/sovereign/schema"
)

// benchPlaces runs a benchmark on a store in a folder, and on one in a bucket of a server on this machine.
func benchPlaces(b *testing.B, run func(b *testing.B, store *Store)) {
	b.Helper()
	b.Run("folder", func(b *testing.B) { run(b, benchStore(b)) })
	b.Run("bucket", func(b *testing.B) { run(b, benchBucket(b, 1<<30)) })
}

func benchBucket(b *testing.B, cacheBytes int64) *Store {
	b.Helper()
	options := bucketOptions(gateway.Start(b).URL())
	options.CacheDir, options.CacheBytes = filepath.Join(b.TempDir(), "cache"), cacheBytes
	return benchStoreAt(b, "s3://memory/bench", options)
}

// A commit of few rows, as one partition makes them under little load.
func BenchmarkCommit(b *testing.B) {
	benchPlaces(b, func(b *testing.B, store *Store) {
		rows := benchRows(schema.Traces, 0, 100)
		for b.Loop() {
			if err := store.Append(b.Context(), schema.Traces, rows); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
	})
}

// A commit of many rows.
func BenchmarkAppendTo(b *testing.B) {
	benchPlaces(b, func(b *testing.B, store *Store) {
		rows := benchRows(schema.Traces, 0, batchRows)
		for b.Loop() {
			if err := store.Append(b.Context(), schema.Traces, rows); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(batchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}

// Recall by words and by vector over 50,000 episodes: in a folder; in a bucket, with nothing of its files kept (without), with nothing
// kept when a question comes (cold), and with all that the questions need (warm). Pages of indexes are kept in memory everywhere.
func BenchmarkRecall(b *testing.B) {
	folder := benchStore(b)
	fillRecall(b, folder)
	bucket := benchBucket(b, 1<<30)
	fillRecall(b, bucket)
	recall := func(store *Store, before func()) func(b *testing.B) {
		return func(b *testing.B) {
			for i := range questions {
				ask(b, store, i)
			}
			i := 0
			for b.Loop() {
				b.StopTimer()
				before()
				b.StartTimer()
				ask(b, store, i%questions)
				i++
			}
		}
	}
	b.Run("folder", recall(folder, func() {}))
	b.Run("bucket-warm", recall(bucket, func() {}))
	b.Run("bucket-cold", recall(bucket, bucket.ClearCache))
	if err := cacheIn("", 0); err != nil {
		b.Fatal(err)
	}
	b.Run("bucket-without", recall(bucket, func() {}))
}

// questions is how many different ones are asked.
const questions = 50

func ask(b *testing.B, store *Store, i int) {
	b.Helper()
	q := schema.Query{
		Table: schema.Episodes, Columns: []string{"episode_uuid", "workflow_id", "text", "model"}, Limit: 10,
		Nearest: &schema.Nearest{Column: vectorColumn, Vector: sampleVector(i * 997)},
		Match:   &schema.Match{Column: textColumn, Text: fmt.Sprintf("word%d word%d", i*31%1000, i*7%1000)},
	}
	if n := drain(b, store, q); n == 0 {
		b.Fatal("nothing was found")
	}
}

func fillRecall(b *testing.B, store *Store) {
	b.Helper()
	const episodes = 50_000
	for first := 0; first < episodes; first += batchRows {
		rows := episodeRows(first, min(batchRows, episodes-first))
		if err := store.Append(b.Context(), schema.Episodes, rows); err != nil {
			b.Fatal(err)
		}
		rows.Release()
	}
	if err := store.EnsureIndexes(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := store.EnsureVectorIndex(b.Context(), "model"); err != nil {
		b.Fatal(err)
	}
	if err := store.Optimise(b.Context(), schema.Episodes); err != nil {
		b.Fatal(err)
	}
}

// episodeRows makes episodes of 30 words of a thousand, each with a vector of one model.
func episodeRows(first, count int) arrow.Record {
	builder := array.NewRecordBuilder(memory.NewGoAllocator(), schema.ByName(schema.Episodes).Schema)
	defer builder.Release()
	for c, field := range builder.Schema().Fields() {
		for i := first; i < first+count; i++ {
			switch field.Name {
			case "text":
				text := ""
				for w := range 30 {
					text += fmt.Sprintf("word%d ", (i*i+w*w*37)%1000)
				}
				builder.Field(c).(*array.StringBuilder).Append(text)
			case "model":
				builder.Field(c).(*array.StringBuilder).Append("model")
			default:
				appendSample(builder.Field(c), field.Name, i)
			}
		}
	}
	return builder.NewRecord()
}
