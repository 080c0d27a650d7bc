package pages

import (
	"cmp"
	"slices"
	"time"

	"assay/internal/query"
)

// chart is columns over time, one each step, of two parts: what went well and, on top of it, what did not.
type chart struct {
	Title   string
	Summary string // for those who do not see it
	Top     string // the value at its upper edge
	From    time.Time
	To      time.Time
	Columns []column
	Width   int // in the chart's own units, of which its height has chartHeight
}

// column is one step of a chart.
type column struct {
	X, Y, H      float64 // of the part below
	TopY, TopH   float64 // of the part on top
	At           time.Time
	Below, OnTop int64
	Href         string
}

// Measures of a chart, in its own units.
const (
	chartHeight  = 100
	columnWidth  = 10
	columnGap    = 2
	chartSteps   = 72 // columns at most
	columnLeast  = 2  // height of a column that is not zero
	sparklineLen = 36
)

// Thin is how wide a column is drawn.
func (chart) Thin() int { return columnWidth - columnGap }

// Height is that of the chart.
func (chart) Height() int { return chartHeight }

// point is a value at a time.
type point struct {
	at           time.Time
	below, onTop int64
}

// newChart adds points up by steps of the same width, at most so many, that end with the hour of now.
func newChart(title string, points []point, now time.Time, span time.Duration, steps int) chart {
	step := max(time.Hour, (span+time.Duration(steps)-1)/time.Duration(steps)).Round(time.Hour)
	n := int((span + step - 1) / step)
	end := now.UTC().Truncate(time.Hour).Add(time.Hour)
	begin := end.Add(-time.Duration(n) * step)
	c := chart{Title: title, From: begin, To: end, Width: n * columnWidth, Columns: make([]column, n)}
	for i := range c.Columns {
		c.Columns[i].At = begin.Add(time.Duration(i) * step)
		c.Columns[i].X = float64(i * columnWidth)
	}
	for _, p := range points {
		if i := int(p.at.Sub(begin) / step); !p.at.Before(begin) && i < n {
			c.Columns[i].Below += p.below
			c.Columns[i].OnTop += p.onTop
		}
	}
	c.scale()
	return c
}

// scale gives the columns their heights.
func (c *chart) scale() {
	highest := int64(0)
	for i := range c.Columns {
		highest = max(highest, c.Columns[i].Below+c.Columns[i].OnTop)
	}
	c.Top = count(highest)
	height := func(v int64) float64 {
		if v == 0 {
			return 0
		}
		return max(columnLeast, float64(v)*chartHeight/float64(highest))
	}
	for i := range c.Columns {
		col := &c.Columns[i]
		col.H, col.TopH = height(col.Below), height(col.OnTop)
		col.Y = chartHeight - col.H
		col.TopY = col.Y - col.TopH
		if over := -col.TopY; over > 0 { // a sliver pushed it over the edge
			col.TopY, col.Y, col.H = 0, col.Y+over, max(0, col.H-over)
		}
	}
}

// span is a stretch of time up to now that a page can be asked for.
type span struct {
	Name  string
	Label string
	Long  time.Duration
}

var spans = []span{
	{"24h", "24 hours", 24 * time.Hour}, {"3d", "3 days", 72 * time.Hour}, {"14d", "14 days", 14 * 24 * time.Hour},
	{"90d", "90 days", 90 * 24 * time.Hour},
}

// spanOf is the span with a name, or the first.
func spanOf(name string) span {
	if i := slices.IndexFunc(spans, func(s span) bool { return s.Name == name }); i >= 0 {
		return spans[i]
	}
	return spans[0]
}

// callPoints are the calls of metrics, those that failed on top.
func callPoints(metrics []query.Capability) []point {
	points := make([]point, len(metrics))
	for i, m := range metrics {
		points[i] = point{m.Bucket, max(0, m.Calls-m.Errors), m.Errors}
	}
	return points
}

// tokenPoints are tokens of metrics, those of answers on top.
func tokenPoints(metrics []query.Capability) []point {
	points := make([]point, len(metrics))
	for i, m := range metrics {
		points[i] = point{m.Bucket, m.InputTokens, m.OutputTokens}
	}
	return points
}

// usage is what is told of one capability over a span.
type usage struct {
	Capability   string  `json:"capability"`
	Provider     string  `json:"provider,omitempty"`
	Kind         string  `json:"kind"` // model, tool or method
	Calls        int64   `json:"calls"`
	Errors       int64   `json:"errors"`
	P50          int64   `json:"latency_p50_us,omitempty"` // of the hour in the middle
	P95          int64   `json:"latency_p95_us,omitempty"` // of the worst hour
	P99          int64   `json:"latency_p99_us,omitempty"` // of the worst hour
	Bytes        int64   `json:"bytes"`
	InputTokens  int64   `json:"input_tokens"`
	OutputTokens int64   `json:"output_tokens"`
	CostUSD      float64 `json:"cost_usd,omitempty"`
	Chart        chart   `json:"-"`
}

// usages adds metrics up by capability, provider and kind, the most used first.
func usages(metrics []query.Capability, now time.Time, long time.Duration) []usage {
	type key struct{ capability, provider, kind string }
	of := map[key][]query.Capability{}
	for _, m := range metrics {
		k := key{m.Capability, m.Provider, m.Kind}
		of[k] = append(of[k], m)
	}
	all := make([]usage, 0, len(of))
	for k, hours := range of {
		u := usage{Capability: k.capability, Provider: k.provider, Kind: k.kind}
		var middles []int64
		for _, h := range hours {
			u.Calls, u.Errors, u.Bytes = u.Calls+h.Calls, u.Errors+h.Errors, u.Bytes+h.Bytes
			u.InputTokens, u.OutputTokens = u.InputTokens+h.InputTokens, u.OutputTokens+h.OutputTokens
			u.CostUSD += h.CostUSD
			u.P95, u.P99 = max(u.P95, h.LatencyP95), max(u.P99, h.LatencyP99)
			if h.LatencyP50 > 0 {
				middles = append(middles, h.LatencyP50)
			}
		}
		if len(middles) > 0 {
			slices.Sort(middles)
			u.P50 = middles[len(middles)/2]
		}
		u.Chart = newChart("Calls of "+k.capability, callPoints(hours), now, long, sparklineLen)
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b usage) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Capability, b.Capability), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Kind, b.Kind))
	})
	return all
}

// since are the metrics of calls in the span up to now.
func since(metrics []query.Capability, now time.Time, long time.Duration) []query.Capability {
	begin := now.Add(-long).Truncate(time.Hour)
	recent := make([]query.Capability, 0, len(metrics))
	for _, m := range metrics {
		if !m.Bucket.Before(begin) {
			recent = append(recent, m)
		}
	}
	return recent
}
