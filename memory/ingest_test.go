package memory

import (
	"context"
	"fmt"
	"testing"
	"time"

	"assay/internal/query"
)

// Ingest runs at the same rate whatever the endpoint of embeddings does; what waits is embedded once it answers again.
func BenchmarkIngestBesideEndpoint(b *testing.B) {
	const workflows = 100
	for _, state := range []string{"", slow, stuck, failing, down} {
		name := state
		if name == "" {
			name = "good"
		}
		b.Run("endpoint="+name, func(b *testing.B) {
			var took, caughtUp time.Duration
			for b.Loop() {
				server := newEndpoint(b)
				server.set(b, state)
				m := openWith(b, b.TempDir(), WithEmbeddings(server.URL, "model-8", 8))
				begun := time.Now()
				for i := range workflows {
					if err := m.Record(b.Context(), Event, fmt.Sprintf("workflow-%d", i), "", scaleWorkflow(i)); err != nil {
						b.Fatal(err)
					}
				}
				awaitStatus(b, m, func(s *query.Summary) bool { return s.Gold.Traces == workflows*scaleEvents })
				took += time.Since(begun)

				begun = time.Now()
				server.set(b, "")
				if err := m.Settle(context.Background()); err != nil {
					b.Fatal(err)
				}
				awaitStatus(b, m, func(s *query.Summary) bool { return s.Embeddings.Pending == 0 })
				caughtUp += time.Since(begun)
				shut(b, m)
			}
			b.ReportMetric(float64(b.N*workflows*scaleEvents)/took.Seconds(), "events/s")
			b.ReportMetric(caughtUp.Seconds()/float64(b.N), "s-to-catch-up")
		})
	}
}

func awaitStatus(b *testing.B, m *Memory, holds func(*query.Summary) bool) {
	b.Helper()
	eventually(b, "status", func() bool {
		s, err := m.pipeline.View().Status(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return holds(s)
	})
}
