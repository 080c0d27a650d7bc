package model

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"assay/kernels"
)

// BucketWidth is the time that one row of the capability metrics covers.
const BucketWidth = time.Hour

// bucketOf returns the start of the bucket that a time lies in.
func bucketOf(at int64) int64 {
	width := BucketWidth.Microseconds()
	into := at % width
	if into < 0 {
		into += width // before 1970
	}
	return at - into
}

// MetricKey says what a metric measures.
type MetricKey struct {
	capability, kind, provider string
	bucket                     int64
}

// ID names the row of the capability metrics.
func (k MetricKey) ID(namespace uuid.UUID) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("capability_metrics", k.capability, k.kind, k.provider, strconv.FormatInt(k.bucket, 10)))
}

// MetricSum is what was measured: sums over the calls of one capability that began in one bucket.
type MetricSum struct {
	MetricKey
	Calls, errors, bytes, inputTokens, outputTokens int64
	Workflows                                       int64 // distinct ones
	priced, cost                                    int64 // calls that have a price, and these in billionths of a US dollar
	Latencies                                       Sketch
}

// Add adds a change.
func (m *MetricSum) Add(c *MetricDelta) {
	m.Calls += c.calls
	m.errors += c.errors
	m.bytes += c.bytes
	m.inputTokens += c.inputTokens
	m.outputTokens += c.outputTokens
	m.priced += c.priced
	m.cost += c.cost
	m.Latencies = m.Latencies.add(c.bins)
}

// Encode writes the record.
func (m *MetricSum) Encode() []byte {
	w := make(Encoder, 0, 128)
	w.string(m.capability)
	w.string(m.kind)
	w.string(m.provider)
	w.int(m.bucket)
	w.int(m.Calls)
	w.int(m.errors)
	w.int(m.bytes)
	w.int(m.inputTokens)
	w.int(m.outputTokens)
	w.int(m.Workflows)
	w.int(m.priced)
	w.int(m.cost)
	m.Latencies.encode(&w)
	return w
}

// DecodeMetricSum reads what Encode wrote.
func DecodeMetricSum(record []byte) (*MetricSum, error) {
	d := Decoder{Rest: record}
	m := &MetricSum{
		MetricKey: MetricKey{d.string(), d.string(), d.string(), d.Int()},
		Calls:     d.Int(), errors: d.Int(), bytes: d.Int(), inputTokens: d.Int(), outputTokens: d.Int(),
		Workflows: d.Int(), priced: d.Int(), cost: d.Int(), Latencies: decodeSketch(&d),
	}
	return m, d.End()
}
