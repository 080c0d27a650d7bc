package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"assay/internal/query"
	"assay/sovereign"
	"assay/sovereign/schema"
)

// recordings returns the directories of real input, which lie beside the repository.
func recordings(t testing.TB) []string {
	t.Helper()
	var dirs []string
	for _, name := range []string{"sse", "jsonrpc", "events"} {
		dir := filepath.Join("..", "..", "..", "shared", "data", name)
		if _, err := os.Stat(dir); err != nil {
			t.Skip("the recordings are not here:", err)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// command is this test binary run as assay, in its own process, so that it can be killed.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "assay", args...)
	cmd.Env = append(os.Environ(), "ASSAY_CONFIG=")
	return cmd
}

func ingestArgs(data string, dirs []string, more ...string) []string {
	args := append([]string{"run", "--data", data, "--until-idle", "--json"}, more...)
	return append(append(args, "--ingest"), dirs...)
}

func summarise(t *testing.T, args []string) query.Summary {
	t.Helper()
	var stderr bytes.Buffer
	cmd := command(t.Context(), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("assay %v: %v\n%s", args, err, &stderr)
	}
	var s query.Summary
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	s.Seconds, s.Silver.Batches = 0, 0 // how the work was cut is free
	return s
}

// want is what the recordings hold: 15,243 SSE events with data, 788 JSON-RPC messages, 228 state events.
func checkCounts(t *testing.T, s query.Summary) {
	t.Helper()
	if s.Bronze.Events != 15_243+788+228 {
		t.Errorf("bronze has %d events", s.Bronze.Events)
	}
	if s.Silver.Events < s.Bronze.Events || s.Gold.Traces != s.Silver.Events || s.Silver.Shed != 0 || s.Silver.Dead != 0 {
		t.Errorf("%d events became %d traces, %d shed, %d dead", s.Silver.Events, s.Gold.Traces, s.Silver.Shed, s.Silver.Dead)
	}
}

func TestRecordingsEndToEnd(t *testing.T) {
	t.Parallel()
	dirs, data := recordings(t), t.TempDir()
	first := summarise(t, ingestArgs(data, dirs))
	checkCounts(t, first)
	if first.Promotions.Pending != 12 {
		t.Errorf("without a registry 12 promotions wait, not %+v", first.Promotions)
	}
	if again := summarise(t, ingestArgs(data, dirs)); fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("ingesting the same again changes %+v to %+v", first, again)
	}
	checkIdentities(t, data)

	registry := newRegistry(t)
	published := summarise(t, []string{"run", "--data", data, "--until-idle", "--json", "--registry", registry.URL})
	if published.Promotions.Published != 12 || published.Promotions.Pending != 0 {
		t.Errorf("with a registry: %+v", published.Promotions)
	}
	registry.check(t, 12)
	summarise(t, []string{"run", "--data", data, "--until-idle", "--json", "--registry", registry.URL})
	registry.check(t, 12)
}

// checkIdentities recomputes identities from the stored rows with another implementation of UUIDv5.
func checkIdentities(t *testing.T, data string) {
	t.Helper()
	store, err := sovereign.Open(t.Context(), filepath.Join(data, "sovereign"), sovereign.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rows, err := store.Query(t.Context(), schema.Query{
		Table: schema.Traces, Columns: []string{"event_uuid", "entity_uuid", "intent_id", "workflow_id", "event_id"},
		Where: schema.Eq("source", "event"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Release()
	type trace struct {
		EventUUID  string `col:"event_uuid"`
		EntityUUID string `col:"entity_uuid"`
		IntentID   string `col:"intent_id"`
		WorkflowID string `col:"workflow_id"`
		EventID    string `col:"event_id"`
	}
	traces, err := schema.Scan[trace](rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(traces) != 228 {
		t.Fatalf("%d state events", len(traces))
	}
	namespace := uuid.NewSHA1(uuid.NameSpaceDNS, []byte("coreason.local"))
	fold := func(s string) string { return strings.ToLower(strings.TrimSpace(s)) } // the recordings are ASCII
	for _, row := range traces {
		if want := uuid.NewSHA1(namespace, []byte(row.EventID)).String(); row.EventUUID != want {
			t.Errorf("event %s has id %s, want %s", row.EventID, row.EventUUID, want)
		}
		name := fold(row.IntentID) + "|" + fold(row.WorkflowID)
		if row.IntentID == "" {
			name = fold(row.EventID) + "|" + fold(row.WorkflowID)
		}
		if want := uuid.NewSHA1(namespace, []byte(name)).String(); row.EntityUUID != want {
			t.Errorf("entity %s has id %s, want %s", name, row.EntityUUID, want)
		}
	}
}

// registry is a capability registry that counts what it is asked to publish.
type registry struct {
	*httptest.Server
	mu   sync.Mutex
	seen map[string]int
}

func newRegistry(t *testing.T) *registry {
	r := &registry{seen: map[string]int{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen[q.Header.Get("Idempotency-Key")]++
		fmt.Fprintf(w, `{"urn":"urn:coreason:%s"}`, q.Header.Get("Idempotency-Key"))
	}))
	t.Cleanup(r.Close)
	return r
}

// check fails unless n promotions were published, once each.
func (r *registry) check(t *testing.T, n int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) != n {
		t.Errorf("the registry has seen %d promotions, want %d", len(r.seen), n)
	}
	for id, times := range r.seen {
		if times != 1 {
			t.Errorf("promotion %s was published %d times", id, times)
		}
	}
}

// Killed at any moment and started again, the program ends with the same counts as undisturbed.
func TestKilledAndRepeated(t *testing.T) {
	t.Parallel()
	dirs := recordings(t)
	want := summarise(t, ingestArgs(t.TempDir(), dirs))
	data := t.TempDir()
	for kills := 0; kills < 6; {
		cmd := command(t.Context(), ingestArgs(data, dirs, "--log-level", "debug")...)
		// The program is killed after so many steps of its log: moments of its own work rather than of the clock.
		steps := &killer{after: 1 + 2*kills, kill: func() { _ = cmd.Process.Kill() }}
		cmd.Stderr = steps
		if err := cmd.Run(); err == nil {
			t.Logf("killed %d times", kills)
			break // it was done before so many steps
		}
		kills++
	}
	if got := summarise(t, ingestArgs(data, dirs)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("after kills: %+v, undisturbed: %+v", got, want)
	}
}

// killer calls kill once so many steps of Silver and Gold were written to it.
type killer struct {
	after int
	kill  func()
}

func (k *killer) Write(p []byte) (int, error) {
	if k.after -= bytes.Count(p, []byte("batch published")) + bytes.Count(p, []byte("committed")); k.after <= 0 {
		k.kill()
	}
	return len(p), nil
}
