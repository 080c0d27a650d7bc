package gold

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

// metricKey says what a metric measures.
type metricKey struct {
	capability, kind, provider string
	bucket                     int64
}

func (k metricKey) id(namespace uuid.UUID) uuid.UUID {
	return kernels.UUID(namespace, kernels.JoinStrings("capability_metrics", k.capability, k.kind, k.provider, strconv.FormatInt(k.bucket, 10)))
}

// metric is what was measured: sums over the calls of one capability that began in one bucket.
type metric struct {
	metricKey
	calls, errors, bytes, inputTokens, outputTokens int64
	workflows                                       int64 // distinct ones
	priced, cost                                    int64 // calls that have a price, and these in billionths of a US dollar
	latencies                                       sketch
}

func (m *metric) add(c *metricChange) {
	m.calls += c.calls
	m.errors += c.errors
	m.bytes += c.bytes
	m.inputTokens += c.inputTokens
	m.outputTokens += c.outputTokens
	m.priced += c.priced
	m.cost += c.cost
	m.latencies = m.latencies.add(c.bins)
}

func (m *metric) encode() []byte {
	w := make(encoder, 0, 128)
	w.string(m.capability)
	w.string(m.kind)
	w.string(m.provider)
	w.int(m.bucket)
	w.int(m.calls)
	w.int(m.errors)
	w.int(m.bytes)
	w.int(m.inputTokens)
	w.int(m.outputTokens)
	w.int(m.workflows)
	w.int(m.priced)
	w.int(m.cost)
	m.latencies.encode(&w)
	return w
}

func decodeMetric(record []byte) (*metric, error) {
	d := decoder{rest: record}
	m := &metric{
		metricKey: metricKey{d.string(), d.string(), d.string(), d.int()},
		calls:     d.int(), errors: d.int(), bytes: d.int(), inputTokens: d.int(), outputTokens: d.int(),
		workflows: d.int(), priced: d.int(), cost: d.int(), latencies: decodeSketch(&d),
	}
	return m, d.end()
}
