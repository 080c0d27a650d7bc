package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"assay/internal/query"
	"assay/sovereign/schema"
	"assay/streams"
)

// Whatever file of a table is damaged, run and status go on and say so, and rebuild gets through, without publishing a
// promotion under another key than before.
func TestRebuildOfDamagedTables(t *testing.T) {
	for _, damaged := range []struct {
		name, pattern string
		damage        func(t *testing.T, pattern string)
	}{
		{"promotions cut", "promotions.lance/data/*", spoil}, {"promotions removed", "promotions.lance/data/*", removeFiles},
		{"promotions unopened", "promotions.lance/_versions/*", spoil}, {"traces cut", "traces.lance/data/*", spoil},
		{"traces removed", "traces.lance/data/*", removeFiles}, {"entities unopened", "entities.lance/_versions/*", spoil},
	} {
		t.Run(damaged.name, func(t *testing.T) {
			t.Parallel()
			registry, dir := newRegistry(t), sampled(t)
			publish := func() {
				runHere(t, "run", "--data", dir, "--until-idle", "--log-level", "error", "--registry", registry.URL)
			}
			publish()
			registry.check(t, 1)
			before := dump(t, dir, derived...)
			damaged.damage(t, filepath.Join(dir, "sovereign", damaged.pattern))
			var said bytes.Buffer
			status := run(t.Context(), []string{"status", "--data", dir}, bytes.NewReader(nil), &said, &said)
			if !strings.Contains(said.String(), "`assay rebuild") {
				t.Errorf("status %d and no remedy: %s", status, said.String())
			}
			if status, out := runHere(t, "rebuild", "--data", dir); status != exitDone {
				t.Fatalf("rebuild ended with status %d: %s", status, out)
			}
			publish()
			if len(registry.seen) != 1 {
				t.Errorf("the registry has seen %v", registry.seen)
			}
			checkPublished(t, dir)
			if after := dump(t, dir, derived...); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// A rebuild that is interrupted, and whose old tables are then removed by hand, still knows which promotions there were.
func TestResumedRebuildHasPromotions(t *testing.T) {
	t.Parallel()
	registry, dir := newRegistry(t), sampled(t)
	killWhen(t, filepath.Join(dir, "rebuild", "new", "state", "derivation"), "rebuild", "--data", dir)
	if err := os.RemoveAll(filepath.Join(dir, "rebuild", "complete")); err != nil { // it may have come that far
		t.Fatal(err)
	}
	for _, name := range []string{"state", "sovereign"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if status, out := runHere(t, "rebuild", "--data", dir); status != exitDone {
		t.Fatalf("status %d: %s", status, out)
	}
	if before := dump(t, dir, schema.Promotions); !strings.Contains(before, `pending`) {
		t.Errorf("what waits in the bucket has no row: %s", before)
	}
	runHere(t, "run", "--data", dir, "--until-idle", "--log-level", "error", "--registry", registry.URL)
	registry.check(t, 1)
	checkPublished(t, dir)
}

// Frames whose files are gone are missed, by name, by every audit; and the tables keep what they said.
func TestAuditMissesFramesWhoseFilesAreGone(t *testing.T) {
	dir := sampled(t)
	before := dump(t, dir, derived...)
	removeFiles(t, filepath.Join(dir, "log", "jetstream", "*", "streams", streams.StreamBronze, "msgs", "*.blk"))
	for range 2 {
		status, report := audited(t, dir)
		if status != exitDifference || len(report.Lost) != 1 || report.Lost[0].From != 1 {
			t.Errorf("audit ended with status %d and misses %v", status, report.Lost)
		}
		if status, out := runHere(t, "audit", "--data", dir, "--chain"); status != exitDifference || !strings.Contains(out, "frames 1 to") {
			t.Errorf("audit of the chain ended with status %d: %s", status, out)
		}
		if status, out := runHere(t, "rebuild", "--data", dir); status != exitFailed {
			t.Errorf("rebuild ended with status %d: %s", status, out)
		}
	}
	var said bytes.Buffer
	run(t.Context(), []string{"run", "--data", dir, "--until-idle"}, bytes.NewReader(nil), &said, &said)
	if !strings.Contains(said.String(), "level=ERROR") || !strings.Contains(said.String(), "are missing from the log") {
		t.Errorf("run said %s", said.String())
	}
	if after := dump(t, dir, derived...); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	// Their sources are ingested again, and somebody decides to go on so.
	if status, _ := runHere(t, "run", "--data", dir, "--sample", "--until-idle"); status != exitDone {
		t.Fatal("run failed")
	}
	if status, out := runHere(t, "rebuild", "--data", dir, "--allow-data-loss"); status != exitDone {
		t.Errorf("rebuild --allow-data-loss ended with status %d: %s", status, out)
	}
	if status, report := audited(t, dir); status != exitDone {
		t.Errorf("audit ended with status %d and misses %v, %v", status, report.Lost, report.Differences)
	}
}

// spoil cuts files short.
func spoil(t *testing.T, pattern string) {
	t.Helper()
	eachFile(t, pattern, func(file string) error { return os.Truncate(file, 5) })
}

func removeFiles(t *testing.T, pattern string) {
	t.Helper()
	eachFile(t, pattern, os.Remove)
}

func eachFile(t *testing.T, pattern string, do func(file string) error) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s matches %v, %v", pattern, files, err)
	}
	for _, file := range files {
		if err := do(file); err != nil {
			t.Fatal(err)
		}
	}
}

// checkPublished fails unless the audit is clean, and the one promotion of the sample session is published.
func checkPublished(t *testing.T, dir string) {
	t.Helper()
	if status, report := audited(t, dir); status != exitDone {
		t.Errorf("audit: status %d, %+v", status, report)
	}
	_, out := runHere(t, "promotions", "--data", dir, "--json")
	var promotions []query.Promotion
	if err := json.Unmarshal([]byte(out), &promotions); err != nil {
		t.Fatal(err)
	}
	if len(promotions) != 1 || slices.ContainsFunc(promotions, func(p query.Promotion) bool { return p.State != query.StatePublished }) {
		t.Errorf("promotions are %s", out)
	}
}
