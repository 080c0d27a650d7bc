package capture_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"assay/internal/capture"
	"assay/streams"
)

// serve starts a server with a Handler.
func serve(t testing.TB, opts capture.HandlerOptions) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	handler := capture.NewHandler(opts)
	mux.Handle("POST /v1/ingest", handler)
	mux.Handle("POST /v1/ingest/{source}/{workflow...}", handler)
	mux.Handle("GET /v1/ingest/{source}/{workflow...}", handler)
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
func post(t testing.TB, server *httptest.Server, path string, body io.Reader, headers ...string) reply {
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

func readReply(t testing.TB, response *http.Response) reply {
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
	const ce = `{"specversion":"1.0","id":"1","source":"s","type":"t"}`
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
		"structured":      {"event/w", "application/cloudevents+json", ce, streams.ContentJSON, 1},
		"batch of events": {"event/w", "application/cloudevents-batch+json", "[" + ce + "," + ce + "]", streams.ContentJSON, 2},
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
	server := serve(t, capture.HandlerOptions{Publisher: log, Limits: capture.Limits{EventBytes: 1 << 20}, BodyBytes: 2 << 20})
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
	server := serve(t, capture.HandlerOptions{Publisher: log, Stored: log.stored, End: log.end})
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

// A stream that goes on in many requests is not gone through anew by each of them, and goes on behind what others wrote.
func TestHandlerRemembersWhereStreamsEnd(t *testing.T) {
	log := &fakeLog{}
	server := serve(t, capture.HandlerOptions{Publisher: log, End: log.end})
	const requests = 100
	for i := range requests {
		if got := post(t, server, "event/w", strings.NewReader("{}\n"), "Assay-Stream", "s"); got.First != uint64(i) {
			t.Fatalf("request %d began at %d", i, got.First)
		}
	}
	if log.looked > requests {
		t.Errorf("%d requests looked at %d frames", requests, log.looked)
	}
	other := &streams.Frame{Source: streams.SourceEvent, Workflow: "w", Stream: "s", Position: requests, Count: 7, Body: []byte("[]\n")}
	if _, err := log.Publish(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	for name, server := range map[string]*httptest.Server{
		"running": server, "restarted": serve(t, capture.HandlerOptions{Publisher: log, End: log.end}),
	} {
		want := log.frames[len(log.frames)-1]
		got := post(t, server, "event/w", strings.NewReader("{}\n"), "Assay-Stream", "s")
		if got.First != want.Position+uint64(want.Count) {
			t.Errorf("%s: began at %d behind %d events from %d on", name, got.First, want.Count, want.Position)
		}
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

// joined joins all frames as they are in the log.
func joined(log *fakeLog) (all []byte) {
	for _, f := range log.frames {
		all = append(all, f.Body...)
	}
	return all
}

// The mapping of the user's own events comes from the header, the URL or the settings, in this order, and is checked.
func TestHandlerMapsOwnEvents(t *testing.T) {
	for name, c := range map[string]struct {
		path, header, want string
		status             int
	}{
		"settings":       {"event/w", "", "tool=fn", 200},
		"URL":            {"event/w?map=intent=call_id&map=workflow=sid", "", "workflow=sid,intent=call_id", 200},
		"none by URL":    {"event/w?map=", "", "", 200},
		"header":         {"event/w?map=intent=x", "intent=call%20id", "intent=call id", 200},
		"another source": {"jsonrpc/w?map=intent=call_id", "", "", 200},
		"no mapping":     {"event/w?map=sessions=x", "", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			log := &fakeLog{}
			headers := []string{"Content-Type", "application/json"}
			if c.header != "" {
				headers = append(headers, "Assay-Map", c.header)
			}
			got := post(t, serve(t, capture.HandlerOptions{Publisher: log, Map: "tool=fn"}), c.path, strings.NewReader("{}"), headers...)
			if got.status != c.status || c.status == 200 && log.frames[0].Map != c.want {
				t.Errorf("%d %+v, %+v", got.status, got.Refusal, log.frames)
			}
		})
	}
}
