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
	"assay/internal/tables"
)

// discard is a Store that takes everything and keeps nothing, so that folding is measured alone.
type discard struct{}

func (discard) Append(context.Context, string, arrow.Record) error              { return nil }
func (discard) Merge(context.Context, string, arrow.Record) error               { return nil }
func (discard) Delete(context.Context, string, tables.Filter) error             { return nil }
func (discard) Count(context.Context, string, tables.Filter) (int64, error)     { return 0, nil }
func (discard) Query(context.Context, tables.Query) (array.RecordReader, error) { return nil, nil }

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

// benchWindow is how many batches are measured at a time: enough for the state store to flush and compact.
const benchWindow = 24

// BenchmarkGrowth tells what an event costs around 100 thousand and around 2 million stored ones, and the ratios of the
// two: of time, of processor time with all that the state store does in the background, and of memory.
func BenchmarkGrowth(b *testing.B) {
	for range b.N {
		opts := testOptions(discard{})
		opts.Dir, opts.FS = b.TempDir(), vfs.Default
		g := &grower{B: b, Gold: open(b, opts)}
		few := g.around(100_000)
		many := g.around(2_000_000)
		b.ReportMetric(few.wall, "µs/event@100k")
		b.ReportMetric(many.wall, "µs/event@2M")
		b.ReportMetric(many.wall/few.wall, "ratio")
		b.ReportMetric(few.cpu, "cpu-µs/event@100k")
		b.ReportMetric(many.cpu, "cpu-µs/event@2M")
		b.ReportMetric(many.cpu/few.cpu, "cpu-ratio")
		b.ReportMetric(few.heap, "heap-MB@100k")
		b.ReportMetric(many.heap, "heap-MB@2M")
		if err := g.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// grower folds one batch after the other.
type grower struct {
	*testing.B
	*Gold
	batches int
}

// cost is what an event costs, in microseconds, and the memory in use, in MB.
type cost struct{ wall, cpu, heap float64 }

// around folds up to half a window before an event and measures the window around it, whose batches are made beforehand.
func (g *grower) around(event int) cost {
	for g.batches < event/benchRows-benchWindow/2 {
		g.fold(g.next())
	}
	var window [benchWindow]Batch
	for i := range window {
		window[i] = g.next()
	}
	began, busy := time.Now(), processorTime(g)
	for _, batch := range window {
		g.fold(batch)
	}
	busy, wall := processorTime(g)-busy, time.Since(began)
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	perEvent := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / (benchWindow * benchRows) }
	return cost{perEvent(wall), perEvent(busy), float64(memory.HeapAlloc) / 1e6}
}

func (g *grower) next() Batch {
	g.batches++
	return benchBatch(g.batches - 1)
}

// fold folds a batch and brings the tables up to date.
func (g *grower) fold(batch Batch) {
	defer batch.Record.Release()
	if err := errors.Join(g.Apply(context.Background(), []Batch{batch}), g.Flush(context.Background())); err != nil {
		g.Fatal(err)
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
