package memory

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	arrowmemory "github.com/apache/arrow/go/v17/arrow/memory"

	"assay/internal/budget"
	"assay/internal/embed"
	"assay/internal/query"
	"assay/sovereign"
	"assay/sovereign/schema"
)

// Workflows of this size make up the large tables: 200 events each, of which every tenth settles an entity.
const (
	scaleEvents   = 200
	scaleEntities = scaleEvents / 10
	scaleBatch    = 16_384
)

// sizes returns the numbers of rows to measure with; SCALE_ROWS=100000,1000000 measures more than the defaults.
func sizes(b *testing.B, defaults ...int) []int {
	text := os.Getenv("SCALE_ROWS")
	if text == "" {
		return defaults
	}
	var sizes []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil {
			b.Fatalf("SCALE_ROWS: %v", err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// A rehydration reads one workflow's 20 calls and its counts, and takes the same however many others there are: the last figure
// compares the medians. Everything went the whole way, from the log on.
func BenchmarkRehydrate(b *testing.B) {
	var first time.Duration // the median of the smallest
	for _, traces := range sizes(b, 20_000, 200_000) {
		b.Run(fmt.Sprintf("traces=%d", traces), func(b *testing.B) {
			m, err := Open(b.Context(), b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() {
				if err := m.Close(context.Background()); err != nil {
					b.Error(err)
				}
			})
			workflows := traces / scaleEvents
			for i := range workflows {
				if err := m.Record(b.Context(), Event, fmt.Sprintf("workflow-%d", i), "", scaleWorkflow(i)); err != nil {
					b.Fatal(err)
				}
			}
			if err := m.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
			begun := time.Now()
			if err := m.pipeline.Maintain(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.Logf("upkeep took %s", time.Since(begun).Round(time.Millisecond))
			random := rand.New(rand.NewPCG(1, 2))
			median := measure(b, func() {
				w, err := m.Rehydrate(b.Context(), fmt.Sprintf("workflow-%d", random.IntN(workflows)), RehydrateOptions{})
				if err != nil || w.Events != scaleEvents || w.EntitiesTotal != scaleEntities {
					b.Fatalf("%+v, %v", w, err)
				}
			})
			if first == 0 {
				first = median
			}
			b.ReportMetric(float64(median)/float64(first), "x-p50-of-first")
		})
	}
}

// scaleWorkflow is a workflow of calls with steps, one event a line.
func scaleWorkflow(i int) []byte {
	var body bytes.Buffer
	for e := range scaleEvents {
		kind := "observation"
		if e%(scaleEvents/scaleEntities) == 0 {
			kind = "tool_invocation"
		}
		fmt.Fprintf(&body, `{"type":%q,"intent_id":"%d","tool_name":"tool","event_cid":"%d-%d","payload":"step %d of so many words"}`+"\n",
			kind, e*scaleEntities/scaleEvents, i, e, e)
	}
	return body.Bytes()
}

// A recall finds ten of many episodes, by vector index and by words, and is compared with an exact search: with the built-in
// embedder, and with dense vectors as models of sentences give.
func BenchmarkRecall(b *testing.B) {
	texts := newTexts()
	for _, episodes := range sizes(b, 50_000) {
		for name, embedder := range map[string]embedder{"hashing": embed.Hashing{}, "averages": newAverages(texts)} {
			b.Run(fmt.Sprintf("episodes=%d/vectors=%s", episodes, name), func(b *testing.B) {
				store := scaleStore(b, embedder.Dimensions())
				fillEpisodes(b, store, episodes, texts, embedder)
				maintain(b, store, embedder)
				benchRecall(b, &query.Local{Store: store, Embedder: embedder, States: unquarantined{}}, texts)
			})
		}
	}
}

type embedder interface {
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	Model() string
	Dimensions() int
}

func benchRecall(b *testing.B, local *query.Local, texts *texts) {
	for _, c := range []struct {
		name    string
		request query.RecallRequest
	}{
		{"vector", query.RecallRequest{Mode: query.ModeVector}},
		{"vector-in-workflow", query.RecallRequest{Mode: query.ModeVector, Workflow: "workflow-77"}},
		{"vector-of-kind", query.RecallRequest{Mode: query.ModeVector, Kind: rareKind}},
		{"text", query.RecallRequest{Mode: query.ModeText}},
		{"hybrid", query.RecallRequest{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(3, 4))
			measure(b, func() {
				c.request.Query = texts.query(random)
				if _, err := local.Recall(b.Context(), c.request); err != nil {
					b.Fatal(err)
				}
			})
			if c.request.Mode == query.ModeVector {
				b.ReportMetric(recallAt10(b, local, texts, c.request), "recall@10")
			}
		})
	}
}

// recallAt10 is the share of the ten nearest episodes that a search by index finds, over some queries.
func recallAt10(b *testing.B, local *query.Local, texts *texts, request query.RecallRequest) float64 {
	const queries = 50
	random := rand.New(rand.NewPCG(5, 6))
	found, all := 0, 0
	for range queries {
		request.Query, request.Exact = texts.query(random), false
		quick, err := local.Recall(b.Context(), request)
		if err != nil {
			b.Fatal(err)
		}
		request.Exact = true
		exact, err := local.Recall(b.Context(), request)
		if err != nil {
			b.Fatal(err)
		}
		for _, want := range exact {
			all++
			// One that is just as near is as good.
			if slices.ContainsFunc(quick, func(h query.Hit) bool { return h.EpisodeUUID == want.EpisodeUUID }) ||
				len(quick) == len(exact) && quick[len(quick)-1].Similarity >= want.Similarity-1e-6 {
				found++
			}
		}
	}
	return float64(found) / float64(all)
}

// samples is how often measure calls for each loop of the benchmark, so that one loop is enough for quantiles.
const samples = 200

// measure reports the quantiles of how long do takes, and returns the median.
func measure(b *testing.B, do func()) time.Duration {
	for range 20 { // caches
		do()
	}
	var took []time.Duration
	for b.Loop() {
		for range samples {
			begun := time.Now()
			do()
			took = append(took, time.Since(begun))
		}
	}
	slices.Sort(took)
	quantile := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))] }
	b.ReportMetric(0, "ns/op") // of so many calls says nothing
	b.ReportMetric(quantile(0.50).Seconds()*1e3, "p50-ms")
	b.ReportMetric(quantile(0.99).Seconds()*1e3, "p99-ms")
	return quantile(0.50)
}

