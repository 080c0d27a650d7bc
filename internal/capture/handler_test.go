package capture_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"assay/internal/capture"
	"assay/streams"
)

// serve starts a server with a Handler.
func serve(t *testing.T, opts capture.HandlerOptions) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("POST /v1/ingest/{source}/{workflow...}", capture.NewHandler(opts))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

type reply struct {
	status int
	header http.Header
	capture.Answer
	capture.Refusal
}

// post sends a body; headers come in pairs.
func post(t *testing.T, server *httptest.Server, path string, body io.Reader, headers ...string) reply {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, server.URL+"/v1/ingest/"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return readReply(t, response)
}

func readReply(t *testing.T, response *http.Response) reply {
	t.Helper()
	r := reply{status: response.StatusCode, header: response.Header}
	var into any = &r.Refusal
	if r.status == http.StatusOK {
		into = &r.Answer
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		t.Fatalf("status %d: %v", r.status, err)
	}
	return r
}

func TestHandlerTakesEachMediaType(t *testing.T) {
	for name, test := range map[string]struct {
		path, media, body string
		contentType       string // of the frame
		events            int
	}{
		"sse":             {"sse/w", "text/event-stream; charset=utf-8", "data: 1\n\ndata: 2\n\n", streams.ContentSSE, 2},
		"sse by default":  {"sse/w", "", "data: 1\n\n", streams.ContentSSE, 1},
		"ndjson":          {"jsonrpc/w", "application/x-ndjson", "{}\n{}\n", streams.ContentNDJSON, 2},
		"ndjson default":  {"event/w", "", "{}\n{}\n", streams.ContentNDJSON, 2},
		"object":          {"event/w", "application/json", "{\n}", streams.ContentJSON, 1},
		"array":           {"event/w", "application/json", "[{},{}]", streams.ContentJSON, 2},
		"batch":           {"jsonrpc/w", "application/json", `[{"jsonrpc":"2.0"},{"jsonrpc":"2.0"}]`, streams.ContentJSON, 2},
		"structured":      {"event/w", "application/cloudevents+json", `{"specversion":"1.0"}`, streams.ContentJSON, 1},
		"batch of events": {"event/w", "application/cloudevents-batch+json", `[{},{},{}]`, streams.ContentJSON, 3},
		"garbage":         {"event/w", "application/x-ndjson", "\x00\xff\n{\"half", streams.ContentNDJSON, 2},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{}
			headers := []string{"Assay-Stream", "s", "Assay-Position", "7"}
			if test.media != "" {
				headers = append(headers, "Content-Type", test.media)
			}
			got := post(t, serve(t, capture.HandlerOptions{Publisher: log}), test.path, strings.NewReader(test.body), headers...)
			want := capture.Answer{Stream: "s", First: 7, Events: test.events, Frames: len(log.frames), Sequence: uint64(len(log.frames))}
			if got.status != http.StatusOK || got.Answer != want {
				t.Fatalf("%+v, want %+v", got, want)
			}
			var all []byte
			for _, f := range log.frames {
				all = append(all, f.Body...)
			}
			if f := log.frames[0]; string(all) != test.body || f.ContentType != test.contentType || f.Workflow != "w" || f.Position != 7 {
				t.Errorf("%q in frames like %+v", all, f)
			}
		})
	}
}

func TestHandlerReadsItsHeaders(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, Shed: func() float64 { return 0.25 }})
	got := post(t, server, "jsonrpc/a%2Fb/c", strings.NewReader("{}\n"), "Assay-Stream", "s%20%C3%A9", "Assay-Position", "3",
		"Assay-Side", "server", "Assay-Time", "2026-01-02T03:04:05.000000006Z")
	if got.status != http.StatusOK {
		t.Fatal(got)
	}
	f := log.frames[0]
	captured := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	if f.Workflow != "a/b/c" || f.Stream != "s é" || f.Side != streams.SideServer || !f.Captured.Equal(captured) || f.Shed != 0.25 {
		t.Errorf("%+v", f)
	}
}

