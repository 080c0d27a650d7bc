package memory

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"assay/internal/embed"
	"assay/internal/tables"
)

func cpu() time.Duration {
	var r syscall.Rusage
	syscall.Getrusage(0, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func BenchmarkTmp(b *testing.B) {
	for _, n := range sizes(b, 100_000) {
		store := scaleStore(b)
		texts := newTexts()
		fillEpisodes(b, store, n, texts)
		maintain(b, store, tables.Episodes)
		random := rand.New(rand.NewPCG(1, 2))
		run := func(name string, do func(v []float32)) {
			var total, best time.Duration = 0, time.Hour
			c0 := cpu()
			for i := range 120 {
				v, _ := embed.Hashing{}.Embed(b.Context(), []string{texts.query(random)})
				if i == 20 { c0 = cpu(); total = 0 }
				t := time.Now()
				do(v[0])
				best = min(best, time.Since(t))
				total += time.Since(t)
			}
			fmt.Printf("%d %-28s cpu %v wall %v best %v\n", n, name, (cpu()-c0)/100, total/100, best)
		}
		q := func(q tables.Query) {
			q.Table, q.Limit = tables.Episodes, 10
			r, err := store.Query(b.Context(), q)
			if err != nil { b.Fatal(err) }
			for r.Next() {}
			r.Release()
		}
		cols := []string{"episode_uuid", "text"}
		model := tables.Eq("model", embed.Hashing{}.Model())
		run("vector", func(v []float32) { q(tables.Query{Columns: cols, Nearest: &tables.Nearest{Column: "vector", Vector: v}}) })
		run("vector + model", func(v []float32) { q(tables.Query{Columns: cols, Where: model, Nearest: &tables.Nearest{Column: "vector", Vector: v}}) })
		run("vector + workflow", func(v []float32) { q(tables.Query{Columns: cols, Where: tables.Eq("workflow_id", "workflow-77"), Nearest: &tables.Nearest{Column: "vector", Vector: v}}) })
		run("exact", func(v []float32) { q(tables.Query{Columns: cols, Nearest: &tables.Nearest{Column: "vector", Vector: v, Exact: true}}) })
		run("count model", func(v []float32) { store.Count(b.Context(), tables.Episodes, model) })
		run("count pending", func(v []float32) { store.Count(b.Context(), tables.Episodes, tables.Or(tables.IsNull("model"), tables.Ne("model", embed.Hashing{}.Model()))) })
	}
}
