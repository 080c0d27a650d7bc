package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assay/internal/query"
	"assay/internal/test/gateway"
	"assay/internal/test/sample"
	"assay/sovereign/schema"
)

const bucketURL = "s3://" + gateway.Bucket + "/tables"

// bucketFlags has a program keep its tables in a bucket that is reached at an address.
func bucketFlags(t *testing.T, address string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "assay.yaml")
	settings := "store:\n  url: " + bucketURL + "\n  options:\n"
	for key, value := range gateway.Options(address) {
		settings += fmt.Sprintf("    %s: %q\n", key, value)
	}
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", file}
}

// ofBucket copies the tables of the server's bucket to where those of a data directory lie.
func ofBucket(t *testing.T, server *gateway.Gateway) (data string) {
	t.Helper()
	data = t.TempDir()
	if err := os.CopyFS(filepath.Join(data, "sovereign"), os.DirFS(filepath.Join(server.Folder, gateway.Bucket, "tables"))); err != nil {
		t.Fatal(err)
	}
	return data
}

// While the tables are in a bucket that is away, everything is captured and refined, and who asks is told so. Once it is back the
// tables catch up by themselves.
func TestStoreThatIsAway(t *testing.T) {
	t.Parallel()
	server, data := gateway.Start(t), t.TempDir()
	one := summarise(t, ingestArgs(t.TempDir(), []string{part(t, t.TempDir(), 0)}))
	flags := bucketFlags(t, server.URL())
	p, url := serve(t, data, flags...)
	ingestSession(t, url, 0)
	awaitStatus(t, url, "the first session in the tables", func(s *query.Summary) bool { return s.Gold.Traces == one.Gold.Traces })

	server.Kill()
	ingestSession(t, url, 1)
	s := awaitStatus(t, url, "a warning", func(s *query.Summary) bool { return strings.Contains(strings.Join(s.Warnings, "\n"), bucketURL) })
	if s.Bronze.Events != 2*one.Bronze.Events {
		t.Errorf("%d events are kept, want those of two sessions, %d", s.Bronze.Events, 2*one.Bronze.Events)
	}
	if ready := fetch(t, url+"/readyz"); !strings.HasPrefix(ready, "ready\n") || !strings.Contains(ready, bucketURL) {
		t.Errorf("/readyz says %q, want it ready, with a warning", ready)
	}
	server.Restart(t)
	awaitStatus(t, url, "no warning and both sessions", func(s *query.Summary) bool {
		return len(s.Warnings) == 0 && s.Gold.Traces == 2*one.Gold.Traces
	})
	p.stop(t)
	if status, report := audited(t, data, flags...); status != exitDone || !report.Clean() {
		t.Errorf("audit: status %d, %+v", status, report.Differences)
	}
}

// The program starts while its bucket is away, first with nothing, then after it was killed: it captures, refines, says so and refuses
// what needs the tables. Once the bucket is there, the tables catch up by themselves.
func TestStartWithoutTheStore(t *testing.T) {
	t.Parallel()
	server, data := gateway.Start(t), t.TempDir()
	one := summarise(t, ingestArgs(t.TempDir(), []string{part(t, t.TempDir(), 0)}))
	flags := bucketFlags(t, server.URL())
	sessions := uint64(0)
	startAway := func() (*process, string) {
		server.Kill()
		p, url := serve(t, data, flags...)
		batches := statusAt(t, url).Silver.Batches
		ingestSession(t, url, int(sessions))
		sessions++
		s := awaitStatus(t, url, "refined session", func(s *query.Summary) bool {
			return s.Bronze.Events == sessions*one.Bronze.Events && s.Silver.Batches > batches
		})
		if warnings := strings.Join(s.Warnings, "\n"); !strings.Contains(warnings, bucketURL) {
			t.Errorf("status warns of %q, want the store that is away", warnings)
		}
		if ready := fetch(t, url+"/readyz"); !strings.HasPrefix(ready, "ready\n") || !strings.Contains(ready, bucketURL) {
			t.Errorf("/readyz says %q, want it ready, with a warning", ready)
		}
		for _, question := range []string{"/v1/workflows", "/v1/workflows/sample-0-session", "/v1/capabilities"} {
			if status := statusOf(t, url+question); status != http.StatusServiceUnavailable {
				t.Errorf("%s is answered with status %d, want %d", question, status, http.StatusServiceUnavailable)
			}
		}
		server.Restart(t)
		awaitStatus(t, url, "no warning and all sessions", func(s *query.Summary) bool {
			return len(s.Warnings) == 0 && s.Gold.Traces == sessions*one.Gold.Traces
		})
		return p, url
	}
	p, url := startAway()
	ingestSession(t, url, int(sessions))
	sessions++
	_ = p.Process.Kill() // loaded
	_ = p.Wait()
	p, _ = startAway()
	p.stop(t)
	if status, report := audited(t, data, flags...); status != exitDone || !report.Clean() {
		t.Errorf("audit: status %d, %+v", status, report.Differences)
	}
}

