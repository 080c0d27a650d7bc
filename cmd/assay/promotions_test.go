package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"assay/internal/config"
	"assay/internal/query"
	"assay/sovereign"
	"assay/sovereign/schema"
	"assay/streams"
)

// fickleRegistry answers with a status, and with a URN once that is 200.
func fickleRegistry(t *testing.T, status int) (address string, answer *atomic.Int64) {
	answer = &atomic.Int64{}
	answer.Store(int64(status))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(answer.Load()))
		fmt.Fprintf(w, `{"urn":"urn:coreason:%s"}`, r.Header.Get("Idempotency-Key"))
	}))
	t.Cleanup(s.Close)
	return s.URL, answer
}

// serving runs the service with two promotions in its log and returns its address.
func serving(t *testing.T, registry string) string {
	t.Helper()
	settings := config.Default()
	settings.Data, settings.HTTP.Listen = filepath.Join(t.TempDir(), "data"), "127.0.0.1:0"
	settings.Registry.URL, settings.Registry.WarnAge = registry, time.Nanosecond
	p := &program{stdout: io.Discard, stderr: io.Discard}
	running, err := p.startService(t.Context(), settings, slog.New(slog.DiscardHandler), false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		if err := running.stop(ctx); err != nil {
			t.Error(err)
		}
	})
	const event = `{"topology_class":"epistemic_promotion","event_cid":"promotion-%d","timestamp":1760000000,` +
		`"source_episodic_event_cids":["a"],"crystallized_semantic_node_cid":"node","compression_ratio":0.5}` + "\n"
	body := fmt.Appendf(nil, event+event, 1, 2)
	if err := running.pipeline.Record(t.Context(), streams.SourceEvent, "wf", "s", body); err != nil {
		t.Fatal(err)
	}
	return running.url()
}

// await watches until that many promotions were seen in a state with so many attempts.
func await(t *testing.T, server, state string, n int) {
	t.Helper()
	seen := map[string]bool{}
	for m, err := range query.NewRemote(server, "").WatchPromotions(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if m.State == state && m.Attempts > 0 {
			seen[m.EventCID] = true
		}
		if len(seen) == n {
			return
		}
	}
}

// What the registry refuses waits for a command; given one, a running server publishes it.
func TestPromotionsOfAServer(t *testing.T) {
	t.Parallel()
	registry, answer := fickleRegistry(t, http.StatusUnprocessableEntity)
	server := serving(t, registry)
	await(t, server, query.StateRejected, 2)
	answer.Store(http.StatusOK)
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"--state rejected", exitDone, "422 Unprocessable Entity"},
		{"retry --all-rejected", exitDone, "2 retried, 0 rejected"},
	} {
		steerServer(t, server, c.args, c.status, c.says)
	}
	await(t, server, query.StatePublished, 2)
	steerServer(t, server, "show promotion-1 --json", exitDone, `"urn": "urn:coreason:`)
	steerServer(t, server, "retry promotion-1", exitFailed, "0 retried")
	steerServer(t, server, "reject promotion-2 --reason late", exitFailed, "0 rejected")
	steerServer(t, server, "retry --all-rejected", exitDone, "0 retried")
}

// An expired token rejects nothing: promotions wait for a better one, and the wait is told.
func TestPromotionsWaitForCredentials(t *testing.T) {
	t.Parallel()
	registry, answer := fickleRegistry(t, http.StatusUnauthorized)
	server := serving(t, registry)
	await(t, server, query.StatePending, 2)
	steerServer(t, server, "show promotion-2", exitDone, "check the registry's token")
	for path, want := range map[string]string{
		"/readyz": "ready\nwarning: a promotion has waited for", "/metrics": `assay_promotions{state="pending"} 2`,
		"/v1/status": `"warnings":["a promotion has waited for`,
	} {
		if got := fetch(t, server+path); !strings.Contains(got, want) {
			t.Errorf("%s does not say %q: %s", path, want, got)
		}
	}
	answer.Store(http.StatusOK)
	await(t, server, query.StatePublished, 2) // by itself
}

func steerServer(t *testing.T, server, args string, status int, says string) {
	t.Helper()
	all := append(append([]string{"promotions"}, strings.Fields(args)...), "--server", server)
	if got, out := runHere(t, all...); got != status || !strings.Contains(out, says) {
		t.Errorf("assay promotions %s: status %d, %s", args, got, out)
	}
}

func fetch(t *testing.T, address string) string {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, error %v", address, response.Status, err)
	}
	return string(body)
}

// A rebuild takes from a row of promotions what became of it, and all else from the log: whatever was damaged is mended, and
// nothing is published a second time under another key.
func TestRebuildCorrectsPromotions(t *testing.T) {
	t.Parallel()
	const stranger = "00000000-0000-4000-8000-000000000000"
	registry, dir := newRegistry(t), sampled(t)
	publish := func() {
		t.Helper()
		runHere(t, "run", "--data", dir, "--until-idle", "--log-level", "error", "--registry", registry.URL)
	}
	publish()
	before := dump(t, dir, schema.Promotions)
	for column, text := range map[string]string{
		"payload": `{"event_cid": "another"}`, "event_cid": "another", "workflow_id": "another", "event_uuid": stranger,
		"state": "publisjed",
	} {
		var row arrow.Record
		tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
			row = firstRow(ctx, t, store, schema.Promotions, schema.Filter{})
			return nil
		})
		for _, rows := range [][]arrow.Record{{with(row, column, text)}, {row, with(row, column, text)}} {
			replace(t, dir, schema.Promotions, rows, keyOf(row, schema.Promotions))
			if status, _ := audited(t, dir); status != exitDifference {
				t.Errorf("%s: the audit ended with status %d", column, status)
			}
			if status, out := runHere(t, "rebuild", "--data", dir); status != exitDone {
				t.Errorf("%s: the rebuild ended with status %d: %s", column, status, out)
			}
			publish()
			checkPublished(t, dir)
			// Where nothing told any more what became of it, it was asked for again.
			if after := dump(t, dir, schema.Promotions); after != before && column != "event_uuid" && column != "state" {
				t.Errorf("%s: before:\n%s\nafter:\n%s", column, before, after)
			}
			before = dump(t, dir, schema.Promotions)
		}
	}
	if len(registry.seen) != 1 {
		t.Errorf("the registry has seen %v", registry.seen)
	}
}
