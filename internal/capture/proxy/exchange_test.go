package proxy_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assay/internal/capture/proxy"
	"assay/streams"
)

// told is the record of an exchange.
type told struct {
	Exchange, Method, Path, Protocol, End, Error string
	Status                                       int
	StartedAt, FirstByteAt, EndedAt              time.Time
	RequestBytes, ResponseBytes                  int64
	RateLimit                                    map[string]string
}

// exchanges returns the records of exchanges, in the order of their requests; call it when all is recorded.
func (l *fakeLog) exchanges(t *testing.T) (all []told) {
	t.Helper()
	for _, f := range l.frames {
		if f.Source != streams.SourceHTTP {
			continue
		}
		var wire struct {
			Exchange, Method, Path, Protocol, End, Error string
			Status                                       int
			StartedAt                                    time.Time         `json:"started_at"`
			FirstByteAt                                  time.Time         `json:"first_byte_at"`
			EndedAt                                      time.Time         `json:"ended_at"`
			RequestBytes                                 int64             `json:"request_bytes"`
			ResponseBytes                                int64             `json:"response_bytes"`
			RateLimit                                    map[string]string `json:"rate_limit"`
		}
		if err := json.Unmarshal(f.Body, &wire); err != nil {
			t.Fatal(err)
		}
		if f.Exchange != wire.Exchange || f.Stream != wire.Exchange+"/http" || f.Position != 0 || f.Count != 1 {
			t.Errorf("the frame of %+v is %+v", wire, f)
		}
		all = append(all, told(wire))
	}
	slices.SortFunc(all, func(a, b told) int { return a.StartedAt.Compare(b.StartedAt) })
	return all
}

// exchange returns the record of the only one.
func (l *fakeLog) exchange(t *testing.T) told {
	t.Helper()
	all := l.exchanges(t)
	if len(all) != 1 {
		t.Fatalf("%d exchanges are recorded", len(all))
	}
	return all[0]
}

// raw is an upstream server that says to each connection what the test wants, byte by byte.
func raw(t *testing.T, answer func(net.Conn)) *url.URL {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if request, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, request.Body)
				answer(conn)
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	return &url.URL{Scheme: "http", Host: listener.Addr().String()}
}

const question = `{"model":"m","messages":[{"role":"user","content":"hi"}]}`

