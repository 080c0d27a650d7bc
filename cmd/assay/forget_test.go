package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assay/internal/query"
	"assay/sovereign/schema"
)

// workflowsOf are those that the files of part become.
func workflowsOf(n int) []string {
	names := []string{fmt.Sprintf("sample-%d-session", n)}
	for _, file := range []string{"answer-1", "answer-3", "answer-4", "tools"} {
		names = append(names, fmt.Sprintf("part-%d/%s", n, file))
	}
	return names
}

// mixed writes a file whose events belong to workflows of several parts in turn.
func mixed(t *testing.T, input string, parts int) string {
	t.Helper()
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `{"topology_class":"observation","workflow_id":"sample-%d-session","timestamp":1760000000,`+
			`"payload":{"observation":"sample-%[1]d- said thing %d"}}`+"\n", i%parts, i)
	}
	file := filepath.Join(input, "mixed.ndjson")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What is left once workflows are forgotten is what the rest of the log says, as a rebuild and an audit tell; and nothing of
// them is left in tables, state or log.
func TestForget(t *testing.T) {
	t.Parallel()
	for _, bronze := range []bool{false, true} {
		t.Run(fmt.Sprintf("bronze=%t", bronze), func(t *testing.T) {
			t.Parallel()
			input, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
			summarise(t, ingestArgs(data, []string{part(t, input, 0), part(t, input, 1), mixed(t, input, 2)}))
			for _, workflow := range workflowsOf(0) {
				args := []string{"forget", workflow, "--data", data, "--abandon", fmt.Sprintf("--bronze=%t", bronze)}
				if status, out := runHere(t, args...); status != exitDone {
					t.Fatalf("forget %s: status %d: %s", workflow, status, out)
				}
			}
			checkForgotten(t, data, "sample-0-")
			status, raw := runHere(t, "replay", "--data", data)
			if status != exitDone || strings.Contains(raw, "sample-0-") == bronze || !strings.Contains(raw, "sample-1- said thing 39") {
				t.Errorf("replay: status %d, the forgotten is there: %t", status, strings.Contains(raw, "sample-0-"))
			}
			before := dump(t, data, derived...)
			if status, out := runHere(t, "rebuild", "--data", data); status != exitDone {
				t.Fatalf("rebuild: status %d: %s", status, out)
			}
			if after := dump(t, data, derived...); after != before {
				t.Errorf("left:\n%s\nrebuilt:\n%s", only(before, after), only(after, before))
			}
			checkForgotten(t, data, "sample-0-")
			if bronze {
				checkFiles(t, data, "sample-0- said thing")
			}
		})
	}
}

// checkForgotten expects an honest store and log, in which no table has the text.
func checkForgotten(t *testing.T, data, text string) {
	t.Helper()
	if status, report := audited(t, data); status != exitDone || !report.Clean() {
		t.Errorf("audit: status %d, %+v", status, report.Differences)
	}
	if status, out := runHere(t, "audit", "--chain", "--data", data); status != exitDone {
		t.Errorf("audit --chain: status %d: %s", status, out)
	}
	for _, row := range strings.Split(dump(t, data, append([]string{schema.Promotions}, derived...)...), "\n") {
		if strings.Contains(row, text) {
			t.Errorf("still there: %.200s", row)
		}
	}
}

// checkFiles expects no file to have the text.
func checkFiles(t *testing.T, data, text string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), text) {
			t.Errorf("%s still has %q", path, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A program that is killed while it forgets goes on with that when it is started again.
func TestKilledWhileForgetting(t *testing.T) {
	t.Parallel()
	const deaths = 6
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	input, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	parts := []string{mixed(t, input, 3)}
	for n := range 3 {
		parts = append(parts, part(t, input, n))
	}
	summarise(t, ingestArgs(data, parts))
	for done := range deaths {
		workflow := workflowsOf(done % 2)[random.IntN(5)]
		cmd := command(t.Context(), "forget", workflow, "--data", data, "--abandon", "--bronze")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		death := time.AfterFunc(time.Duration(random.Int64N(int64(time.Second))), func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // however it ended
		death.Stop()
	}
	// Frames that were written again, and not marked as processed before the end came, are processed now.
	summarise(t, []string{"run", "--data", data, "--until-idle", "--json"})
	for n := range 2 {
		for _, workflow := range workflowsOf(n) {
			if status, out := runHere(t, "forget", workflow, "--data", data, "--abandon", "--bronze"); status == exitFailed {
				t.Logf("forget %s: %s", workflow, out) // it was forgotten before
			}
		}
		checkForgotten(t, data, fmt.Sprintf("sample-%d-", n))
	}
	if status, out := runHere(t, "rehydrate", "sample-2-session", "--data", data); status != exitDone || !strings.Contains(out, "thing 38") {
		t.Errorf("status %d: %s", status, out)
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}

// A server forgets while it serves; what comes afterwards is new. Who has no token may not ask for it.
func TestForgetOnAServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	server, url := serve(t, data, "--http-token", "secret")
	event := func(n int) string {
		return fmt.Sprintf(`{"topology_class":"observation","event_cid":"e-%d","payload":{"observation":"a thing %[1]d here"}}`+"\n", n)
	}
	file := filepath.Join(t.TempDir(), "w.ndjson")
	ingest := func(n int) {
		t.Helper()
		if err := os.WriteFile(file, []byte(event(n)), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, out := runHere(t, "ingest", "--server", url, "--http-token", "secret", "--workflow", "a/b c", file); status != exitDone {
			t.Fatalf("ingest: status %d: %s", status, out)
		}
	}
	ingest(1)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, url+"/v1/workflows/a%2Fb%20c", nil)
	if err != nil {
		t.Fatal(err)
	}
	refused, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = refused.Body.Close()
	if refused.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a token: %s", refused.Status)
	}
	status, out := runHere(t, "forget", "a/b c", "--server", url, "--http-token", "secret", "--bronze", "--json")
	var report query.Forgetting
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != exitDone || report.Erased != 1 {
		t.Fatalf("status %d: %s, %v", status, out, err)
	}
	ingest(2)
	if status, out := runHere(t, "ingest", "--server", url, "--http-token", "secret", mixed(t, t.TempDir(), 2)); status != exitDone {
		t.Fatalf("ingest: status %d: %s", status, out)
	}
	status, out = runHere(t, "forget", "sample-0-session", "--server", url, "--http-token", "secret", "--bronze", "--json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != exitDone || report.Rewritten != 1 {
		t.Fatalf("status %d: %s, %v", status, out, err)
	}
	server.stop(t)
	summarise(t, []string{"run", "--data", data, "--until-idle", "--json"}) // what was not processed yet
	status, out = runHere(t, "rehydrate", "a/b c", "--data", data)
	if status != exitDone || strings.Contains(out, "a thing 1 here") || !strings.Contains(out, "a thing 2 here") {
		t.Errorf("status %d: %s", status, out)
	}
	checkForgotten(t, data, "a thing 1 here")
	checkForgotten(t, data, "sample-0-")
}
