package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"assay/internal/ops/audit"
	"assay/internal/query"
)

func TestAuditOfTheRecordings(t *testing.T) {
	dirs, data := recordings(t), filepath.Join(t.TempDir(), "data")
	ingested := ingestHere(t, data, dirs)
	status, report := audited(t, data)
	if status != exitDone || !report.Clean() {
		t.Fatalf("status %d, %d differences, the first %+v", status, len(report.Differences), report.Differences[0])
	}
	if report.Frames != ingested.Bronze.Frames || report.Events != ingested.Silver.Events {
		t.Errorf("audited %d frames, %d events; the log has %d, %d", report.Frames, report.Events, ingested.Bronze.Frames, ingested.Silver.Events)
	}
	for _, table := range report.Tables {
		if table.Expected != table.Stored || table.Expected == 0 && table.Table != "shed" && table.Table != "DEAD" {
			t.Errorf("%+v", table)
		}
	}
	if status, out := runHere(t, "audit", "--data", data, "--chain"); status != exitDone {
		t.Errorf("chain: status %d, %s", status, out)
	}
}

// BenchmarkAudit compares the speed of an audit with that of the pipeline, on the recordings several times over.
func BenchmarkAudit(b *testing.B) {
	const copies = 8
	source := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(source); err != nil {
		b.Skip("the recordings are not here:", err)
	}
	var dirs []string
	for i := range copies { // a stream is named after its path, so each copy is another one
		dir := filepath.Join(b.TempDir(), fmt.Sprint("copy", i))
		for _, name := range []string{"sse", "jsonrpc", "events"} {
			if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(source, name))); err != nil {
				b.Fatal(err)
			}
		}
		dirs = append(dirs, dir)
	}
	data := filepath.Join(b.TempDir(), "data")
	ingested := ingestHere(b, data, dirs)
	var events, seconds float64
	for b.Loop() {
		status, out := runHere(b, "audit", "--data", data, "--json")
		var report audit.Report
		if err := json.Unmarshal([]byte(out), &report); err != nil || status != exitDone {
			b.Fatal(status, err)
		}
		events += float64(report.Events)
		seconds += report.Seconds
	}
	b.ReportMetric(float64(ingested.Bronze.Events)/ingested.Seconds, "pipeline-events/s")
	b.ReportMetric(events/seconds, "audit-events/s")
}

// ingestHere runs files through the program.
func ingestHere(t testing.TB, data string, dirs []string) (summary query.Summary) {
	t.Helper()
	status, out := runHere(t, ingestArgs(data, dirs)...)
	if status != exitDone {
		t.Fatal("run failed")
	}
	if err := json.Unmarshal([]byte(out), &summary); err != nil {
		t.Fatal(err)
	}
	return summary
}
