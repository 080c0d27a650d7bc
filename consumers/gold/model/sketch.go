package model

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// LatencyAccuracy bounds the relative error of latency quantiles.
const LatencyAccuracy = 0.01

// bins of a sketch are DDSketch's: merging adds counts, and so does taking out again.
var bins = newBins()

func newBins() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(LatencyAccuracy)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	return m
}

// zeroBin counts latencies of 0 µs, which have no logarithm; it sorts before every other.
const zeroBin = math.MinInt32

func binOf(latency int64) int32 {
	if latency <= 0 {
		return zeroBin
	}
	return int32(bins.Index(float64(latency)))
}

// Sketch counts latencies by bin, ordered by bin. A bin is as wide as LatencyAccuracy allows, so the 64-bit range of
// microseconds has about 2,200 of them: that bounds its size.
type Sketch []bin

type bin struct {
	index int32
	count int64
}

// add adds counts, negative ones too, and drops bins that become empty.
func (s Sketch) add(counts map[int32]int64) Sketch {
	sum := make(map[int32]int64, len(s)+len(counts))
	for _, b := range s {
		sum[b.index] = b.count
	}
	for index, n := range counts {
		sum[index] += n
	}
	added := make(Sketch, 0, len(sum))
	for index, n := range sum {
		if n != 0 {
			added = append(added, bin{index, n})
		}
	}
	slices.SortFunc(added, func(a, b bin) int { return int(a.index) - int(b.index) })
	return added
}

// quantile returns the value, within LatencyAccuracy, of the latency of rank ⌊q·(n-1)⌋, and false if there are none.
func (s Sketch) quantile(q float64) (latency int64, ok bool) {
	var total int64
	for _, b := range s {
		total += b.count
	}
	rank := int64(q * float64(total-1))
	for _, b := range s {
		if rank -= b.count; rank < 0 {
			return b.latency(), true
		}
	}
	return 0, false
}

func (b bin) latency() int64 {
	if b.index == zeroBin {
		return 0
	}
	return int64(math.Round(bins.Value(int(b.index))))
}

// String writes a sketch as JSON, pairs of a bin and its count; "" for none. Latencies reads it.
func (s Sketch) String() string {
	if len(s) == 0 {
		return ""
	}
	pairs := make([][2]int64, len(s))
	for i, b := range s {
		pairs[i] = [2]int64{int64(b.index), b.count}
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		panic(err) // numbers always marshal
	}
	return string(text)
}

// Latencies are counts of latencies by bin, from several rows of metrics. The zero value has none.
type Latencies struct{ sum Sketch }

// Add adds what the column latencies of a row says. The error wraps ErrState if it says nothing that can be read.
func (l *Latencies) Add(column string) error {
	if column == "" {
		return nil
	}
	var pairs [][2]int64
	if err := json.Unmarshal([]byte(column), &pairs); err != nil {
		return fmt.Errorf("%w: latencies: %w", ErrState, err)
	}
	counts := make(map[int32]int64, len(pairs))
	for _, p := range pairs {
		counts[int32(p[0])] += p[1]
	}
	l.sum = l.sum.add(counts)
	return nil
}

// Quantile returns the latency, in microseconds, that a share q of them does not exceed, and false if there are none.
func (l *Latencies) Quantile(q float64) (micros int64, ok bool) { return l.sum.quantile(q) }

func (s Sketch) encode(w *Encoder) {
	w.Uint(uint64(len(s)))
	for _, b := range s {
		w.int(int64(b.index))
		w.int(b.count)
	}
}

func decodeSketch(d *Decoder) Sketch {
	n := min(d.Uint(), uint64(len(d.Rest))) // never more than there are bytes left
	s := make(Sketch, 0, n)
	for range n {
		s = append(s, bin{int32(d.Int()), d.Int()})
	}
	return s
}
