package gold

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// BenchmarkWorkflows reads pages of 50 workflows, of few and of many, each with a title to look up.
func BenchmarkWorkflows(b *testing.B) {
	for _, count := range []int{100, 1_000_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			opts := testOptions(nil)
			opts.Store, opts.Dir, opts.FS = discard{}, b.TempDir(), vfs.Default
			g, err := Open(context.Background(), opts)
			if err != nil {
				b.Fatal(err)
			}
			defer g.Close()
			for from, seq := 0, uint64(1); from < count; from, seq = from+benchRows, seq+1 {
				var captures []capture
				for n := from; n < min(from+benchRows, count); n++ {
					captures = append(captures, aWorkflow(n, "Shall I take my purple umbrella to Oslo?"))
				}
				deliver(b, g, seq, [][]capture{captures})
			}
			var took []time.Duration
			cursor := ""
			for b.Loop() {
				begun := time.Now()
				page, next, err := g.Workflows(context.Background(), cursor, time.Time{}, 50, everyWorkflow)
				if err != nil || len(page) != 50 {
					b.Fatal(len(page), err)
				}
				took, cursor = append(took, time.Since(begun)), next
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/page-p50")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "ms/page-p95")
		})
	}
}
