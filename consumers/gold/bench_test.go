package gold

import (
	"context"
	"encoding/binary"
	"fmt"
	"testing"

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

func BenchmarkApply(b *testing.B) {
	for _, stored := range []int{100_000, 2_000_000} {
		b.Run(fmt.Sprintf("stored=%d", stored), func(b *testing.B) {
			opts := testOptions(discard{})
			opts.Dir, opts.FS = b.TempDir(), vfs.Default
			g := open(b, opts)
			defer g.Close()
			n := 0
			apply := func() {
				batch := benchBatch(n)
				defer batch.Record.Release()
				n++
				b.StartTimer()
				if err := g.Apply(context.Background(), []Batch{batch}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
			}
			for n*benchRows < stored {
				apply()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				apply()
			}
			b.ReportMetric(float64(b.N*benchRows)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