func scaleStore(b *testing.B, dimensions int) *sovereign.Store {
	store, err := sovereign.Open(b.Context(), b.TempDir(), sovereign.OptionsFor(dimensions, budget.For(0)))
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

func maintain(b *testing.B, store *sovereign.Store, embedder embedder) {
	begun := time.Now()
	if err := store.EnsureIndexes(b.Context()); err != nil {
		b.Fatal(err)
	}
	scalar := time.Since(begun)
	if err := store.EnsureVectorIndex(b.Context(), embedder.Model()); err != nil {
		b.Fatal(err)
	}
	vector := time.Since(begun) - scalar
	if err := store.Optimise(b.Context(), schema.Episodes); err != nil {
		b.Fatal(err)
	}
	b.Logf("the index of vectors took %s, the others %s, all upkeep %s", vector.Round(time.Millisecond),
		scalar.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
}

func appendAll(b *testing.B, store *sovereign.Store, table string, rows *array.RecordBuilder) {
	defer rows.Release()
	record := rows.NewRecord()
	defer record.Release()
	if err := store.Append(b.Context(), table, record); err != nil {
		b.Fatal(err)
	}
}

// rareKind is that of every tenth episode.
const rareKind = "observation"

func fillEpisodes(b *testing.B, store *sovereign.Store, count int, texts *texts, embedder embedder) {
	random := rand.New(rand.NewPCG(7, 8))
	for first := 0; first < count; first += scaleBatch {
		rows := array.NewRecordBuilder(arrowmemory.DefaultAllocator, schema.EpisodesSchema(embedder.Dimensions()))
		for i := first; i < min(first+scaleBatch, count); i++ {
			text := texts.episode(random)
			kind := "message"
			if i%10 == 0 {
				kind = rareKind
			}
			vectors, err := embedder.Embed(b.Context(), []string{text})
			if err != nil {
				b.Fatal(err)
			}
			for c, value := range []any{
				fmt.Sprintf("%08x-d298-5473-a93a-%012x", uint32(i)*2654435761, i), "entity", fmt.Sprintf("workflow-%d", i/20),
				nil, nil, kind, int64(i), "stream", int64(i), int64(0), text, vectors[0], embedder.Model(), int64(embedder.Dimensions()),
				nil,
			} {
				appendValue(rows.Field(c), value)
			}
		}
		appendAll(b, store, schema.Episodes, rows)
	}
}

func appendValue(to array.Builder, value any) {
	switch v := value.(type) {
	case nil:
		to.AppendNull()
	case string:
		to.(*array.StringBuilder).Append(v)
	case int64:
		if ts, ok := to.(*array.TimestampBuilder); ok {
			ts.Append(arrow.Timestamp(v))
			return
		}
		to.(*array.Int64Builder).Append(v)
	case []float32:
		list := to.(*array.FixedSizeListBuilder)
		list.Append(true)
		list.ValueBuilder().(*array.Float32Builder).AppendValues(v, nil)
	}
}

// unquarantined is a state of which nothing was taken back.
type unquarantined struct{ query.States }

func (unquarantined) Quarantines(context.Context) (bool, error) { return false, nil }
