package query

import (
	"fmt"
	"time"

	"assay/consumers/gold"
)

// A log with several partitions has a row of each metric, and of each node and edge, for every partition that knows it. What is shown
// is their sum.

// sumCapabilities sums up rows that measure the same, in the order in which they first come.
func sumCapabilities(rows []Capability) (sums []Capability, err error) {
	type measured struct {
		capability, kind, provider string
		bucket                     time.Time
	}
	at := make(map[measured]int, len(rows))
	latencies := map[int]*gold.Latencies{} // of sums with several rows
	for _, row := range rows {
		k := measured{row.Capability, row.Kind, row.Provider, row.Bucket}
		i, known := at[k]
		if !known {
			at[k] = len(sums)
			sums = append(sums, row)
			continue
		}
		if latencies[i] == nil {
			latencies[i] = &gold.Latencies{}
			err = latencies[i].Add(sums[i].Latencies)
		}
		if err == nil {
			err = latencies[i].Add(row.Latencies)
		}
		if err != nil {
			return nil, fmt.Errorf("view: sum up metrics of %q: %w", row.Capability, err)
		}
		sums[i].add(&row)
	}
	for i, of := range latencies {
		for q, to := range map[float64]*int64{0.50: &sums[i].LatencyP50, 0.95: &sums[i].LatencyP95, 0.99: &sums[i].LatencyP99} {
			*to, _ = of.Quantile(q)
		}
	}
	return sums, nil
}

// add adds the sums of another partition; the workflows of two are never the same.
func (c *Capability) add(other *Capability) {
	c.Calls += other.Calls
	c.Errors += other.Errors
	c.Bytes += other.Bytes
	c.InputTokens += other.InputTokens
	c.OutputTokens += other.OutputTokens
	c.Workflows += other.Workflows
	c.CostUSD += other.CostUSD
}

// sumElements sums up rows of the same node or edge, in the order in which they first come.
func sumElements(rows []Element) (sums []Element) {
	type named struct{ element, source, sourceType, target, targetType, relation string }
	at := make(map[named]int, len(rows))
	for _, row := range rows {
		k := named{row.Element, row.Source, row.SourceType, row.Target, row.TargetType, row.Relation}
		i, known := at[k]
		if !known {
			at[k] = len(sums)
			sums = append(sums, row)
			continue
		}
		sum := &sums[i]
		sum.Count += row.Count
		sum.Errors += row.Errors
		if sum.FirstAt.IsZero() || !row.FirstAt.IsZero() && row.FirstAt.Before(sum.FirstAt) {
			sum.FirstAt = row.FirstAt
		}
		if row.LastAt.After(sum.LastAt) {
			sum.LastAt = row.LastAt
		}
	}
	return sums
}
