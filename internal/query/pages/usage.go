package pages

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"time"

	"assay/internal/query"
)

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

// add adds what metrics say.
func (u *usage) add(metrics []query.Capability) {
	var middles []int64
	for _, m := range metrics {
		u.Calls, u.Errors, u.Bytes = u.Calls+m.Calls, u.Errors+m.Errors, u.Bytes+m.Bytes
		u.InputTokens, u.OutputTokens = u.InputTokens+m.InputTokens, u.OutputTokens+m.OutputTokens
		u.CostUSD += m.CostUSD
		u.P95, u.P99 = max(u.P95, m.LatencyP95), max(u.P99, m.LatencyP99)
		if m.LatencyP50 > 0 {
			middles = append(middles, m.LatencyP50)
		}
	}
	if len(middles) > 0 {
		slices.Sort(middles)
		u.P50 = middles[len(middles)/2]
	}
}

// usages adds metrics up by capability, provider and kind, the most used first.
func usages(metrics []query.Capability, now time.Time, in span) []usage {
	type key struct{ capability, provider, kind string }
	of := map[key][]query.Capability{}
	for _, m := range metrics {
		k := key{m.Capability, m.Provider, m.Kind}
		of[k] = append(of[k], m)
	}
	all := make([]usage, 0, len(of))
	for k, hours := range of {
		u := usage{Capability: k.capability, Provider: k.provider, Kind: k.kind}
		u.add(hours)
		calls := callSeries(hours)
		calls.title = "Calls of " + k.capability
		u.Chart = newChart(calls, window{now, in.Long, sparklineLen, callsLink(k.capability, k.provider, in)})
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b usage) int {
		return cmp.Or(cmp.Compare(b.Calls, a.Calls), cmp.Compare(a.Capability, b.Capability), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Kind, b.Kind))
	})
	return all
}

// nameMost is how long names may be, in bytes, that stand in each link of a chart.
const nameMost = 500

// callsLink leads to the calls of a capability, or of all of them, that began in a step of a chart.
func callsLink(capability, provider string, in span) func(from, until time.Time) string {
	if len(capability)+len(provider) > nameMost {
		return nil
	}
	values := url.Values{"since": {in.Name}}
	if capability != "" {
		values.Set("capability", capability)
	}
	if provider != "" {
		values.Set("provider", provider)
	}
	all := "/calls?" + values.Encode()
	return func(from, until time.Time) string {
		return all + "&from=" + from.Format(minuteLayout) + "&to=" + until.Format(minuteLayout)
	}
}

// usageCharts are the charts of what metrics count, without those that would be empty.
func usageCharts(metrics []query.Capability, w window) []chart {
	var u usage
	u.add(metrics)
	calls := newChart(callSeries(metrics), w)
	calls.Summary = plural(u.Calls, "call", "calls") + ", " + count(u.Errors) + " failed"
	charts := []chart{calls}
	if u.InputTokens+u.OutputTokens > 0 {
		tokens := newChart(tokenSeries(metrics), w)
		tokens.Summary = count(u.InputTokens) + " in, " + count(u.OutputTokens) + " out"
		charts = append(charts, tokens)
	}
	if u.CostUSD > 0 {
		cost := newChart(costSeries(metrics), w)
		cost.Summary = usd(u.CostUSD)
		charts = append(charts, cost)
	}
	return charts
}

// callSeries are the calls of metrics, those that failed on top.
func callSeries(metrics []query.Capability) series {
	return series{title: "Calls", parts: [2]string{"went well", "failed"}, points: points(metrics, func(m *query.Capability) (int64, int64) {
		return max(0, m.Calls-m.Errors), m.Errors
	})}
}

// tokenSeries are tokens of metrics, those of answers on top.
func tokenSeries(metrics []query.Capability) series {
	return series{title: "Tokens", parts: [2]string{"in", "out"}, points: points(metrics, func(m *query.Capability) (int64, int64) {
		return m.InputTokens, m.OutputTokens
	})}
}

// costSeries is what the calls of metrics cost, in millionths of a dollar.
func costSeries(metrics []query.Capability) series {
	return series{title: "Cost", parts: [2]string{"", ""}, points: points(metrics, func(m *query.Capability) (int64, int64) {
		return int64(math.Round(m.CostUSD * 1e6)), 0
	}), write: func(millionths int64) string { return usd(float64(millionths) / 1e6) }}
}

// latencySeries are the quantiles of latency: what half of the calls took at most, on top what 19 of 20 did.
func latencySeries(metrics []query.Capability) series {
	return series{title: "Latency", parts: [2]string{"P50", "more for P95"}, most: true, write: micros, points: points(metrics, func(m *query.Capability) (int64, int64) {
		return m.LatencyP50, max(0, m.LatencyP95-m.LatencyP50)
	})}
}

func points(metrics []query.Capability, values func(*query.Capability) (below, onTop int64)) []point {
	all := make([]point, len(metrics))
	for i := range metrics {
		below, onTop := values(&metrics[i])
		all[i] = point{metrics[i].Bucket, below, onTop}
	}
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
