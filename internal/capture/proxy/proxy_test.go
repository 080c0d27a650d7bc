package proxy_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"assay/internal/capture/proxy"
	"assay/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog is a Publisher in memory.
type fakeLog struct {
	mu     sync.Mutex
	frames []*streams.Frame
	gate   func() error
}

func (l *fakeLog) Publish(_ context.Context, frames ...*streams.Frame) ([]streams.Ack, error) {
	if l.gate != nil {
		if err := l.gate(); err != nil {
			return nil, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frames = append(l.frames, frames...)
	return make([]streams.Ack, len(frames)), nil
}

// recorded joins what was recorded of a source.
func (l *fakeLog) recorded(source streams.Source) string {
	var all bytes.Buffer
	for _, f := range l.frames {
		if f.Source == source {
			all.Write(f.Body)
		}
	}
	return all.String()
}

// rig is a proxy in front of an upstream server.
type rig struct {
	*httptest.Server
	proxy *proxy.Proxy
	log   *fakeLog
	close func() // waits until all is recorded

	serverLog bytes.Buffer // what net/http complains of

	mu       sync.Mutex
	problems []error
}

func newRig(t *testing.T, upstream http.Handler) *rig {
	t.Helper()
	behind := httptest.NewServer(upstream)
	t.Cleanup(behind.Close)
	target, err := url.Parse(behind.URL + "/base")
	if err != nil {
		t.Fatal(err)
	}
	return newRigOf(t, proxy.Options{Upstream: target, Workflow: "w"})
}

// newRigOf is a proxy in front of the server that the options name.
func newRigOf(t *testing.T, opts proxy.Options) *rig {
	t.Helper()
	r := &rig{log: &fakeLog{}}
	transport := &http.Transport{}
	opts.Transport, opts.Publisher = transport, r.log
	opts.Report = func(err error) { r.mu.Lock(); r.problems = append(r.problems, err); r.mu.Unlock() }
	p := proxy.New(opts)
	r.proxy, r.Server = p, httptest.NewUnstartedServer(p)
	r.Server.Config.ErrorLog = log.New(&r.serverLog, "", 0)
	r.Server.Start()
	r.close = sync.OnceFunc(func() {
		r.Server.Close()
		transport.CloseIdleConnections()
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if r.serverLog.Len() > 0 {
			t.Errorf("the server complains: %s", &r.serverLog)
		}
	})
	t.Cleanup(r.close)
	return r
}

func (r *rig) post(t *testing.T, body string, headers ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/v1/chat?key=secret-query", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := r.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func readAll(t *testing.T, response *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// events serves pieces of an event stream, each once it is asked for.
func events(pieces ...string) (http.Handler, chan struct{}) {
	next := make(chan struct{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range pieces {
			_, _ = io.WriteString(w, piece)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	}), next
}

// Bedrock's binary event stream is recorded as it is on the wire.
func TestBinaryEventStreamPasses(t *testing.T) {
	const message = "\x00\x00\x00\x10\x00\x00\x00\x00\x05\xc2\x48\xeb\x7d\x98\xc8\xff" // of nothing
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		_, _ = io.WriteString(w, message+message)
	}))
	if got := readAll(t, r.post(t, `{"messages":[{"role":"user","content":[{"text":"hi"}]}]}`)); got != message+message {
		t.Errorf("the client got %q", got)
	}
	r.close()
	events := 0
	for _, f := range r.log.frames {
		if f.ContentType == streams.ContentEventStream {
			events += f.Count
		}
	}
	if recorded := r.log.recorded(streams.SourceEvent); events != 2 || !strings.HasSuffix(recorded, message+message) {
		t.Errorf("%d messages recorded: %q", events, recorded)
	}
}

// An answer passes piece by piece, and both sides are recorded byte for byte, without a trace of credentials.
func TestProxyPassesAStreamAsItComes(t *testing.T) {
	pieces := []string{"data: {\"a\":1}\n\n", "data: {\"b\"", ":2}\n\n", "data: [DONE]\n\n"}
	upstream, next := events(pieces...)
	r := newRig(t, upstream)
	const question = `{"model":"m", "stream":true}`
	response := r.post(t, question, "Content-Type", "application/json", "Authorization", "Bearer secret-token",
		"X-Api-Key", "secret-key", "Cookie", "secret-cookie", "Assay-Workflow", "mine")
	for _, piece := range pieces {
		got := make([]byte, len(piece))
		if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != piece {
			t.Fatalf("%q, %v", got, err)
		}
		next <- struct{}{}
	}
	if rest := readAll(t, response); rest != "" {
		t.Errorf("%q follows", rest)
	}
	r.close()
	if got := r.log.recorded(streams.SourceSSE); got != strings.Join(pieces, "") {
		t.Errorf("recorded the answer %q", got)
	}
	if got := r.log.recorded(streams.SourceEvent); got != question {
		t.Errorf("recorded the question %q", got)
	}
	for _, f := range r.log.frames {
		if f.Workflow != "mine" || strings.Contains(fmt.Sprintf("%+v %s", f, f.Body), "secret") {
			t.Errorf("%+v", f)
		}
	}
	if len(r.problems) > 0 {
		t.Error(r.problems)
	}
}

// Of an exchange that its client cancels, what had come is recorded.
func TestProxyRecordsACancelledStream(t *testing.T) {
	upstream, _ := events("data: 1\n\nda", "never")
	r := newRig(t, upstream)
	ctx, cancel := context.WithCancel(t.Context())
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	response, err := r.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadFull(response.Body, make([]byte, len("data: 1\n\nda")))
	cancel()
	_ = response.Body.Close()
	r.close()
	if got := r.log.recorded(streams.SourceSSE); got != "data: 1\n\nda" {
		t.Errorf("recorded %q", got)
	}
}

func TestProxyPassesOnWhatItCannotRecord(t *testing.T) {
	t.Run("other types", func(t *testing.T) {
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			w.Header().Set("X-Path", r.URL.String())
			_, _ = io.Copy(w, r.Body)
		}))
		response := r.post(t, "\x89PNG", "Content-Type", "image/png")
		if got := readAll(t, response); got != "\x89PNG" || response.Header.Get("X-Path") != "/base/v1/chat?key=secret-query" {
			t.Errorf("%q, %v", got, response.Header)
		}
		r.close()
		if len(r.log.frames) != 1 || r.log.frames[0].Source != streams.SourceHTTP { // only that there was an exchange
			t.Errorf("%d frames", len(r.log.frames))
		}
	})
	t.Run("log failing", func(t *testing.T) {
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}))
		r.log.gate = func() error { return streams.ErrFull }
		if got := readAll(t, r.post(t, "{}", "Content-Type", "application/json")); got != `{"ok":true}` {
			t.Errorf("%q", got)
		}
		r.close()
		if len(r.problems) != 3 || !errors.Is(r.problems[0], streams.ErrFull) {
			t.Errorf("reported %v, want ErrFull for either side and the exchange", r.problems)
		}
	})
	t.Run("no upstream", func(t *testing.T) {
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }))
		response := r.post(t, "{}", "Content-Type", "application/json")
		if got := readAll(t, response); response.StatusCode != http.StatusBadGateway || !strings.Contains(got, "remedy") {
			t.Errorf("%d %s", response.StatusCode, got)
		}
		r.close()
		if got := r.log.recorded(streams.SourceEvent); got != "{}" || len(r.problems) != 1 || !errors.Is(r.problems[0], proxy.ErrUpstream) {
			t.Errorf("recorded %q, reported %v", got, r.problems)
		}
	})
}

