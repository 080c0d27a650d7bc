package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/test/sample"
	"assay/sovereign/schema"
)

// kills is how often TestKilledAtRandom kills the program; TEST_KILLS sets another number.
const kills = 10

// whenCaptured are columns that tell when events were captured, or follow from it where events have no time of their own.
var whenCaptured = []string{"captured_at", "started_at", "ended_at", "latency_us", "ts"}

// TestKilledAtRandom kills the program at any moment while it ingests something new each time. In the end no row is lost
// and none is there twice: the tables are those of a program that was never killed, and what the log says.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	want := kills
	if n, err := strconv.Atoi(os.Getenv("TEST_KILLS")); err == nil {
		want = n
	}
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	input, killed, calm := t.TempDir(), t.TempDir(), t.TempDir()

	began := time.Now()
	summarise(t, ingestArgs(calm, []string{part(t, input, 0)}))
	usual := time.Since(began) // how long it lives if it is left alone

	done, parts := 0, []string{filepath.Join(input, "part-0")}
	for done < want {
		parts = append(parts, part(t, input, len(parts)))
		cmd := command(t.Context(), ingestArgs(killed, parts[len(parts)-1:])...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		death := time.AfterFunc(time.Duration(random.Int64N(int64(usual))), func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		death.Stop()
		switch {
		case cmd.ProcessState.ExitCode() < 0:
			done++
		case err != nil:
			t.Fatalf("after %d kills: %v\n%s", done, err, &stderr)
		}
	}
	got, undisturbed := summarise(t, ingestArgs(killed, parts)), summarise(t, ingestArgs(calm, parts))
	// How frames were cut is free, and when their events were captured decides which call follows which.
	for _, s := range []*uint64{&got.Bronze.Frames, &undisturbed.Bronze.Frames, &got.Gold.Edges, &undisturbed.Gold.Edges} {
		*s = 0
	}
	if fmt.Sprint(got) != fmt.Sprint(undisturbed) {
		t.Errorf("killed: %+v, undisturbed: %+v", got, undisturbed)
	}
	hidden := append(slices.Clone(whereMet), whenCaptured...)
	for _, table := range []string{schema.Traces, schema.Entities, schema.Episodes, schema.Shed} {
		if a, b := dumpWithout(t, killed, hidden, table), dumpWithout(t, calm, hidden, table); a != b {
			t.Errorf("%s, killed:\n%s\nundisturbed:\n%s", table, only(a, b), only(b, a))
		}
	}
	if status, report := audited(t, killed); status != exitDone || !report.Clean() {
		t.Errorf("audit: status %d, %+v", status, report.Differences)
	}
	before := dump(t, killed, derived...)
	if status, out := runHere(t, "rebuild", "--data", killed); status != exitDone {
		t.Fatalf("rebuild: status %d: %s", status, out)
	}
	if after := dump(t, killed, derived...); after != before {
		t.Errorf("killed:\n%s\nmade of the same log in one go:\n%s", only(before, after), only(after, before))
	}
	t.Logf("seed %d: killed %d of %d runs, %d events", seed, done, len(parts)-1, got.Bronze.Events)
}

// only returns the first lines of a that b lacks.
func only(a, b string) string {
	const linesMax = 3
	in := map[string]bool{}
	for line := range strings.Lines(b) {
		in[line] = true
	}
	var lacking []string
	for line := range strings.Lines(a) {
		if !in[line] && len(lacking) < linesMax {
			lacking = append(lacking, line)
		}
	}
	return strings.Join(lacking, "")
}

// part writes the sample session to a directory of its own, with streams, workflows and events of its own.
func part(t *testing.T, input string, n int) string {
	t.Helper()
	dir := filepath.Join(input, fmt.Sprintf("part-%d", n))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, stream := range sample.Session() {
		body := strings.ReplaceAll(string(stream.Body), "sample-", fmt.Sprintf("sample-%d-", n))
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(stream.ID)), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
