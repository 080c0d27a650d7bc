package gold

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/sovereign/schema"
)

// discard is a Store that takes everything and keeps nothing, so that folding is measured alone.
type discard struct{}

func (discard) Append(context.Context, string, arrow.Record) error              { return nil }
func (discard) Merge(context.Context, string, arrow.Record) error               { return nil }
func (discard) Delete(context.Context, string, schema.Filter) error             { return nil }
func (discard) Count(context.Context, string, schema.Filter) (int64, error)     { return 0, nil }
func (discard) Query(context.Context, schema.Query) (array.RecordReader, error) { return nil, nil }

// benchRows is how many rows a batch has, and streamEvents how many events a model's answer.
const (
	benchRows    = 8192
	streamEvents = 50
)

// benchBatch returns the n-th batch: per 54 events one answer of a model and two calls of tools.
func benchBatch(n int) Batch {
	var captures []capture
	for i := n * benchRows; len(captures) < benchRows; i++ {
		story, step := i/(streamEvents+4), i%(streamEvents+4)
		c := capture{Event: model.Event{
			Workflow: fmt.Sprintf("workflow-%d", story/20), Stream: fmt.Sprintf("workflow-%d/stream-%d", story/20, story),
			Position: uint64(step), TS: model.Never, Captured: epoch + int64(i)*100, InputTokens: -1, OutputTokens: -1, Bytes: 200,
			Disposition: bronze.Kept,
		}}
		if step < streamEvents {
			c.Kind, c.Phase, c.Intent, c.Capability = bronze.KindTextDelta, bronze.PhaseDelta, c.Stream, "gpt-5"
			c.Text = fmt.Sprintf("a piece %d ", step)
			c.Payload = fmt.Sprintf(`{"id":"chatcmpl-%d","object":"chat.completion.chunk","model":"gpt-5","choices":[{"index":0,"delta":{"content":"a piece %d "}}]}`, story, step)
			c.fragments = []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: c.Text}}
			if step == streamEvents-1 {
				c.Kind, c.Phase, c.fragments = bronze.KindMessageEnd, bronze.PhaseEnd, nil
			}
		} else {
			c.Intent, c.Provider = fmt.Sprintf("%s/client/%d", c.Stream, step/2), "mcp"
			c.Payload = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/tmp/%d"}}}`, step/2, i)
			c.Kind, c.Phase, c.Capability = bronze.KindRPCRequest, bronze.PhaseStart, "read_file"
			if step%2 == 1 {
				c.Kind, c.Phase, c.Capability = bronze.KindRPCResponse, bronze.PhaseEnd, ""
			}
		}
		c.ID = benchID(1, i)
		c.Entity = benchID(2, story*3)
		if step >= streamEvents {
			c.Entity = benchID(2, story*3+1+(step-streamEvents)/2)
		}
		captures = append(captures, c)
	}
	return Batch{Seq: uint64(n + 1), Record: record(captures)}
}

// benchID spreads numbers over the ids as hashes do.
func benchID(kind byte, n int) (id uuid.UUID) {
	h := uint64(n)*0x9e3779b97f4a7c15 + uint64(kind)
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 32
	binary.BigEndian.PutUint64(id[:], h)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// benchWindow is how many batches are made at a time, so that making them is not measured.
const benchWindow = 24

// BenchmarkGrowth tells what an event costs around 100 thousand and around 2 million stored ones, and the ratios of the
// two: of time, of processor time with all that the state store does in the background, and of memory. Around 2 million it
// measures several of the compactions, of which there is one every 70 batches or so.
func BenchmarkGrowth(b *testing.B) {
	const until = 2_000_000/benchRows/benchWindow + 3 // windows
	var few, many cost
	for range b.N {
		grow(b, 0, 1, &few)
		grow(b, until-6, until, &many)
		grow(b, 0, 1, &few) // again, for the machine may be slower at one time than at another
	}
	b.ReportMetric(few.wall(), "µs/event@100k")
	b.ReportMetric(many.wall(), "µs/event@2M")
	b.ReportMetric(many.wall()/few.wall(), "ratio")
	b.ReportMetric(few.busy(), "cpu-µs/event@100k")
	b.ReportMetric(many.busy(), "cpu-µs/event@2M")
	b.ReportMetric(many.busy()/few.busy(), "cpu-ratio")
	b.ReportMetric(few.heap, "heap-MB@100k")
	b.ReportMetric(many.heap, "heap-MB@2M")
}

// cost is what events cost, and the memory in use after the last, in MB.
type cost struct {
	time, cpu time.Duration
	events    int
	heap      float64
}

func (c *cost) wall() float64 { return c.time.Seconds() * 1e6 / float64(c.events) }
func (c *cost) busy() float64 { return c.cpu.Seconds() * 1e6 / float64(c.events) }

// grow folds windows into a Gold of its own, and measures those from one on up to another.
func grow(b *testing.B, from, to int, c *cost) {
	b.Helper()
	opts := testOptions(discard{})
	opts.Dir, opts.FS = b.TempDir(), vfs.Default
	g := open(b, opts)
	for i := range to {
		var batches [benchWindow]Batch
		for n := range batches {
			batches[n] = benchBatch(i*benchWindow + n)
		}
		began, busy := time.Now(), processorTime(b)
		for _, batch := range batches {
			foldAndFlush(b, g, batch)
		}
		if i >= from {
			c.time += time.Since(began)
			c.cpu += processorTime(b) - busy
			c.events += benchWindow * benchRows
		}
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	c.heap = float64(memory.HeapAlloc) / 1e6
	if err := g.Close(); err != nil {
		b.Fatal(err)
	}
}

// foldAndFlush folds a batch and brings the tables up to date.
func foldAndFlush(b *testing.B, g *Gold, batch Batch) {
	defer batch.Record.Release()
	if err := errors.Join(g.Apply(context.Background(), []Batch{batch}), g.Flush(context.Background())); err != nil {
		b.Fatal(err)
	}
}

// processorTime is what the process has used so far.
func processorTime(t tester) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

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
		c := capture{Event: model.Event{
			Kind: bronze.KindToolInvocation, Phase: bronze.PhaseStart, Capability: fmt.Sprintf("tool-%d", call%12),
			Workflow: fmt.Sprintf("workflow-%d", call/stateSteps), Intent: fmt.Sprintf("step-%d", call%stateSteps),
			Stream: "events", Position: uint64(i), TS: epoch + int64(i)*1000, Captured: epoch + int64(i)*1000, InputTokens: -1, OutputTokens: -1,
			Bytes: 600, Disposition: bronze.Kept, OwnID: true, Parent: fmt.Sprintf("agent-%d", call%5), Agent: fmt.Sprintf("agent-%d", call%5),
		}, eventID: fmt.Sprint("event-", i)}
		if i%2 == 1 {
			c.Kind, c.Phase, c.Status, c.Capability = bronze.KindObservation, bronze.PhaseEnd, bronze.StatusOK, ""
		}
		var text strings.Builder
		for w := range 70 {
			text.WriteString(words[(i*7+w*w)%len(words)] + " ")
		}
		c.Text = text.String()
		c.Payload = fmt.Sprintf(`{"event_cid":"event-%d","text":%q}`, i, c.Text)
		c.ID, c.Entity = benchID(3, i), benchID(4, call)
		captures = append(captures, c)
	}
	return Batch{Seq: uint64(n + 1), Record: record(captures)}
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
