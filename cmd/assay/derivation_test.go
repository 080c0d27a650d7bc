package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"

	"assay/sovereign"
	"assay/sovereign/schema"
)

// Tables that older decoders made are told from those of today, by status and by audit, and rebuild brings them up to date.
func TestTablesOfOlderDecoders(t *testing.T) {
	dir := sampled(t)
	today := dump(t, dir, derived...)
	var row arrow.Record
	tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
		row = firstRow(ctx, t, store, schema.Traces, schema.Filter{})
		return nil
	})
	replace(t, dir, schema.Traces, []arrow.Record{with(row, "kind", "as_it_was_called")}, keyOf(row, schema.Traces))
	if status, _ := runHere(t, "rebuild", "--data", dir); status != exitDone {
		t.Fatal("rebuild failed")
	}
	if dump(t, dir, derived...) != today {
		t.Error("a rebuild did not bring the tables up to date")
	}
	file := filepath.Join(dir, "state", "derivation")
	now, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	older := strings.Replace(string(now), `"decoders":`, `"decoders":-`, 1)
	if err := os.WriteFile(file, []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	expectStale := func(want bool) {
		t.Helper()
		_, report := audited(t, dir)
		_, status := runHere(t, "status", "--data", dir)
		if (report.Stale != "") != want || strings.Contains(status, "assay rebuild") != want {
			t.Errorf("audit says %q, status %q; stale: %t", report.Stale, status, want)
		}
	}
	expectStale(true)
	if status, _ := runHere(t, "run", "--data", dir, "--until-idle", "--log-level", "error"); status != exitDone {
		t.Error("run failed")
	}
	expectStale(true)
	if status, _ := runHere(t, "rebuild", "--data", dir); status != exitDone {
		t.Error("rebuild failed")
	}
	expectStale(false)
}

// Under other natural keys a rebuild gives the tables that a fresh ingestion gives under them.
func TestRebuildUnderOtherKeys(t *testing.T) {
	dir, fresh, config := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "fresh"), filepath.Join(t.TempDir(), "assay.yaml")
	files := part(t, t.TempDir(), 0) // which tell the same times whenever they are ingested
	if status, _ := runHere(t, "run", "--data", dir, "--ingest", files, "--until-idle", "--log-level", "error"); status != exitDone {
		t.Fatal("run failed")
	}
	if err := os.WriteFile(config, []byte("keys:\n  tool_invocation:\n    components: [event_id]\n    exact: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, report := audited(t, dir, "--config", config); status != exitDifference || report.Stale == "" {
		t.Fatalf("before the rebuild: status %d, %q", status, report.Stale)
	}
	if status, _ := runHere(t, "rebuild", "--data", dir, "--config", config); status != exitDone {
		t.Fatal("rebuild failed")
	}
	if status, report := audited(t, dir, "--config", config); status != exitDone || report.Stale != "" {
		t.Errorf("after the rebuild: status %d, %q, %+v", status, report.Stale, report.Differences)
	}
	if status, _ := runHere(t, "run", "--data", fresh, "--config", config, "--ingest", files, "--until-idle", "--log-level", "error"); status != exitDone {
		t.Fatal("run failed")
	}
	hidden := append(slices.Clone(whereMet), whenCaptured...)
	for _, table := range []string{schema.Traces, schema.Entities, schema.Episodes, schema.Shed} {
		if a, b := dumpWithout(t, dir, hidden, table), dumpWithout(t, fresh, hidden, table); a != b {
			t.Errorf("%s, rebuilt:\n%s\nfresh:\n%s", table, only(a, b), only(b, a))
		}
	}
}
