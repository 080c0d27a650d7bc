package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"assay/internal/app"
	"assay/internal/config"
	"assay/internal/ops/audit"
	"assay/sovereign"
	"assay/sovereign/schema"
)

// auditParts audits in parts of one frame each, and is interrupted after some of them; 0 lets it finish.
func auditParts(t *testing.T, dir string, parts int) *audit.Report {
	t.Helper()
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	settings := config.Default()
	settings.Data, settings.Silver.MaxBytes = dir, 1
	opened, err := openPipeline(ctx, settings, slog.New(slog.DiscardHandler), app.Options{Reading: true})
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	report, err := opened.Audit(ctx, "", audit.DefaultListMax, func(uint64, uint64) {
		if passed++; passed == parts {
			interrupt()
		}
	})
	if parts == 0 && err != nil || parts > 0 && !errors.Is(err, context.Canceled) {
		t.Errorf("after %d parts: %v", parts, err)
	}
	if err := opened.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return report
}

// Interrupted time and again, an audit goes on where it was and finds what it would have found undisturbed.
func TestInterruptedAuditGoesOn(t *testing.T) {
	dir := sampled(t)
	expectFrame := func(r *audit.Report, resumed uint64) {
		t.Helper()
		if len(r.Differences) != 1 || r.Differences[0].Finding != audit.Missing || r.Frames != sampleFrames || r.Resumed != resumed {
			t.Errorf("%d of %d frames had been compared, found %+v; want one missing row and %d", r.Resumed, r.Frames, r.Differences, resumed)
		}
	}
	tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
		row := firstRow(ctx, t, store, schema.Traces, schema.Eq("bronze_seq", int64(1)))
		defer row.Release()
		return store.Delete(ctx, schema.Traces, schema.Eq("event_uuid", keyOf(row, schema.Traces)))
	})
	expectFrame(auditParts(t, dir, 0), 0)
	auditParts(t, dir, 1)
	auditParts(t, dir, 1)
	expectFrame(auditParts(t, dir, 0), 2)
	if _, err := os.Stat(filepath.Join(dir, "audit")); !os.IsNotExist(err) {
		t.Errorf("what was computed is still there: %v", err)
	}
}

// What an interrupted audit had compared counts for nothing once somebody has changed a table.
func TestInterruptedAuditBeginsAnewAfterAChange(t *testing.T) {
	dir := sampled(t)
	auditParts(t, dir, 2)
	tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
		return store.Delete(ctx, schema.Entities, schema.Filter{})
	})
	if r := auditParts(t, dir, 0); r.Clean() || r.Resumed != 0 {
		t.Errorf("%d frames had been compared, found %+v", r.Resumed, r.Differences)
	}
}

// An audit killed at any moment leaves nothing behind that the next one trips over.
func TestKilledAuditGoesOn(t *testing.T) {
	t.Parallel()
	dirs, data := recordings(t), filepath.Join(t.TempDir(), "data")
	ingestHere(t, data, dirs)
	for _, appears := range []string{"rows", "state", "state/MANIFEST-000001"} {
		killWhen(t, filepath.Join(data, "audit", appears), "audit", "--data", data)
	}
	if status, report := audited(t, data); status != exitDone {
		t.Errorf("status %d, %+v", status, report)
	}
}

// killWhen runs assay and kills it as soon as a file appears, if it has not ended by then.
func killWhen(t *testing.T, file string, args ...string) {
	t.Helper()
	cmd := command(t.Context(), args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			t.Logf("assay %s ended when %s was there: %v", args[0], filepath.Base(file), err)
			return
		default:
		}
		if _, err := os.Stat(file); err == nil {
			_ = cmd.Process.Kill() // unless it has ended by itself
		}
	}
}
