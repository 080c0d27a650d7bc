package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"assay/internal/query"
)

const (
	// largeBodyMB is the size, in megabytes, of what BenchmarkMemoryOfALargeBody ingests; TEST_BODY_MB sets another one.
	largeBodyMB = 100
	// memoryLook is how often it looks at the memory.
	memoryLook = 20 * time.Millisecond
	// completionChunks is how many chunks each model answer in the body has, and its end.
	completionChunks = 300
)

// BenchmarkMemoryOfALargeBody posts one long body of model answers to a server and waits until the tables have it. anon-MiB
// is the most memory that the server held by itself; rss-MiB, the most that it had resident, adds the pages of the program
// file, which the system shares and takes back at will.
func BenchmarkMemoryOfALargeBody(b *testing.B) {
	megabytes := largeBodyMB
	if n, err := strconv.Atoi(os.Getenv("TEST_BODY_MB")); err == nil {
		megabytes = n
	}
	for range b.N {
		server, url := serve(b, b.TempDir())
		if _, err := memoryOf(server.Process.Pid, "VmHWM"); err != nil {
			b.Skipf("this system does not tell the memory of a process: %v", err)
		}
		done, most := make(chan struct{}), make(chan int)
		go func() { most <- watchMemory(server.Process.Pid, done) }()
		body := &completions{left: megabytes * 1_000_000}
		began := time.Now()
		postAll(b, url, body)
		ingested := time.Since(began)
		awaitTraces(b, url, body.events)
		processed := time.Since(began)
		close(done)
		resident, err := memoryOf(server.Process.Pid, "VmHWM")
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(<-most)/1024, "anon-MiB")
		b.ReportMetric(float64(resident)/1024, "rss-MiB")
		b.ReportMetric(float64(megabytes)/ingested.Seconds(), "ingest-MB/s")
		b.ReportMetric(float64(body.events)/processed.Seconds(), "events/s")
		server.stop(b)
	}
}

// completions is a stream of chat completions, each with its own id, of about so many bytes as are left.
type completions struct {
	left   int
	events int
	number int
	rest   string
}

func (c *completions) Read(p []byte) (int, error) {
	if c.rest == "" {
		if c.left <= 0 {
			return 0, io.EOF
		}
		c.rest = c.next()
		c.left -= len(c.rest)
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *completions) next() string {
	var answer strings.Builder
	for i := range completionChunks {
		fmt.Fprintf(&answer, `data: {"id":"chatcmpl-%d","object":"chat.completion.chunk","created":%d,"model":"gpt-4o-mini",`+
			`"choices":[{"index":0,"delta":{"content":" word%d"},"finish_reason":null}]}`+"\n\n", c.number, 1_700_000_000+c.number, i)
	}
	answer.WriteString("data: [DONE]\n\n")
	c.number++
	c.events += completionChunks + 1
	return answer.String()
}

func postAll(b *testing.B, url string, body io.Reader) {
	b.Helper()
	response, err := http.Post(url+"/v1/ingest/sse/large", "text/event-stream", body)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s, %v", response.Status, answer, err)
	}
}

// awaitTraces returns when the server has so many rows of traces.
func awaitTraces(b *testing.B, url string, want int) {
	b.Helper()
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	for summary := (query.Summary{}); summary.Gold.Traces < uint64(want); <-tick.C {
		response, err := http.Get(url + "/v1/status")
		if err != nil {
			b.Fatal(err)
		}
		err = json.NewDecoder(response.Body).Decode(&summary)
		_ = response.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
}

// watchMemory returns the most anonymous memory of a process, in KiB, until done is closed.
func watchMemory(pid int, done <-chan struct{}) (most int) {
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return most
		case <-tick.C:
			if now, err := memoryOf(pid, "RssAnon"); err == nil {
				most = max(most, now)
			}
		}
	}
}

// memoryOf reads a figure of Linux's account of a process, in KiB.
func memoryOf(pid int, name string) (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), name+":")
	line, _, _ := strings.Cut(rest, "kB")
	return strconv.Atoi(strings.TrimSpace(line))
}
