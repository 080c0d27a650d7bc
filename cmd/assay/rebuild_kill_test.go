package main

import (
	"path/filepath"
	"testing"
)

// Killed at any step, of building or of the swap, rebuild leaves the old tables or the new ones and never a mix, whoever opens
// the directory next; and repeated, it ends.
func TestRebuildKilled(t *testing.T) {
	t.Parallel()
	dirs, data := recordings(t), filepath.Join(t.TempDir(), "data")
	ingestHere(t, data, dirs)
	before := dump(t, data, derived...)
	whole := func(after string) {
		t.Helper()
		if status, report := audited(t, data); status != exitDone {
			t.Errorf("killed when there was %s: status %d, %+v", after, status, report)
		}
	}
	for _, appears := range []string{
		"stamp", "new/state", "new/sovereign/traces.lance", "new/sovereign/entities.lance/data", "new/state/derivation", "complete", "old", "old/state", "old/sovereign",
	} {
		killWhen(t, filepath.Join(data, "rebuild", appears), "rebuild", "--data", data)
		whole(appears)
		if status, _ := runHere(t, "run", "--data", data, "--until-idle", "--log-level", "error"); status != exitDone {
			t.Errorf("killed when there was %s: run ended with status %d", appears, status)
		}
		whole(appears)
	}
	if status, out := runHere(t, "rebuild", "--data", data); status != exitDone {
		t.Fatalf("status %d: %s", status, out)
	}
	whole("nothing left")
	if after := dump(t, data, derived...); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", only(before, after), only(after, before))
	}
}