// An exchange is told of with its method, path, status and times, but neither query nor credentials; its frames name it.
func TestProxyRecordsTheExchange(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		w.Header().Set("X-RateLimit-Remaining-Requests", "0")
		w.Header().Set("Anthropic-RateLimit-Tokens-Limit", "9")
		w.Header().Set("Set-Cookie", "secret-cookie")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"error":{}}`)
	}))
	before := time.Now()
	_ = readAll(t, r.post(t, question, "Content-Type", "application/json", "Authorization", "Bearer secret-token"))
	r.close()
	x := r.log.exchange(t)
	if x.Method != "POST" || x.Path != "/v1/chat" || x.Status != 429 || x.End != "complete" || x.Error != "" || x.Protocol != "" {
		t.Errorf("%+v", x)
	}
	if x.RequestBytes != int64(len(question)) || x.ResponseBytes != int64(len(`{"error":{}}`)) {
		t.Errorf("%d bytes were asked, %d answered", x.RequestBytes, x.ResponseBytes)
	}
	if x.StartedAt.Before(before) || x.FirstByteAt.Before(x.StartedAt) || x.EndedAt.Before(x.FirstByteAt) {
		t.Errorf("%v, %v, %v are out of order", x.StartedAt, x.FirstByteAt, x.EndedAt)
	}
	if len(x.RateLimit) != 3 || x.RateLimit["retry-after"] != "7" || x.RateLimit["x-ratelimit-remaining-requests"] != "0" {
		t.Errorf("rate limits %v", x.RateLimit)
	}
	var names []string
	for _, f := range r.log.frames {
		names = append(names, f.Stream)
		if f.Exchange != x.Exchange || f.Workflow != "w" || strings.Contains(fmt.Sprintf("%+v %s", f, f.Body), "secret") {
			t.Errorf("%+v %s", f, f.Body)
		}
	}
	if want := []string{x.Exchange + "/client", x.Exchange + "/server", x.Exchange + "/http"}; !slices.Equal(names, want) {
		t.Errorf("streams %v, want %v", names, want)
	}
}

// However an answer breaks off, the log says so, with what had come, and the client notices too.
func TestProxyTellsHowAnAnswerEnded(t *testing.T) {
	const event = "data: {\"id\":\"c\"}\n\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(event), event)
	const stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
	for _, c := range []struct {
		name, answer, end string
		status            int
		reset, fault      bool
	}{
		{"whole", stream + chunk + "0\r\n\r\n", "complete", 200, false, false},
		{"closed early", stream + chunk, "upstream_cut", 200, false, true},
		{"reset", stream + chunk, "upstream_cut", 200, true, true},
		{"shorter than it said", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"a\":1}", "upstream_cut", 200, false, true},
		{"cut in a chunk", stream + "99\r\n" + event, "upstream_cut", 200, false, true},
		{"hung up", "", "unreachable", 0, false, true},
		{"no HTTP", "hello\r\n\r\n", "unreachable", 0, false, true},
		{"a page", "HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<h1>oops</h1>", "complete", 500, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRigOf(t, proxy.Options{Workflow: "w", Upstream: raw(t, func(conn net.Conn) {
				_, _ = io.WriteString(conn, c.answer)
				if c.reset {
					_ = conn.(*net.TCPConn).SetLinger(0)
				}
			})})
			response := r.post(t, question)
			_, err := io.Copy(io.Discard, response.Body)
			if cut := c.end == "upstream_cut"; (err != nil) != cut {
				t.Errorf("the client gets %v", err)
			}
			r.close()
			x := r.log.exchange(t)
			if x.End != c.end || x.Status != c.status || (x.Error != "") != (c.end != "complete" || c.status >= 400) {
				t.Errorf("%+v", x)
			}
			if c.name == "a page" && x.Error != "<h1>oops</h1>" {
				t.Errorf("error %q", x.Error)
			}
			if (len(r.problems) > 0) != c.fault {
				t.Errorf("reported %v", r.problems)
			}
			if strings.Contains(c.answer, event) && !strings.HasPrefix(r.log.recorded(streams.SourceSSE), event) {
				t.Errorf("recorded %q", r.log.recorded(streams.SourceSSE))
			}
			if got := r.log.recorded(streams.SourceEvent); !strings.HasPrefix(got, question) {
				t.Errorf("recorded the question %q", got)
			}
		})
	}
}

// What a client does not read of an answer is recorded all the same, if the rest is short.
func TestProxyRecordsAnAnswerThatNobodyReads(t *testing.T) {
	const answer = `{"error":{"message":"slow down"}}`
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		_ = http.NewResponseController(w).Flush()
		<-time.After(20 * time.Millisecond) // the client has gone by then, or not: all the same
		_, _ = io.WriteString(w, answer)
	}))
	for range 10 {
		_ = r.post(t, question).Body.Close()
	}
	r.close()
	if got := r.log.recorded(streams.SourceEvent); strings.Count(got, answer) != 10 {
		t.Errorf("%d of 10 answers are recorded", strings.Count(got, answer))
	}
	for _, x := range r.log.exchanges(t) {
		if x.Status != 429 || x.End != "complete" {
			t.Errorf("%+v", x)
		}
	}
}

// A long answer ends with its client: soon by time, at once by size.
func TestProxyEndsAnAnswerThatNobodyWants(t *testing.T) {
	for name, piece := range map[string]string{"endless": strings.Repeat("data: w\n\n", 100_000), "silent": "data: w\n\n"} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan struct{})
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(ended)
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", "text/event-stream")
				for first := true; r.Context().Err() == nil; first = false {
					if name == "silent" && !first {
						<-r.Context().Done()
					}
					_, _ = io.WriteString(w, piece)
					_ = http.NewResponseController(w).Flush()
				}
			}))
			response := r.post(t, question)
			_, _ = io.ReadFull(response.Body, make([]byte, 9))
			_ = response.Body.Close()
			<-ended
			r.close()
			if x := r.log.exchange(t); x.End != "client_left" || x.Status != 200 || x.Error != "" || x.ResponseBytes > 32<<20 {
				t.Errorf("%+v", x)
			}
			if !strings.HasPrefix(r.log.recorded(streams.SourceSSE), "data: w\n\n") {
				t.Error("what came is not recorded")
			}
			if len(r.problems) > 0 {
				t.Error(r.problems)
			}
		})
	}
}

// Requests to a server that refuses connections are answered one after the other, on one connection, and recorded.
func TestProxyOutlivesAnUnreachableUpstream(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	r := newRigOf(t, proxy.Options{Upstream: &url.URL{Scheme: "http", Host: listener.Addr().String()}})
	const n = 5
	for range n {
		response := r.post(t, question, "Content-Type", "application/json")
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusBadGateway {
			t.Errorf("%d, %v", response.StatusCode, err)
		}
		_ = response.Body.Close()
	}
	r.close()
	if len(r.problems) != n {
		t.Errorf("reported %v", r.problems)
	}
	for _, x := range r.log.exchanges(t) {
		if x.End != "unreachable" || x.Status != 0 || !strings.Contains(x.Error, "refused") {
			t.Errorf("%+v", x)
		}
	}
	if got := r.log.recorded(streams.SourceEvent); strings.Count(got, question) != n {
		t.Errorf("%d of %d requests are recorded", strings.Count(got, question), n)
	}
}

// An answer may come before its request was read, and the request may never end: the next ones are served all the same.
func TestProxyOutlivesAnUnreadRequest(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // and does not read on
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	for _, size := range []int{1 << 10, 512 << 10, 1 << 10} {
		response := r.post(t, `"`+strings.Repeat("x", size)+`"`)
		if _, _ = io.Copy(io.Discard, response.Body); response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("status %d", response.StatusCode)
		}
		_ = response.Body.Close()
	}
	endless, feed := io.Pipe()
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL, endless)
	response, err := r.Client().Do(request)
	if err != nil || response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatalf("%v, %v", response, err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	_ = feed.Close()
	r.close()
}

// The request arrives as it was sent.
func TestProxyLeavesARequestAsItIs(t *testing.T) {
	var got *http.Request
	r := newRig(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Clone(context.Background()) }))
	for _, uri := range []string{"/x?key=a;b&z=%zz&b=2&a=1", "/x?", "/a%2Fb/%C3%A9?q=%20+", "/x?a&b=&&c"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.URL.Opaque = uri
		request.Header = http.Header{"X-Forwarded-For": {"10.0.0.1"}, "Accept-Encoding": {"identity"}, "Assay-Workflow": {"mine"}}
		response, err := r.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if want := "/base" + uri; got.RequestURI != want {
			t.Errorf("upstream is asked for %s, want %s", got.RequestURI, want)
		}
		if got.Header.Get("X-Forwarded-For") != "10.0.0.1" || got.Header.Get("Assay-Workflow") != "" || got.Header.Get("User-Agent") == "" {
			t.Errorf("headers %v", got.Header)
		}
	}
}

// JSON is JSON, and a stream of events one, whatever the content type says.
func TestProxyRecognisesBodies(t *testing.T) {
	for name, c := range map[string]struct {
		body, contentType string
		source            streams.Source
		count             int
	}{
		"curl's form": {question, "application/x-www-form-urlencoded", streams.SourceEvent, 1},
		"no type":     {question, "", streams.SourceEvent, 1},
		"text":        {"\n " + question, "text/plain; charset=utf-8", streams.SourceEvent, 1},
		"lines":       {"{\"a\":1}\n{\"a\":2}\n", "application/octet-stream", streams.SourceEvent, 2},
		"events":      {"data: 1\n\ndata: 2\n\n", "text/plain", streams.SourceSSE, 2},
		"rpc":         {`{"jsonrpc":"2.0","id":1,"method":"ping"}`, "text/plain", streams.SourceJSONRPC, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			r.post(t, c.body, "Content-Type", c.contentType)
			r.close()
			if len(r.log.frames) != 2 {
				t.Fatalf("%d frames", len(r.log.frames))
			}
			if f := r.log.frames[0]; f.Source != c.source || f.Count != c.count || string(f.Body) != c.body {
				t.Errorf("%s %d %q", f.Source, f.Count, f.Body)
			}
		})
	}
}
