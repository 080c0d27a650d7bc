package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"assay/internal/ops/audit"
	"assay/sovereign"
	"assay/sovereign/schema"
	"assay/streams"
)

// While events keep coming in, a server audits what was in its tables when it began, and tells what another client changed.
func TestAuditBesideIngest(t *testing.T) {
	t.Parallel()
	data, feed := filepath.Join(t.TempDir(), "data"), t.TempDir()
	server, url := serve(t, data)
	ctx, stop := context.WithCancel(t.Context())
	fed := make(chan int, 1)
	go func() {
		rounds := 0
		for ; ctx.Err() == nil; rounds++ {
			file := filepath.Join(feed, fmt.Sprintf("round%d.ndjson", rounds))
			line := fmt.Sprintf(`{"topology_class":"observation","event_cid":"round-%d","intent_id":"i","workflow_id":"w%d"}`+"\n", rounds, rounds%7)
			if os.WriteFile(file, []byte(line), 0o600) != nil || run(ctx, []string{"ingest", "--server", url, file}, nil, io.Discard, io.Discard) != exitDone {
				break
			}
		}
		fed <- rounds
	}()
	remote := func(args ...string) (int, *audit.Report) {
		t.Helper()
		status, out := runHere(t, append([]string{"audit", "--server", url, "--json"}, args...)...)
		report := &audit.Report{}
		if err := json.Unmarshal([]byte(out), report); err != nil {
			t.Fatalf("status %d, %q: %v", status, out, err)
		}
		return status, report
	}
	var last uint64
	for range 5 {
		status, report := remote()
		if status != exitDone || report.LastSeq < last {
			t.Errorf("status %d up to sequence %d after %d: %+v", status, report.LastSeq, last, report.Differences)
		}
		last = report.LastSeq
	}
	stop()
	if rounds := <-fed; rounds == 0 || last == 0 {
		t.Errorf("%d events came, %d were audited", rounds, last)
	}
	if status, _ := remote(); status != exitDone { // and leaves the server with nothing more to write
		t.Errorf("status %d after the last event", status)
	}
	tamper(t, data, func(ctx context.Context, store *sovereign.Store) error {
		return store.Delete(ctx, schema.Traces, schema.Eq("bronze_seq", int64(1)))
	})
	if status, report := remote(); status != exitDifference || len(report.Differences) != 1 {
		t.Errorf("status %d, %+v", status, report.Differences)
	}
	if status, report := remote("--workflow", "w0"); status != exitDifference || len(report.Differences) != 1 {
		t.Errorf("status %d, %+v", status, report.Differences)
	}
	if status, out := runHere(t, "audit", "--server", url, "--chain", "--json"); status != exitDone || !strings.Contains(out, "verified") {
		t.Errorf("chain: status %d, %s", status, out)
	}
	status, served := runHere(t, "replay", "--server", url)
	var said bytes.Buffer
	if status := run(t.Context(), []string{"audit", "--data", data}, nil, io.Discard, &said); status != exitFailed || !strings.Contains(said.String(), "--server") {
		t.Errorf("of a directory in use: status %d, %s", status, &said)
	}
	server.stop(t)
	if _, stored := runHere(t, "replay", "--data", data); status != exitDone || served == "" || served != stored {
		t.Errorf("the server replays %q, its directory %q", served, stored)
	}
}

// A promotion that is pending and has no entry in the bucket would never be published.
func TestAuditFindsAStrandedPromotion(t *testing.T) {
	dir := sampled(t)
	var id string
	withLog(t, dir, func(log *streams.Log) {
		keys, err := log.Publications().Keys(t.Context())
		if err != nil || len(keys) != 1 {
			t.Fatal(keys, err)
		}
		id = keys[0]
		if err := log.Publications().Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	})
	expect(t, dir, audit.Difference{Table: schema.Promotions, Key: id, Finding: audit.Different, Columns: []string{"state"}})
	withLog(t, dir, func(log *streams.Log) {
		if err := log.JetStream().DeleteKeyValue(t.Context(), streams.BucketPublications); err != nil && err != jetstream.ErrBucketNotFound {
			t.Fatal(err)
		}
	})
	if status, _ := audited(t, dir); status != exitDifference {
		t.Errorf("without the bucket: status %d", status)
	}
}

// A promotion in a state that there is not, as after a bit of the file flipped, is nobody's to publish.
func TestAuditFindsAPromotionInNoState(t *testing.T) {
	dir, id := sampled(t), ""
	tamper(t, dir, func(ctx context.Context, store *sovereign.Store) error {
		row := firstRow(ctx, t, store, schema.Promotions, schema.Filter{})
		defer row.Release()
		id = row.Column(row.Schema().FieldIndices("event_uuid")[0]).ValueStr(0)
		return store.Merge(ctx, schema.Promotions, with(row, "state", "publisjed"))
	})
	expect(t, dir, audit.Difference{Table: schema.Promotions, Key: id, Finding: audit.Different, Columns: []string{"state"}})
}

// An entity whose key leaves the workflow out has events of several; auditing one of these takes the others into account.
func TestAuditOfAWorkflowWithSharedEntities(t *testing.T) {
	dir, config, events := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "assay.yaml"), filepath.Join(t.TempDir(), "events.ndjson")
	lines := ""
	for i := range 40 {
		lines += fmt.Sprintf(`{"type":"ticket","event_cid":"e%d","intent_id":"i%d","workflow_id":"w%d","text":"n%d"}`+"\n", i, i%3, i%4, i)
	}
	for file, content := range map[string]string{config: "keys:\n  ticket:\n    components: [intent_id]\n", events: lines} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if status, out := runHere(t, "run", "--config", config, "--data", dir, "--until-idle", "--json", "--ingest", events); status != exitDone || !strings.Contains(out, `"entities":3`) {
		t.Fatalf("status %d: %s", status, out)
	}
	for _, args := range [][]string{nil, {"--workflow", "w0"}, {"--workflow", "w1"}, {"--workflow", "w2"}, {"--workflow", "w3"}} {
		if status, report := audited(t, dir, append(args, "--config", config)...); status != exitDone {
			t.Errorf("%v: status %d, %+v", args, status, report.Differences)
		}
	}
	if status, _ := audited(t, dir, "--workflow", "w0"); status != exitDifference {
		t.Errorf("without the keys that the tables were made with: status %d", status)
	}
}
