package kernels

import (
	"crypto/sha1"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/google/uuid"
)

// The benchmarks run a kernel over a million rows, in batches of a size that Silver uses, in turn with bare sha1.Sum over
// the same messages, prepared beforehand. x-sha1 is how many times as long the kernel takes, by the medians of the
// batches, so that a busy machine slows both alike.
const (
	benchRows  = 1_000_000
	benchBatch = 8192
)

// BenchmarkIdentify normalises, joins and hashes two-part keys of 39 bytes.
func BenchmarkIdentify(b *testing.B) {
	k := newBenchKeys()
	compare(b, k.ids, func(from, to int) {
		intents, workflows := cut(k.intents, from, to), cut(k.workflows, from, to)
		ids := must(Identify(memory.DefaultAllocator, Namespace, false, intents, workflows))
		release(intents, workflows, ids)
	})
}

// BenchmarkUUIDv5 hashes only.
func BenchmarkUUIDv5(b *testing.B) {
	k := newBenchKeys()
	compare(b, k.ids, func(from, to int) {
		names := cut(k.names, from, to)
		release(names, must(UUIDv5(memory.DefaultAllocator, Namespace, names)))
	})
}

// BenchmarkGoogleUUID is the usual library, called per row.
func BenchmarkGoogleUUID(b *testing.B) {
	k := newBenchKeys()
	compare(b, k.ids, func(from, to int) {
		for row := from; row < to; row++ {
			id := uuid.NewSHA1(Namespace, []byte(k.names.Value(row)))
			sink += id[0]
		}
	})
}

// compare runs kernel over all batches, in turn with sha1.Sum over the messages of their rows.
func compare(b *testing.B, bare *messages, kernel func(from, to int)) {
	b.Helper()
	var hashing, running []time.Duration
	for b.Loop() {
		for from := 0; from+benchBatch <= benchRows; from += benchBatch {
			start := time.Now()
			bare.sum(from, from+benchBatch)
			hashed := time.Now()
			kernel(from, from+benchBatch)
			hashing = append(hashing, hashed.Sub(start))
			running = append(running, time.Since(hashed))
		}
	}
	b.ReportMetric(median(running)/median(hashing), "x-sha1")
	b.ReportMetric(benchBatch/median(running), "rows/s")
	b.ReportMetric(0, "ns/op") // of no use: it counts both
}

func median(durations []time.Duration) (seconds float64) {
	slices.Sort(durations)
	return durations[len(durations)/2].Seconds()
}

// sink keeps the compiler from leaving work out.
var sink byte

// messages are what a kernel hashes, one after the other.
type messages struct {
	bytes []byte
	ends  []int
}

func (m *messages) add(message []byte) {
	m.bytes = append(m.bytes, message...)
	m.ends = append(m.ends, len(m.bytes))
}

func (m *messages) sum(from, to int) {
	start := 0
	if from > 0 {
		start = m.ends[from-1]
	}
	for _, end := range m.ends[from:to] {
		digest := sha1.Sum(m.bytes[start:end])
		sink += digest[0]
		start = end
	}
}

// benchKeys are two-part keys, their names, and the messages that are hashed for their ids.
type benchKeys struct {
	intents, workflows, names *array.String
	ids                       *messages
}

func newBenchKeys() benchKeys {
	intents, workflows, names := newTexts(), newTexts(), newTexts()
	ids := &messages{}
	for row := range benchRows {
		intent, workflow := fmt.Sprintf(" Intent-%012d", row), fmt.Sprintf("Workflow-%010d", row%1000)
		name := JoinStrings(NormaliseString(intent, false), NormaliseString(workflow, false))
		intents.Append(intent)
		workflows.Append(workflow)
		names.Append(name)
		ids.add(append(Namespace[:], name...))
	}
	return benchKeys{intents.NewStringArray(), workflows.NewStringArray(), names.NewStringArray(), ids}
}

func newTexts() *array.StringBuilder { return array.NewStringBuilder(memory.DefaultAllocator) }

func cut[A arrow.Array](column A, from, to int) A {
	return array.NewSlice(column, int64(from), int64(to)).(A)
}

func must[T any](result T, err error) T {
	if err != nil {
		panic(err)
	}
	return result
}

func release(columns ...arrow.Array) {
	for _, column := range columns {
		column.Release()
	}
}
