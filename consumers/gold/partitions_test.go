package gold

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"assay/sovereign/schema"
)

// Folded in several partitions, events give the rows that they give in one; those of metrics and graph once they are summed up.
func TestPartitionsGiveTheSameRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		captures := drawCaptures(t)
		one, several := newMemory(), newMemory()
		for n, store := range map[int]*memoryStore{1: one, 3: several} {
			opts := testOptions(store)
			opts.Partitions = n
			deliverTo(t, opts, drawDelivery(t, captures))
		}
		for _, table := range []string{schema.Entities, schema.Episodes, schema.Shed} {
			sameTable(t, one, several, table)
		}
		same(t, traced(t, one), traced(t, several))
		same(t, summedUp(t, one, schema.CapabilityMetrics), summedUp(t, several, schema.CapabilityMetrics))
		same(t, summedUp(t, one, schema.UsageGraph), summedUp(t, several, schema.UsageGraph))
	})
}

func deliverTo(t tester, opts Options, groups [][][]capture) {
	t.Helper()
	p, err := OpenPartitions(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	seq := uint64(1)
	for _, group := range groups {
		if err := applyTogether(p, seq, group); err != nil {
			t.Fatal(err)
		}
		seq += uint64(len(group))
	}
	if err := p.FlushAll(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// summedUp returns the sums of the rows that are about the same.
func summedUp(t tester, store *memoryStore, table string) map[string]string {
	rows, err := store.byKey(table)
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]map[string]int{}
	for _, row := range rows {
		about, counts := maps.Clone(row), map[string]int{}
		for _, column := range []string{"calls", "errors", "bytes", "input_tokens", "output_tokens", "workflows", "count"} {
			counts[column], _ = strconv.Atoi(row[column])
			delete(about, column)
		}
		for _, column := range []string{
			"metric_id", "element_id", "partition", "latencies", "latency_p50_us", "latency_p95_us", "latency_p99_us", "first_at", "last_at",
		} {
			delete(about, column)
		}
		k := fmt.Sprint(about)
		if sums[k] == nil {
			sums[k] = map[string]int{}
		}
		for column, n := range counts {
			sums[k][column] += n
		}
	}
	texts := map[string]string{}
	for k, counts := range sums {
		texts[k] = fmt.Sprint(counts)
	}
	return texts
}

// What a retraction takes back may be another partition's.
func TestARetractionReachesAllPartitions(t *testing.T) {
	said := (&statement{id: "ev-1", entity: "step-1", at: 1}).capture(0)
	child := (&statement{id: "ev-2", entity: "step-2", parent: "ev-1", at: 2}).capture(1)
	retraction := (&statement{id: "ev-3", entity: "other", retracts: []string{"ev-1"}, at: 3}).capture(2)
	retraction.Workflow = "elsewhere"
	store := newMemory()
	opts := testOptions(store)
	opts.Partitions = 16
	p := NewPartitions(opts)
	if p.Of(said.Workflow) == p.Of(retraction.Workflow) {
		t.Fatal("both workflows are of one partition, so nothing is shown")
	}
	deliverTo(t, opts, [][][]capture{{{retraction}}, {{said, child}}})
	marked := 0
	for _, row := range store.tables[schema.Entities] {
		if row["quarantined_by"] != "" {
			marked++
		}
	}
	if marked != 2 {
		t.Errorf("%d entities are marked, want 2", marked)
	}
}
