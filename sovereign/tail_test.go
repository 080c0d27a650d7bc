package sovereign

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"assay/sovereign/schema"
)

// What is found does not depend on what of the table is indexed: in memory, on disk, partly each, or not at all.
func TestRankedAnswersDoNotDependOnIndexes(t *testing.T) {
	store := openStore(t, t.TempDir())
	t.Cleanup(func() { limitTail(store.opts.TailRows) })
	random := rand.New(rand.NewPCG(5, 6))
	words := strings.Fields("linker memory build fails parser token deadlock row invoice paid twice weather rain paris the of")
	told := func(n int) (list []string) {
		for range n {
			var text []string
			for range 3 + random.IntN(9) {
				text = append(text, words[random.IntN(len(words))])
			}
			list = append(list, strings.Join(text, " "))
		}
		return list
	}
	queries := []schema.Query{
		{Match: &schema.Match{Column: "text", Text: "linker failing"}},
		{Match: &schema.Match{Column: "text", Text: "invoice paid in Paris"}, Where: schema.Lt("position", 40)},
		{Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(3)}},
		{Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(77)}, Where: schema.Ge("position", 20)},
	}
	check := func(state string) {
		t.Helper()
		for i, q := range queries {
			q.Table, q.Columns, q.Limit = schema.Episodes, []string{"episode_uuid"}, 15
			limitTail(store.opts.TailRows)
			memory := found(t, store, q)
			limitTail(0)
			read := found(t, store, q)
			if diff := difference(memory, read); diff != "" {
				t.Errorf("%s, query %d: %s", state, i, diff)
			}
		}
		limitTail(store.opts.TailRows)
	}
	appendTexts(t, store, told(60)...)
	check("in memory")
	if err := store.Delete(t.Context(), schema.Episodes, schema.Lt("position", 3)); err != nil {
		t.Fatal(err)
	}
	check("with deletions")
	if err := store.Optimise(t.Context(), schema.Episodes); err != nil {
		t.Fatal(err)
	}
	check("indexed")
	appendTexts(t, store, told(5)...)
	if err := store.Delete(t.Context(), schema.Episodes, schema.Eq("position", 30)); err != nil {
		t.Fatal(err)
	}
	check("partly indexed")
}

// found returns the scores of what a query finds, by id.
func found(t *testing.T, store *Store, q schema.Query) map[string]float32 {
	t.Helper()
	rows := readAll(t, store, q)
	column := "_score"
	if q.Nearest != nil {
		column = "_distance"
	}
	scores := map[string]float32{}
	for i, id := range texts(rows, "episode_uuid") {
		scores[id] = numbers(rows, column)[i]
	}
	return scores
}

// difference tells where two answers differ by more than what words weigh: reading weighs them by the rows that the filter selects,
// an index by all. Of rows with equal scores either may be the last.
func difference(a, b map[string]float32) string {
	if len(a) != len(b) {
		return fmt.Sprintf("%d and %d rows", len(a), len(b))
	}
	scores := func(m map[string]float32) (list []float64) {
		for _, s := range m {
			list = append(list, float64(s))
		}
		slices.Sort(list)
		return list
	}
	for i, x := range scores(a) {
		if y := scores(b)[i]; math.Abs(x-y) > 0.15*math.Abs(x)+1e-4 {
			return fmt.Sprintf("scores %v and %v", scores(a), scores(b))
		}
	}
	return ""
}

// A query by vector and text says of each row where it stands in both lists.
func TestFusedQuery(t *testing.T) {
	for _, indexed := range []bool{false, true} {
		store := openStore(t, t.TempDir())
		appendTexts(t, store, "one of the cats", "two dogs", "three cats and cats", "four birds")
		if indexed {
			if err := store.Optimise(t.Context(), schema.Episodes); err != nil {
				t.Fatal(err)
			}
		}
		rows := readAll(t, store, schema.Query{
			Table: schema.Episodes, Columns: []string{"text"}, Limit: 4,
			Nearest: &schema.Nearest{Column: "vector", Vector: sampleVector(2)}, Match: &schema.Match{Column: "text", Text: "cat"},
		})
		got := texts(rows, "text")
		if len(got) != 4 || got[0] != "three cats and cats" || got[1] != "one of the cats" {
			t.Errorf("indexed %t: %q", indexed, got)
		}
		if d := numbers(rows, "_distance")[0]; d > 1e-5 {
			t.Errorf("indexed %t: the first is %g away", indexed, d)
		}
	}
}

// Small steps bring the indexes up to date once they lack many rows, and not before.
func TestExtendIndexes(t *testing.T) {
	store := openStore(t, t.TempDir())
	appendRows(t, store, schema.Entities, 10)
	if err := store.EnsureIndexes(t.Context()); err != nil {
		t.Fatal(err)
	}
	lacking := func() int64 { return indexOn(t, store, schema.Entities, "workflow_id").RowsUnindexed }
	for _, step := range []struct{ from, rows, want int }{{10, 100, 100}, {110, extendRows, 0}} {
		if err := store.Append(t.Context(), schema.Entities, sampleRows(t, schema.Entities, step.from, step.rows)); err != nil {
			t.Fatal(err)
		}
		if err := store.ExtendIndexes(t.Context(), schema.Entities, false); err != nil {
			t.Fatal(err)
		}
		if got := lacking(); got != int64(step.want) {
			t.Errorf("after %d more rows the index lacks %d, want %d", step.rows, got, step.want)
		}
	}
}

// In a burst that nobody asks about, what questions are ranked by is left to the time after.
func TestABurstThatNobodyAsksAboutIsIndexedAfterIt(t *testing.T) {
	for _, unasked := range []bool{false, true} {
		store, err := Open(t.Context(), t.TempDir(), Options{TailRows: 16, Unasked: unasked})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		appendTexts(t, store, "first")
		if err := store.EnsureIndexes(t.Context()); err != nil {
			t.Fatal(err)
		}
		appendTexts(t, store, strings.Fields(strings.Repeat("more ", 20))...)
		for _, burst := range []bool{true, false} {
			if err := store.ExtendIndexes(t.Context(), schema.Episodes, burst); err != nil {
				t.Fatal(err)
			}
			if left, want := indexOn(t, store, schema.Episodes, textColumn).RowsUnindexed > 0, burst && unasked; left != want {
				t.Errorf("nobody asks %t, in a burst %t: rows are left %t, want %t", unasked, burst, left, want)
			}
		}
	}
}
