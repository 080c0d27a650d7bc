package gold

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"assay/consumers/bronze"
)

// stateEvents is how many events BenchmarkStates folds, stateSteps how many calls a workflow has.
const (
	stateEvents = 64 << 10
	stateSteps  = 20
)

// statesBatch returns the n-th batch of state events: calls of tools and what was observed, each with an id of its own, of agents
// whose name each event has as its cause. That is the load with the most entities, episodes and links for an event.
func statesBatch(n int) Batch {
	words := strings.Fields("the file has been opened and line edit search test fails because of a missing colon in directory patch submit run")
	var captures []capture
	for i := n * benchRows; len(captures) < benchRows; i++ {
		call := i / 2
		c := capture{event: event{
			kind: bronze.KindToolInvocation, phase: bronze.PhaseStart, capability: fmt.Sprintf("tool-%d", call%12),
			workflow: fmt.Sprintf("workflow-%d", call/stateSteps), intent: fmt.Sprintf("step-%d", call%stateSteps),
			stream: "events", position: uint64(i), ts: epoch + int64(i)*1000, captured: epoch + int64(i)*1000, inputTokens: -1, outputTokens: -1,
			bytes: 600, disposition: bronze.Kept, ownID: true, parent: fmt.Sprintf("agent-%d", call%5), agent: fmt.Sprintf("agent-%d", call%5),
		}, eventID: fmt.Sprint("event-", i)}
		if i%2 == 1 {
			c.kind, c.phase, c.status, c.capability = bronze.KindObservation, bronze.PhaseEnd, bronze.StatusOK, ""
		}
		var text strings.Builder
		for w := range 70 {
			text.WriteString(words[(i*7+w*w)%len(words)] + " ")
		}
		c.text = text.String()
		c.payload = fmt.Sprintf(`{"event_cid":"event-%d","text":%q}`, i, c.text)
		c.id, c.entity = benchID(3, i), benchID(4, call)
		captures = append(captures, c)
	}
	return Batch{uint64(n + 1), record(captures)}
}

// BenchmarkStates tells what a state event costs to fold and to flush, with tables that keep nothing.
func BenchmarkStates(b *testing.B) {
	var batches []Batch
	for n := range stateEvents / benchRows {
		batches = append(batches, statesBatch(n))
	}
	opts := testOptions(discard{})
	opts.CacheBytes = 128 << 20
	for range b.N {
		opts.Dir, opts.FS = b.TempDir(), vfs.Default
		g := open(b, opts)
		busy := processorTime(b)
		for _, batch := range batches {
			if err := g.Apply(context.Background(), []Batch{batch}); err != nil {
				b.Fatal(err)
			}
		}
		folded := processorTime(b) - busy
		if err := g.FlushAll(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(folded.Seconds()*1e6/stateEvents, "fold-cpu-µs/event")
		b.ReportMetric((processorTime(b)-busy).Seconds()*1e6/stateEvents, "cpu-µs/event")
		if err := g.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