func TestHandlerRefusesMalformedRequests(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, EventBytes: 1 << 20, BodyBytes: 2 << 20})
	for name, test := range map[string]struct {
		path, body string
		headers    []string
		status     int
	}{
		"source":         {"nope/w", "{}", nil, 400},
		"no workflow":    {"event/", "{}", nil, 400},
		"media":          {"event/w", "{}", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		"charset":        {"event/w", "{}", []string{"Content-Type", "application/json; charset=utf-16"}, 415},
		"encoding":       {"event/w", "{}", []string{"Content-Encoding", "br"}, 415},
		"not gzip":       {"event/w", "{}", []string{"Content-Encoding", "gzip"}, 400},
		"not zstd":       {"event/w", "{}", []string{"Content-Encoding", "zstd"}, 400},
		"empty gzip":     {"event/w", "", []string{"Content-Encoding", "gzip"}, 400},
		"position":       {"event/w", "{}", []string{"Assay-Stream", "s", "Assay-Position", "-1"}, 400},
		"no stream":      {"event/w", "{}", []string{"Assay-Position", "1"}, 400},
		"long stream":    {"event/w", "{}", []string{"Assay-Stream", strings.Repeat("s", 2000)}, 400},
		"side":           {"event/w", "{}", []string{"Assay-Side", "left"}, 400},
		"time":           {"event/w", "{}", []string{"Assay-Time", "yesterday"}, 400},
		"large event":    {"event/w", strings.Repeat("x", 1<<20+1), nil, 413},
		"long body":      {"event/w", strings.Repeat("{}\n", 1<<20), nil, 413},
		"no ce-id":       {"event/w", "{}", []string{"Ce-Specversion", "1.0", "Ce-Type", "t", "Ce-Source", "s"}, 400},
		"large ce event": {"event/w", strings.Repeat("x", 1<<20+1), []string{"Ce-Specversion", "1.0"}, 413},
	} {
		t.Run(name, func(t *testing.T) {
			got := post(t, server, test.path, strings.NewReader(test.body), test.headers...)
			if got.status != test.status || got.Error == "" || got.Remedy == "" {
				t.Errorf("%+v, want status %d with an error and a remedy", got, test.status)
			}
		})
	}
}

func TestHandlerAnswersForTheLog(t *testing.T) {
	for cause, status := range map[error]int{
		streams.ErrFull: 507, streams.ErrUnavailable: 503, streams.ErrClosed: 503, streams.ErrTooLarge: 413, io.ErrNoProgress: 500,
	} {
		log := &fakeLog{gate: func(context.Context) error { return fmt.Errorf("wrapped: %w", cause) }}
		got := post(t, serve(t, capture.HandlerOptions{Publisher: log}), "event/w", strings.NewReader("{}\n"))
		if got.status != status || got.Accepted != nil || (status == 503) != (got.header.Get("Retry-After") != "") {
			t.Errorf("%v: %+v, want status %d", cause, got, status)
		}
	}
}

func TestHandlerRecognisesARetry(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, Stored: log.stored})
	data := lines(500, 5_000)
	placed := []string{"Assay-Stream", "s", "Assay-Position", "0"}
	first := post(t, server, "event/w", strings.NewReader(data), placed...)
	again := post(t, server, "event/w", strings.NewReader(data), placed...)
	if first.Answer != again.Answer || len(log.frames) != first.Frames {
		t.Errorf("%+v, then %+v with %d frames", first.Answer, again.Answer, len(log.frames))
	}
	resumed := post(t, server, "event/w", strings.NewReader(data+"{}\n"), append(placed, "Assay-Resume", "true")...)
	if resumed.Events != 501 || len(log.frames) != first.Frames+1 {
		t.Errorf("resumed %+v, %d frames", resumed.Answer, len(log.frames))
	}
	behind := post(t, server, "event/w", strings.NewReader("{}\n"), "Assay-Stream", "s")
	if behind.First != 501 {
		t.Errorf("without a position: %+v, want it behind what is stored", behind.Answer)
	}
	alone, other := post(t, server, "event/w", strings.NewReader("{}\n")), post(t, server, "event/w", strings.NewReader("{}\n"))
	if alone.Stream == "" || alone.Stream == other.Stream {
		t.Errorf("streams %q and %q, want two new ones", alone.Stream, other.Stream)
	}
}

// What a live body brings is durable while the body goes on.
func TestHandlerCapturesALiveBody(t *testing.T) {
	published := make(chan struct{}, 10)
	log := &fakeLog{gate: func(context.Context) error { published <- struct{}{}; return nil }}
	server := serve(t, capture.HandlerOptions{Publisher: log})
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, "data: 1\n\nda")
		<-published
		_, _ = io.WriteString(writer, "ta: 2\n\n")
		<-published
		_ = writer.Close()
	}()
	if got := post(t, server, "sse/w", reader, "Assay-Stream", "s"); got.Events != 2 || got.Frames != 2 {
		t.Errorf("%+v", got)
	}
}

func TestHandlerDecompresses(t *testing.T) {
	data := lines(1000, 100)
	var zipped, zstded bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(gz, data)
	_ = gz.Close()
	zs, _ := zstd.NewWriter(&zstded)
	_, _ = io.WriteString(zs, data)
	_ = zs.Close()
	for encoding, body := range map[string][]byte{"gzip": zipped.Bytes(), "zstd": zstded.Bytes()} {
		log := &fakeLog{}
		server := serve(t, capture.HandlerOptions{Publisher: log})
		got := post(t, server, "event/w", bytes.NewReader(body), "Content-Encoding", encoding)
		if got.Events != 1000 || string(joined(log)) != data {
			t.Errorf("%s: %+v", encoding, got)
		}
		cut := post(t, server, "event/cut", bytes.NewReader(body[:len(body)/2]), "Content-Encoding", encoding)
		if cut.status != http.StatusBadRequest {
			t.Errorf("%s cut short: %+v", encoding, cut)
		}
	}
}

