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

	"assay/internal/embed"
	"assay/internal/tables"
	"assay/internal/view"
	"assay/sovereign"
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

// A rehydration reads one workflow's 20 calls and its counts. Everything went the whole way, from the log on.
func BenchmarkRehydrate(b *testing.B) {
	for _, traces := range sizes(b, 20_000) {
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
			measure(b, func() {
				w, err := m.Rehydrate(b.Context(), fmt.Sprintf("workflow-%d", random.IntN(workflows)), RehydrateOptions{})
				if err != nil || w.Events != scaleEvents || w.EntitiesTotal != scaleEntities {
					b.Fatalf("%+v, %v", w, err)
				}
			})
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

// A recall finds ten of many episodes, by vector index and by words, and is compared with an exact search.
func BenchmarkRecall(b *testing.B) {
	for _, episodes := range sizes(b, 20_000) {
		b.Run(fmt.Sprintf("episodes=%d", episodes), func(b *testing.B) {
			store := scaleStore(b)
			texts := newTexts()
			fillEpisodes(b, store, episodes, texts)
			maintain(b, store, tables.Episodes)
			local := &view.Local{Store: store, Embedder: embed.Hashing{}}
			for _, mode := range []string{view.ModeVector, view.ModeText, view.ModeHybrid} {
				b.Run(mode, func(b *testing.B) {
					random := rand.New(rand.NewPCG(3, 4))
					measure(b, func() {
						if _, err := local.Recall(b.Context(), view.RecallRequest{Query: texts.query(random), Mode: mode}); err != nil {
							b.Fatal(err)
						}
					})
					if mode == view.ModeVector {
						b.ReportMetric(recallAt10(b, local, texts), "recall@10")
					}
				})
			}
		})
	}
}

// recallAt10 is the share of the ten nearest episodes that a search by index finds, over some queries.
func recallAt10(b *testing.B, local *view.Local, texts *texts) float64 {
	const queries = 100
	random := rand.New(rand.NewPCG(5, 6))
	found, all := 0, 0
	for range queries {
		request := view.RecallRequest{Query: texts.query(random), Mode: view.ModeVector}
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
			if slices.ContainsFunc(quick, func(h view.Hit) bool { return h.EpisodeUUID == want.EpisodeUUID }) ||
				len(quick) == len(exact) && quick[len(quick)-1].Similarity >= want.Similarity-1e-6 {
				found++
			}
		}
	}
	return float64(found) / float64(all)
}

// measure runs do b.N times and reports the quantiles of how long it took.
func measure(b *testing.B, do func()) {
	for range 20 { // caches
		do()
	}
	var took []time.Duration
	for b.Loop() {
		begun := time.Now()
		do()
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	for name, q := range map[string]float64{"p50-ms": 0.50, "p99-ms": 0.99} {
		b.ReportMetric(took[int(q*float64(len(took)-1))].Seconds()*1e3, name)
	}
}

func scaleStore(b *testing.B) *sovereign.Store {
	store, err := sovereign.Open(b.Context(), b.TempDir(), sovereign.Options{VectorIndexRows: 10_000})
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

func maintain(b *testing.B, store *sovereign.Store, names ...string) {
	begun := time.Now()
	if err := store.EnsureIndexes(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		if err := store.Optimise(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("upkeep took %s", time.Since(begun).Round(time.Millisecond))
}

func appendAll(b *testing.B, store *sovereign.Store, table string, rows *array.RecordBuilder) {
	defer rows.Release()
	record := rows.NewRecord()
	defer record.Release()
	if err := store.Append(b.Context(), table, record); err != nil {
		b.Fatal(err)
	}
}

func fillEpisodes(b *testing.B, store *sovereign.Store, count int, texts *texts) {
	random := rand.New(rand.NewPCG(7, 8))
	for first := 0; first < count; first += scaleBatch {
		rows := array.NewRecordBuilder(arrowmemory.DefaultAllocator, tables.EpisodesSchema(embed.Dimensions))
		for i := first; i < min(first+scaleBatch, count); i++ {
			text := texts.episode(random)
			vectors, err := embed.Hashing{}.Embed(b.Context(), []string{text})
			if err != nil {
				b.Fatal(err)
			}
			for c, value := range []any{
				fmt.Sprintf("%08x-d298-5473-a93a-%012x", uint32(i)*2654435761, i), "entity", fmt.Sprintf("workflow-%d", i/20),
				nil, nil, "message", int64(i), "stream", int64(i), int64(0), text, vectors[0], embed.Hashing{}.Model(), int64(embed.Dimensions),
			} {
				appendValue(rows.Field(c), value)
			}
		}
		appendAll(b, store, tables.Episodes, rows)
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

// texts makes sentences: words by Zipf's law, drawn from one of many topics, as real texts cluster.
type texts struct{ words []string }

const (
	vocabulary  = 20_000
	topics      = 2_000
	topicWords  = 60
	textWords   = 25
	queryWords  = 8
	commonShare = 0.4
)

func newTexts() *texts {
	syllables := strings.Fields("ba ce di fo gu ka le mi no pu ra se ti vo xu za che dri flo gra")
	t := &texts{words: make([]string, vocabulary)}
	random := rand.New(rand.NewPCG(9, 10))
	for i := range t.words {
		for range 2 + random.IntN(3) {
			t.words[i] += syllables[random.IntN(len(syllables))]
		}
	}
	return t
}

func (t *texts) episode(r *rand.Rand) string { return t.sentence(r, textWords) }
func (t *texts) query(r *rand.Rand) string   { return t.sentence(r, queryWords) }

func (t *texts) sentence(r *rand.Rand, length int) string {
	topic := rand.New(rand.NewPCG(11, uint64(r.IntN(topics))))
	own := make([]int, topicWords)
	for i := range own {
		own[i] = topic.IntN(vocabulary)
	}
	zipf := rand.NewZipf(r, 1.2, 4, vocabulary-1)
	words := make([]string, length)
	for i := range words {
		if r.Float64() < commonShare {
			words[i] = t.words[zipf.Uint64()]
		} else {
			words[i] = t.words[own[r.IntN(topicWords)]]
		}
	}
	return strings.Join(words, " ")
}
