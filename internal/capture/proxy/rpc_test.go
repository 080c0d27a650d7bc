package proxy_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"assay/internal/capture/proxy"
	"assay/streams"
)

// toldRPC is what the record of an exchange says of JSON-RPC.
type toldRPC struct {
	Protocol   string          `json:"protocol"`
	Session    string          `json:"session"`
	Requests   json.RawMessage `json:"requests"`
	Unanswered json.RawMessage `json:"unanswered"`
	Cancelled  *string         `json:"cancelled"`
}

// exchangeOf returns what is recorded of the exchange whose request is body.
func (l *fakeLog) exchangeOf(t *testing.T, body string) (told toldRPC) {
	t.Helper()
	id := ""
	for _, f := range l.frames {
		if string(f.Body) == body {
			id = f.Exchange
		}
	}
	for _, f := range l.frames {
		if f.Source == streams.SourceHTTP && f.Exchange == id {
			if err := json.Unmarshal(f.Body, &told); err != nil {
				t.Fatal(err)
			}
			return told
		}
	}
	t.Fatalf("no record of %s", body)
	return told
}

// The record of an exchange names the requests in it, and those that were not answered.
func TestRequestsOfAnExchange(t *testing.T) {
	const sse = "text/event-stream"
	for name, c := range map[string]struct {
		request, media, answer string
		status                 int
		requests, unanswered   string
	}{
		"answered":        {`{"jsonrpc":"2.0","id":1,"method":"m"}`, "application/json", `{"jsonrpc":"2.0","id":1,"result":{}}`, 200, `[1]`, ``},
		"an error":        {`{"jsonrpc":"2.0","id":"A","method":"m"}`, "application/json", `{"jsonrpc":"2.0","id":"A","error":{"code":1}}`, 200, `["A"]`, ``},
		"of another id":   {`{"jsonrpc":"2.0","id":1,"method":"m"}`, "application/json", `{"jsonrpc":"2.0","id":"1","result":{}}`, 200, `[1]`, `[1]`},
		"refused":         {`{"jsonrpc":"2.0","id":1,"method":"m"}`, "text/plain", `no`, 500, `[1]`, `[1]`},
		"empty":           {`{"jsonrpc":"2.0","id":1,"method":"m"}`, "", ``, 200, `[1]`, `[1]`},
		"events":          {`{"jsonrpc":"2.0","id":1,"method":"m"}`, sse, "data: {\"method\":\"n\",\"id\":7}\n\ndata: {\"jsonrpc\":\"2.0\",\ndata: \"id\":1,\"result\":{}}\n\n", 200, `[1]`, ``},
		"events without":  {`{"jsonrpc":"2.0","id":1,"method":"m"}`, sse, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\n", 200, `[1]`, `[1]`},
		"unended event":   {`{"jsonrpc":"2.0","id":1,"method":"m"}`, sse, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n", 200, `[1]`, `[1]`},
		"batch":           {`[{"jsonrpc":"2.0","id":1,"method":"m"},{"jsonrpc":"2.0","method":"n"},{"jsonrpc":"2.0","id":2,"method":"m"}]`, "application/json", `[{"jsonrpc":"2.0","id":2,"result":{}}]`, 200, `[1,2]`, `[1]`},
		"notification":    {`{"jsonrpc":"2.0","method":"n"}`, "", ``, 202, ``, ``},
		"client's answer": {`{"jsonrpc":"2.0","id":1,"result":{}}`, "", ``, 202, ``, ``},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("Content-Type", c.media)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			}))
			rpc(t, r, "s", c.request)
			r.close()
			told := r.log.exchangeOf(t, c.request)
			if string(told.Requests) != c.requests || string(told.Unanswered) != c.unanswered {
				t.Errorf("requests %s, unanswered %s", told.Requests, told.Unanswered)
			}
			if told.Protocol != "jsonrpc" || !strings.HasPrefix(told.Session, "mcp-") || told.Cancelled != nil {
				t.Errorf("%+v", told)
			}
		})
	}
}

// A request that its client cancels in another exchange is said to be cancelled, and why, if it was not answered all the same.
func TestCancelledInAnotherExchange(t *testing.T) {
	const slow = `{"jsonrpc":"2.0","id":"Slow","method":"tools/call","params":{"name":"slow"}}`
	const cancel = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"Slow","reason":"user stopped"}}`
	for _, answer := range []string{"", `{"jsonrpc":"2.0","id":"Slow","result":{}}`} {
		begun, cancelled := make(chan struct{}), make(chan struct{})
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if string(body) == cancel {
				w.WriteHeader(http.StatusAccepted)
				return
			}
			close(begun)
			<-cancelled
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		}))
		done := make(chan struct{})
		go func() { rpc(t, r, "s", slow); close(done) }()
		<-begun
		rpc(t, r, "s", cancel)
		proxy.WaitForCancel(r.proxy, "s", `"Slow"`)
		close(cancelled)
		<-done
		r.close()
		told := r.log.exchangeOf(t, slow)
		if answer != "" {
			if told.Cancelled != nil || told.Unanswered != nil {
				t.Errorf("answered: %+v", told)
			}
		} else if told.Cancelled == nil || *told.Cancelled != "user stopped" || string(told.Unanswered) != `["Slow"]` {
			t.Errorf("%+v", told)
		}
	}
}

// Exchanges are recorded side by side, so it may be known first that a request was cancelled, and then that it was asked.
func TestCancelledBeforeItIsKnown(t *testing.T) {
	r := newRigOf(t, proxy.Options{Upstream: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}})
	defer r.close()
	if first, again := proxy.CancelAndAsk(r.proxy, "s", `"Slow"`, "user stopped"); first != "user stopped" || again != "" {
		t.Errorf("cancelled: %q, then %q", first, again)
	}
}

// Requests to a server that cannot be reached are named too.
func TestRequestsThatReachNobody(t *testing.T) {
	const request = `{"jsonrpc":"2.0","id":1,"method":"m"}`
	r := newRigOf(t, proxy.Options{Upstream: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}})
	_ = readAll(t, r.post(t, request, "Content-Type", "application/json"))
	r.close()
	if told := r.log.exchangeOf(t, request); string(told.Unanswered) != `[1]` {
		t.Errorf("%+v", told)
	}
}