// A small body that becomes a huge event costs no more memory than the event limit.
func TestHandlerSurvivesABomb(t *testing.T) {
	server := serve(t, capture.HandlerOptions{Publisher: discard{}})
	for encoding, body := range map[string]io.Reader{"gzip": bombGzip(), "zstd": bombZstd()} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := post(t, server, "event/w", body, "Content-Encoding", encoding)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; got.status != http.StatusRequestEntityTooLarge || allocated > 128<<20 {
			t.Errorf("%s: status %d, %d MiB allocated", encoding, got.status, allocated>>20)
		}
	}
}

func bombGzip() io.Reader {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.CopyN(w, spaces{}, 128<<20)
	_ = w.Close()
	return &b
}

func bombZstd() io.Reader {
	var b bytes.Buffer
	w, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	_, _ = io.CopyN(w, spaces{}, 128<<20)
	_ = w.Close()
	return &b
}

// spaces is an endless line.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// dial opens a connection and begins a request by hand.
func dial(t *testing.T, server *httptest.Server, head string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	return conn
}

func answerOf(t *testing.T, conn net.Conn) reply {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return readReply(t, response)
}

func TestHandlerGivesUpOnASilentClient(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, OpenStreams: 1, Idle: 20 * time.Millisecond})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}\n{\"half\":")
	if got := answerOf(t, conn); got.status != http.StatusRequestTimeout || got.Accepted == nil || got.Accepted.Events != 1 {
		t.Errorf("%+v, want 408 and one event accepted", got)
	}
	if got := post(t, server, "event/w", strings.NewReader("{}\n")); got.status != http.StatusOK {
		t.Errorf("the next client: %+v", got)
	}
}

func TestHandlerKeepsWhatCameBeforeADisconnect(t *testing.T) {
	published := make(chan struct{}, 1)
	log := &fakeLog{gate: func(context.Context) error { published <- struct{}{}; return nil }}
	server := serve(t, capture.HandlerOptions{Publisher: log})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}\n{}\n{\"half\":")
	_ = conn.Close()
	<-published
	server.Close() // waits for the request
	if got := string(joined(log)); got != "{}\n{}\n" {
		t.Errorf("kept %q", got)
	}
}

func TestHandlerAnswersAShortBody(t *testing.T) {
	server := serve(t, capture.HandlerOptions{Publisher: &fakeLog{}})
	conn := dial(t, server, "POST /v1/ingest/event/w HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{}\n")
	_ = conn.(*net.TCPConn).CloseWrite()
	if got := answerOf(t, conn); got.status != http.StatusBadRequest || got.Accepted == nil {
		t.Errorf("%+v, want 400 with what was accepted", got)
	}
}

func TestHandlerLimitsOpenStreams(t *testing.T) {
	started := make(chan struct{}, 1)
	release := make(chan struct{})
	log := &fakeLog{gate: func(context.Context) error { started <- struct{}{}; <-release; return nil }}
	server := serve(t, capture.HandlerOptions{Publisher: log, OpenStreams: 1})
	var wg sync.WaitGroup
	wg.Go(func() { post(t, server, "event/w", strings.NewReader("{}\n")) })
	<-started
	got := post(t, server, "event/w", strings.NewReader("{}\n"))
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("%+v, want 429 with Retry-After", got)
	}
	close(release)
	wg.Wait()
}

// Memory is bounded however long a body is.
func TestHandlerTakesALongBodyInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("sends 256 MB")
	}
	const size, limit = 256 << 20, 96 << 20
	line := []byte(lines(1, 1000))
	log := &heapWatch{}
	server := serve(t, capture.HandlerOptions{Publisher: log})
	got := post(t, server, "event/w", io.LimitReader(&repeat{line: line}, size/int64(len(line))*int64(len(line))))
	if got.status != http.StatusOK || got.Events != size/len(line) {
		t.Errorf("%+v", got)
	}
	if log.highest > limit {
		t.Errorf("the heap grew to %d MiB", log.highest>>20)
	}
}

// heapWatch is a Publisher that notes the size of the heap.
type heapWatch struct {
	discard
	highest uint64
}

func (h *heapWatch) Publish(ctx context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	h.highest = max(h.highest, stats.HeapAlloc)
	return h.discard.Publish(ctx, frames...)
}

// repeat is an endless file of one line.
type repeat struct {
	line []byte
	rest []byte
}

func (r *repeat) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			r.rest = r.line
		}
		m := copy(p[n:], r.rest)
		r.rest = r.rest[m:]
		n += m
	}
	return n, nil
}

// joined joins all frames as they are in the log.
func joined(log *fakeLog) (all []byte) {
	for _, f := range log.frames {
		all = append(all, f.Body...)
	}
	return all
}
