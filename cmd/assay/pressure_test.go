package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"assay/internal/query"
	"assay/streams"
)

// smallLog is a limit on the log, in bytes, that the tests soon reach.
const smallLog = "2097152"

// body returns n events of about a kilobyte, which tell their number.
func body(from, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"type":"t","n":%d,"pad":"%s"}`+"\n", from+i, strings.Repeat("x", 1000))
	}
	return b.String()
}

// send ingests a body and returns the status and the text of the answer.
func send(t *testing.T, url, workflow, stream, text string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/ingest/event/"+workflow, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(streams.HeaderStream, stream)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// A full log refuses with the reason and the remedy, whichever way events come, and keeps all that it accepted.
func TestFullLogRefuses(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server, url := serve(t, data, "--log-max-bytes", smallLog)
	accepted, status, answer := "", http.StatusOK, ""
	for i := 0; status == http.StatusOK; i++ {
		if i > 100 {
			t.Fatal("the log takes more than its limit")
		}
		text := body(100*i, 100)
		if status, answer = send(t, url, "w", "s", text); status == http.StatusOK {
			accepted += text
		}
	}
	if status != http.StatusInsufficientStorage || !strings.Contains(answer, "log full") || !strings.Contains(answer, "log.max_bytes") {
		t.Errorf("refused with %d: %s", status, answer)
	}
	file := filepath.Join(t.TempDir(), "more.ndjson")
	if err := os.WriteFile(file, []byte(body(0, 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	ingest := command(t.Context(), "ingest", "--server", url, file)
	said, err := ingest.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitFailed || !bytes.Contains(said, []byte("log full")) || !bytes.Contains(said, []byte("log.max_bytes")) {
		t.Errorf("assay ingest ends with %v: %s", err, said)
	}
	server.stop(t)
	if got := output(t, "replay", "--data", data, "--stream", "s"); string(got) != accepted {
		t.Errorf("accepted %d bytes, and the log has %d", len(accepted), len(got))
	}
}

// A ring goes on, and keeps what is newest.
func TestFullRingGoesOn(t *testing.T) {
	t.Parallel()
	data, last := t.TempDir(), ""
	server, url := serve(t, data, "--log-max-bytes", smallLog, "--log-discard", "old")
	for i := range 50 {
		last = body(100*i, 100)
		if status, answer := send(t, url, "w", "s", last); status != http.StatusOK {
			t.Fatalf("body %d: %d %s", i, status, answer)
		}
	}
	server.stop(t)
	got := output(t, "replay", "--data", data, "--stream", "s")
	if !bytes.HasSuffix(got, []byte(last)) || len(got) > 2<<20 || len(got) < 1<<20 {
		t.Errorf("the ring holds %d bytes", len(got))
	}
}

// Under lag what can be spared is shed, by what the frames say: the same frames again are shed the same way, at any pace.
func TestSheddingUnderLag(t *testing.T) {
	t.Parallel()
	sse, data := recordings(t)[0], t.TempDir()
	lag := filepath.Join(t.TempDir(), "lag")
	if err := os.Symlink(absolute(t, sse), lag); err != nil {
		t.Fatal(err)
	}
	output(t, "ingest", "--data", data, lag) // nobody processes it yet
	// Silver holds what it has for a while, so that it lags behind while more comes in.
	shed := summarise(t, []string{
		"run", "--data", data, "--until-idle", "--json", "--gate-low-watermark", "10", "--gate-high-watermark", "20",
		"--silver-max-age", "1s", "--ingest", sse,
	})
	checkShed(t, shed)

	frames, replayed := framesOf(t, data), t.TempDir()
	withLog(t, replayed, func(log *streams.Log) {
		publisher := log.NewPublisher(streams.PublisherConfig{})
		if _, err := publisher.Publish(t.Context(), frames...); err != nil {
			t.Error(err)
		}
		if err := publisher.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	again := summarise(t, []string{"run", "--data", replayed, "--until-idle", "--json", "--silver-workers", "4", "--silver-max-rows", "100"})
	if fmt.Sprint(again) != fmt.Sprint(shed) {
		t.Errorf("the same frames give %+v, and then %+v", shed, again)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func checkShed(t *testing.T, s query.Summary) {
	t.Helper()
	if s.Silver.Shed == 0 || s.Gold.Traces+s.Silver.Shed+s.Silver.Dead != s.Silver.Events {
		t.Errorf("%d events became %d traces, %d shed, %d dead", s.Silver.Events, s.Gold.Traces, s.Silver.Shed, s.Silver.Dead)
	}
}
