package main

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"assay/internal/query"
	"assay/sovereign/schema"
)

// A log of four partitions gives the tables of a log with one, row by row, and the same answers; its audit is clean.
func TestPartitionsGiveTheSameTables(t *testing.T) {
	t.Parallel()
	dirs, one, four := recordings(t), t.TempDir(), t.TempDir()
	summarise(t, ingestArgs(one, dirs))
	summarise(t, ingestArgs(four, dirs, "--partitions", "4"))
	// Both were captured by themselves, so times of capture differ.
	hidden := append(slices.Clone(whereMet), "partition", "next_attempt_at", "started_at", "ended_at", "latency_us", "ts", "captured_at")
	for _, table := range []string{schema.Traces, schema.Entities, schema.Episodes, schema.Promotions, schema.Shed} {
		if a, b := dumpWithout(t, one, hidden, table), dumpWithout(t, four, hidden, table); a != b {
			t.Errorf("%s: only with one partition\n%sonly with four\n%s", table, only(a, b), only(b, a))
		}
	}
	if a, b := calls(t, one), calls(t, four); !maps.Equal(a, b) {
		t.Errorf("calls with one partition %v, with four %v", a, b)
	}
	if a, b := workflowNames(t, one), workflowNames(t, four); len(a) == 0 || !slices.Equal(a, b) {
		t.Errorf("workflows with one partition %v, with four %v", a, b)
	}
	if status, out := runHere(t, "audit", "--data", four); status != exitDone {
		t.Errorf("audit ends with %d: %s", status, out)
	}
	if status, out := runHere(t, "rebuild", "--data", four); status != exitDone {
		t.Fatalf("rebuild ends with %d: %s", status, out)
	}
	if a, b := dumpWithout(t, one, hidden, schema.Entities), dumpWithout(t, four, hidden, schema.Entities); a != b {
		t.Errorf("rebuilt: only with one partition\n%sonly with four\n%s", only(a, b), only(b, a))
	}
	if status, _ := runHere(t, "run", "--data", four, "--until-idle", "--partitions", "2"); status == exitDone {
		t.Error("the number of partitions was changed")
	}
}

// calls sums up the calls of each capability.
func calls(t *testing.T, data string) map[string]int64 {
	t.Helper()
	var list query.CapabilityList
	ask(t, &list, "capabilities", "--json", "--data", data)
	sums := map[string]int64{}
	for _, c := range list.Capabilities {
		sums[c.Capability+" "+c.Kind+" "+c.Provider] += c.Calls
	}
	return sums
}

// workflowNames lists all workflows, page by page.
func workflowNames(t *testing.T, data string) (names []string) {
	t.Helper()
	for cursor := ""; ; {
		var page query.WorkflowList
		ask(t, &page, "workflows", "--json", "--limit", "40", "--cursor", cursor, "--data", data)
		for _, w := range page.Workflows {
			names = append(names, w.WorkflowID)
		}
		if cursor = page.Next; cursor == "" {
			slices.Sort(names)
			return names
		}
	}
}

func ask(t *testing.T, answer any, args ...string) {
	t.Helper()
	status, out := runHere(t, args...)
	if status != exitDone {
		t.Fatalf("assay %v ends with %d", args, status)
	}
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		t.Fatalf("assay %v: %v in %s", args, err, out)
	}
}
