package gold

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"assay/consumers/bronze"
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
		c := capture{event: event{
			workflow: fmt.Sprintf("workflow-%d", story/20), stream: fmt.Sprintf("workflow-%d/stream-%d", story/20, story),
			position: uint64(step), ts: never, captured: epoch + int64(i)*100, inputTokens: -1, outputTokens: -1, bytes: 200,
			disposition: bronze.Kept,
		}}
		if step < streamEvents {
			c.kind, c.phase, c.intent, c.capability = bronze.KindTextDelta, bronze.PhaseDelta, c.stream, "gpt-5"
			c.text = fmt.Sprintf("a piece %d ", step)
			c.payload = fmt.Sprintf(`{"id":"chatcmpl-%d","object":"chat.completion.chunk","model":"gpt-5","choices":[{"index":0,"delta":{"content":"a piece %d "}}]}`, story, step)
			c.fragments = []bronze.Fragment{{Part: "0", Type: bronze.FragmentText, Text: c.text}}
			if step == streamEvents-1 {
				c.kind, c.phase, c.fragments = bronze.KindMessageEnd, bronze.PhaseEnd, nil
			}
		} else {
			c.intent, c.provider = fmt.Sprintf("%s/client/%d", c.stream, step/2), "mcp"
			c.payload = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/tmp/%d"}}}`, step/2, i)
			c.kind, c.phase, c.capability = bronze.KindRPCRequest, bronze.PhaseStart, "read_file"
			if step%2 == 1 {
				c.kind, c.phase, c.capability = bronze.KindRPCResponse, bronze.PhaseEnd, ""
			}
		}
		c.id = benchID(1, i)
		c.entity = benchID(2, story*3)
		if step >= streamEvents {
			c.entity = benchID(2, story*3+1+(step-streamEvents)/2)
		}
		captures = append(captures, c)
	}
	return Batch{uint64(n + 1), record(captures)}
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