// A compressed answer passes compressed, in an encoding that can be recorded.
func TestProxyRecordsCompressedAnswers(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accepted", r.Header.Get("Accept-Encoding"))
		w.Header().Set("Content-Encoding", "gzip")
		gz := gzip.NewWriter(w)
		_, _ = io.WriteString(gz, "data: 1\n\n")
		_ = gz.Close()
	}))
	response := r.post(t, "", "Accept-Encoding", "br, gzip;q=0.5, deflate")
	gz, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(gz); err != nil || string(got) != "data: 1\n\n" || response.Header.Get("X-Accepted") != "gzip;q=0.5" {
		t.Errorf("%q, %v, upstream was asked for %q", got, err, response.Header.Get("X-Accepted"))
	}
	r.close()
	if got := r.log.recorded(streams.SourceSSE); got != "data: 1\n\n" {
		t.Errorf("recorded %q", got)
	}
}

// The official SDK's client and server, over streamable HTTP: all of a session's messages are in one stream.
func TestProxyRecordsAnMCPSession(t *testing.T) {
	server := mcp.NewServer(&mcp.Implementation{Name: "server"}, nil)
	type input struct {
		Text string `json:"text"`
	}
	mcp.AddTool(server, &mcp.Tool{Name: "upper"}, func(_ context.Context, _ *mcp.CallToolRequest, in input) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.ToUpper(in.Text)}}}, nil, nil
	})
	r := newRig(t, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil))
	client := mcp.NewClient(&mcp.Implementation{Name: "client"}, nil)
	session, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: r.URL, HTTPClient: r.Client()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two"} {
		result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "upper", Arguments: map[string]any{"text": text}})
		if err != nil || result.Content[0].(*mcp.TextContent).Text != strings.ToUpper(text) {
			t.Errorf("%v, %v", result, err)
		}
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
	r.close()
	// Requests and answers that overlap are stored as they come to the log; their positions tell the order of the session.
	frames := slices.Clone(r.log.frames)
	slices.SortStableFunc(frames, func(a, b *streams.Frame) int { return cmp.Compare(a.Position, b.Position) })
	calls, next := map[string]int{}, map[string]uint64{} // by stream
	for _, f := range frames {
		if f.Source == streams.SourceHTTP {
			continue
		}
		if f.Position < next[f.Stream] || f.Side == "" {
			t.Errorf("position %d of %s is taken twice, or its side %q is missing", f.Position, f.Stream, f.Side)
		}
		next[f.Stream] = f.Position + uint64(f.Count)
		if n := bytes.Count(f.Body, []byte(`"tools/call"`)); n > 0 {
			calls[f.Stream] += n
		}
	}
	if len(calls) != 1 {
		t.Errorf("the session's calls are in the streams %v", calls)
	}
	if said := r.log.recorded(streams.SourceJSONRPC); strings.Count(said, `"tools/call"`) != 2 {
		t.Errorf("the client said %s", said)
	}
	if said := r.log.recorded(streams.SourceSSE) + r.log.recorded(streams.SourceJSONRPC); strings.Count(said, "ONE") != 1 || strings.Count(said, "TWO") != 1 {
		t.Errorf("the server said %s", said)
	}
	if len(r.problems) > 0 {
		t.Error(r.problems)
	}
}