// A run that somebody waits for, and one whose bucket does not exist, fail at once.
func TestRunThatNeedsTheStore(t *testing.T) {
	t.Parallel()
	server := gateway.Start(t)
	flags := bucketFlags(t, server.URL())
	refused := func(names string, more ...string) {
		t.Helper()
		var said bytes.Buffer
		args := append([]string{"run", "--data", t.TempDir(), "--http-listen", ""}, more...)
		if status := run(t.Context(), append(args, flags...), nil, io.Discard, &said); status != exitFailed || !strings.Contains(said.String(), names) {
			t.Errorf("run %v: status %d, %s", more, status, &said)
		}
	}
	refused("s3://nowhere/tables", "--store", "s3://nowhere/tables")
	server.Kill()
	refused(bucketURL, "--until-idle")
}

// statusOf is the status with which something is answered.
func statusOf(t *testing.T, address string) int {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// Killed at random while a network before the bucket fails at random, the program loses no row and writes none twice: the tables
// are those that a calm run leaves in a folder.
func TestKilledWithABucketBehindABadNetwork(t *testing.T) {
	t.Parallel()
	const killsWanted = 5
	deaths := rand.New(rand.NewPCG(20, 4))
	var (
		mu      sync.Mutex
		faults  = rand.New(rand.NewPCG(20, 3)) // drawn by many requests at once
		failing atomic.Bool
	)
	server := gateway.Start(t)
	network := gateway.Through(t, server.URL(), func(*http.Request) gateway.Fault {
		mu.Lock()
		defer mu.Unlock()
		if !failing.Load() || faults.IntN(20) > 0 {
			return gateway.None
		}
		return gateway.Fault(faults.IntN(int(gateway.Late) + 1))
	})
	input, killed, calm := t.TempDir(), t.TempDir(), t.TempDir()
	flags := bucketFlags(t, network.URL)
	began := time.Now()
	parts := []string{part(t, input, 0)}
	summarise(t, ingestArgs(killed, parts, flags...))
	usual := time.Since(began)
	failing.Store(true)
	for done := 0; done < killsWanted; {
		parts = append(parts, part(t, input, len(parts)))
		cmd := command(t.Context(), ingestArgs(killed, parts[len(parts)-1:], flags...)...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		death := time.AfterFunc(time.Duration(deaths.Int64N(int64(usual))), func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // killed, done, or given up because of the network
		death.Stop()
		if cmd.ProcessState.ExitCode() < 0 {
			done++
		}
	}
	failing.Store(false)
	summarise(t, ingestArgs(killed, parts, flags...))
	summarise(t, ingestArgs(calm, parts))
	if status, report := audited(t, killed, flags...); status != exitDone || !report.Clean() {
		t.Errorf("audit: status %d, %+v", status, report.Differences)
	}
	hidden, copied := append(append([]string{}, whereMet...), whenCaptured...), ofBucket(t, server)
	for _, table := range []string{schema.Traces, schema.Entities, schema.Episodes, schema.Shed} {
		if a, b := dumpWithout(t, copied, hidden, table), dumpWithout(t, calm, hidden, table); a != b {
			t.Errorf("%s, killed:\n%s\nundisturbed:\n%s", table, only(a, b), only(b, a))
		}
	}
}

// ingestSession sends the sample session over HTTP, under names of its own.
func ingestSession(t *testing.T, url string, n int) {
	t.Helper()
	for _, stream := range sample.Session() {
		body := strings.ReplaceAll(string(stream.Body), "sample-", fmt.Sprintf("sample-%d-", n))
		target := fmt.Sprintf("%s/v1/ingest/%s/sample-%d", url, stream.Source, n)
		response, err := http.Post(target, stream.ContentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode >= http.StatusMultipleChoices {
			t.Fatalf("%s: %s: %s", target, response.Status, answer)
		}
	}
}

func statusAt(t *testing.T, url string) *query.Summary {
	t.Helper()
	var s query.Summary
	if err := json.Unmarshal([]byte(fetch(t, url+"/v1/status")), &s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// awaitStatus asks until the status is as wanted.
func awaitStatus(t *testing.T, url, what string, wanted func(*query.Summary) bool) *query.Summary {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		s := statusAt(t, url)
		if wanted(s) {
			return s
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no %s: %+v", what, s)
		}
	}
}
