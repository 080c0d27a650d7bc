package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"assay/consumers/silver"
	"assay/internal/ops/audit"
	"assay/streams"
)

// undecoded is a data directory that holds some lines, each a frame of its own, which nothing can decode.
func undecoded(t *testing.T, frames int) string {
	t.Helper()
	dir, lines := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "broken")
	if err := os.Mkdir(lines, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if err := os.WriteFile(filepath.Join(lines, fmt.Sprintf("%02d.ndjson", i)), fmt.Appendf(nil, "{\"broken\": %d\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if status, out := runHere(t, "run", "--data", dir, "--until-idle", "--json", "--ingest", lines); status != exitDone {
		t.Fatalf("status %d: %s", status, out)
	}
	return dir
}

// letterOf returns the first letter of a frame, without the id by which the log would recognise it, and its sequence on DEAD.
func letterOf(t *testing.T, log *streams.Log, frame uint64) (*nats.Msg, uint64) {
	t.Helper()
	for m, err := range streams.Scan(t.Context(), log.Dead(), streams.ReplayOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Header.Get(silver.HeaderBronzeSeq) == strconv.FormatUint(frame, 10) {
			m.Header.Del(nats.MsgIdHdr)
			return &nats.Msg{Subject: m.Subject, Header: m.Header, Data: m.Data}, m.Seq
		}
	}
	t.Fatalf("frame %d has no letter", frame)
	return nil, 0
}

// deleteLetters removes the first letters of frames.
func deleteLetters(t *testing.T, dir string, frames ...uint64) {
	t.Helper()
	withLog(t, dir, func(log *streams.Log) {
		for _, frame := range frames {
			_, seq := letterOf(t, log, frame)
			if err := log.Dead().DeleteMsg(t.Context(), seq); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Letters that were lost, changed and made up are named and mended; doubles, and those that no frame explains, are left alone.
func TestAuditNamesDeadLetters(t *testing.T) {
	t.Parallel()
	dir := undecoded(t, 5)
	if status, report := audited(t, dir); status != exitDone {
		t.Fatalf("status %d before anything was changed: %+v", status, report)
	}
	withLog(t, dir, func(log *streams.Log) {
		publish := func(frame uint64, change func(*nats.Msg)) {
			letter, _ := letterOf(t, log, frame)
			change(letter)
			if err := log.PublishMsgs(t.Context(), letter); err != nil {
				t.Fatal(err)
			}
		}
		publish(1, func(*nats.Msg) {}) // as of a frame that was delivered twice
		publish(2, func(m *nats.Msg) { m.Header.Set(silver.HeaderReason, "no reason") })
		publish(4, func(m *nats.Msg) { m.Header.Set(streams.HeaderPosition, "9") })
		publish(4, func(m *nats.Msg) { m.Header.Del(silver.HeaderBronzeSeq) })               // another client's
		publish(4, func(m *nats.Msg) { m.Subject, m.Header = silver.SubjectDeadBatch, nil }) // Gold's
	})
	deleteLetters(t, dir, 2, 3)
	found := map[string]string{}
	status, report := audited(t, dir)
	for _, d := range report.Differences {
		found[fmt.Sprintf("%s %s of frame %d", d.Finding, strings.Join(d.Columns, ","), d.BronzeSeq)] = d.Table
	}
	for _, want := range []string{"different reason of frame 2", "missing  of frame 3", "unexpected  of frame 4"} {
		if found[want] != streams.StreamDead {
			t.Errorf("not %s", want)
		}
	}
	if status != exitDifference || len(found) != 3 {
		t.Errorf("status %d, found %v", status, found)
	}
	if status, out := runHere(t, "rebuild", "--data", dir); status != exitDone || !strings.Contains(out, "2 dead letters were missing or others, and were written again; 2 were erased") {
		t.Errorf("status %d: %s", status, out)
	}
	if status, report := audited(t, dir); status != exitDone {
		t.Errorf("after a rebuild: status %d, %+v", status, report.Differences)
	}
	withLog(t, dir, func(log *streams.Log) {
		info, err := log.Dead().Info(t.Context())
		if err != nil || info.State.Msgs != 8 { // five, a double and two of others
			t.Errorf("DEAD has %d letters, %v", info.State.Msgs, err)
		}
	})
}

// What the limits of DEAD have taken, and what frames said that have left the log, is no difference; what is missing besides is.
func TestAuditOfLimitedDeadLetters(t *testing.T) {
	t.Parallel()
	dir := undecoded(t, 8)
	withLog(t, dir, func(log *streams.Log) {
		cfg := log.Dead().CachedInfo().Config
		cfg.MaxMsgs = 5
		if _, err := log.JetStream().UpdateStream(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	})
	check := func() {
		t.Helper()
		status, report := audited(t, dir)
		want := audit.Tally{Table: streams.StreamDead, Expected: 8, Stored: 5, Unprovable: 3}
		if got := ofLetters(t, report); status != exitDone || got != want {
			t.Errorf("status %d, %+v, want %+v", status, got, want)
		}
	}
	check()
	if status, out := runHere(t, "rebuild", "--data", dir); status != exitDone || strings.Contains(out, "letters") {
		t.Errorf("status %d: %s", status, out)
	}
	check()
}

// ofLetters is what a report counts of letters.
func ofLetters(t *testing.T, r *audit.Report) audit.Tally {
	t.Helper()
	i := slices.IndexFunc(r.Tables, func(t audit.Tally) bool { return t.Table == streams.StreamDead })
	if i < 0 {
		t.Fatalf("no letters in %+v", r.Tables)
	}
	return r.Tables[i]
}

// Frames that are missing take the proof of their letters with them. The letters stay: they have the bytes.
func TestLettersOfLostFramesStay(t *testing.T) {
	t.Parallel()
	dir := undecoded(t, 3)
	withLog(t, dir, func(log *streams.Log) {
		if err := log.Bronze().DeleteMsg(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
	})
	if status, out := runHere(t, "rebuild", "--data", dir, "--allow-data-loss"); status != exitDone || strings.Contains(out, "letters") {
		t.Errorf("status %d: %s", status, out)
	}
	if status, report := audited(t, dir); status != exitDone || ofLetters(t, report).Unprovable != 1 {
		t.Errorf("status %d: %+v", status, report)
	}
	if _, out := runHere(t, "dead", "--data", dir); strings.Count(out, "broken") < 3 {
		t.Errorf("letters are %s", out)
	}
}

// An audit that was interrupted goes on with the letters, too.
func TestInterruptedAuditHasLetters(t *testing.T) {
	t.Parallel()
	dir := undecoded(t, 4)
	deleteLetters(t, dir, 1, 4)
	auditParts(t, dir, 1)
	auditParts(t, dir, 1)
	if r := auditParts(t, dir, 0); r.Resumed != 2 || len(r.Differences) != 2 {
		t.Errorf("%d frames had been compared, found %+v", r.Resumed, r.Differences)
	}
	// Whoever has changed DEAD since wants it audited as it is now.
	auditParts(t, dir, 3)
	deleteLetters(t, dir, 2)
	if r := auditParts(t, dir, 0); r.Resumed != 0 || len(r.Differences) != 3 {
		t.Errorf("%d frames had been compared, found %+v", r.Resumed, r.Differences)
	}
}

// A live audit compares the letters up to where it began, however many come in meanwhile.
func TestLiveAuditHasLetters(t *testing.T) {
	t.Parallel()
	dir := undecoded(t, 4)
	deleteLetters(t, dir, 3)
	server, url := serve(t, dir)
	defer server.stop(t)
	status, out := runHere(t, "audit", "--server", url)
	if status != exitDifference || !strings.Contains(out, "DEAD") || strings.Count(out, "missing") != 1 {
		t.Errorf("status %d: %s", status, out)
	}
}
