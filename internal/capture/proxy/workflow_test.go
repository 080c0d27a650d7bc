package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"assay/internal/capture/proxy"
	"assay/streams"
)

// asked sends a request through a proxy that has no workflow of its own and returns that of each exchange, in order.
func asked(t *testing.T, path string, requests ...func(*http.Request)) (workflows []string) {
	t.Helper()
	answers := 0
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answers++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"object":"response","id":"resp_%d"}`, answers)
	}))
	t.Cleanup(upstream.Close)
	target, _ := url.Parse(upstream.URL)
	r := newRigOf(t, proxy.Options{Upstream: target})
	for _, with := range requests {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		with(request)
		response, err := r.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = readAll(t, response)
		_ = response.Body.Close()
	}
	r.close()
	of := map[string]string{} // by exchange
	for _, f := range r.log.frames {
		if known, ok := of[f.Exchange]; ok && known != f.Workflow {
			t.Errorf("an exchange is in the workflows %q and %q", known, f.Workflow)
		}
		of[f.Exchange] = f.Workflow
	}
	for _, x := range r.log.exchanges(t) {
		workflows = append(workflows, of[x.Exchange])
	}
	return workflows
}

// with makes a request with a body and headers.
func with(body string, headers ...string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header[headers[i]] = []string{headers[i+1]}
		}
	}
}

// A request names its conversation in many ways; what is said most plainly counts.
func TestWorkflowThatARequestNames(t *testing.T) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	const all = `{"metadata":{"thread_id":"thread","user_id":"user"},"conversation":{"id":"conv"},"previous_response_id":"resp_9","prompt_cache_key":"key","user":"u"}`
	for want, request := range map[string]func(*http.Request){
		"mine":                             with(all, "Assay-Workflow", "mine", "Helicone-Session-Id", "h"),
		"h":                                with(all, "Helicone-Session-Id", "h", "Traceparent", trace),
		"lf":                               with(all, "langfuse_session_id", "lf"),
		"lf-2":                             with(all, "Langfuse-Session-Id", "lf-2"),
		"router":                           with(all, "X-Session-Id", " router "),
		"4bf92f3577b34da6a3ce929d0e0e4736": with(all, "Traceparent", trace),
		"thread":                           with(all, "Traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
		"user":                             with(`{"metadata":{"user_id":"user"},"conversation":"conv"}`),
		"conv":                             with(`{"conversation":{"id":"conv"},"user":"u"}`),
		"conv-2":                           with(`{"conversation":"conv-2","user":"u"}`),
		"dify":                             with(`{"conversation_id":"dify","user":"u"}`),
		"resp_9":                           with(`{"previous_response_id":"resp_9","user":"u"}`),
		"key":                              with(`{"prompt_cache_key":"key","user":"u"}`),
		"u":                                with(`{"user":"u","messages":[{"role":"user","content":"hi"}]}`, "Assay-Workflow", "  "),
		"proxy":                            with(`{"input":"a text to embed","metadata":null,"user":7}`),
	} {
		if got := asked(t, "/v1/chat/completions", request); len(got) != 1 || got[0] != want {
			t.Errorf("workflow %q, want %q", got, want)
		}
	}
}

// Without a name a conversation is known by how it begins, in every provider's form: turns stay together, others do not.
func TestWorkflowByTheBeginning(t *testing.T) {
	for name, c := range map[string]struct {
		path  string
		turns []string // of one conversation
		other string
	}{
		"chat": {"/v1/chat/completions", []string{
			`{"model":"a","messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"}]}`,
			`{"messages":[{"role":"system","content":"s"},{"role":"user","content":"hi"},{"role":"assistant","content":"yes?"},{"role":"user","content":"more"}],"model":"b"}`,
			`{"messages":[{"role":"system","content":[{"type":"text","text":"s"}]},{"role":"user","content":[{"type":"text","text":"hi"}]}]}`,
		}, `{"messages":[{"role":"system","content":"s"},{"role":"user","content":"ho"}]}`},
		"anthropic": {"/v1/messages", []string{
			`{"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]}]}`,
			`{"system":"s","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes?"},{"role":"user","content":[{"type":"text","text":"more","cache_control":{"type":"ephemeral"}}]}]}`,
		}, `{"system":"t","messages":[{"role":"user","content":"hi"}]}`},
		"responses": {"/v1/responses", []string{
			`{"instructions":"s","input":"hi"}`,
			`{"instructions":"s","input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"reasoning"},{"role":"user","content":"more"}]}`,
		}, `{"instructions":"s","input":"ho"}`},
		"gemini": {"/v1beta/models/g:generateContent", []string{
			`{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"parts":[{"text":"hi"}]}]}`,
			`{"system_instruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"yes?"}]}]}`,
		}, `{"contents":[{"parts":[{"text":"hi"}]}]}`},
		"bedrock": {"/model/m/converse", []string{
			`{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"hi"}]}]}`,
			`{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"hi"}]},{"role":"assistant","content":[{"text":"yes?"}]}]}`,
		}, `{"system":[{"text":"s"}],"messages":[{"role":"user","content":[{"text":"h"},{"text":"i"}]}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			var requests []func(*http.Request)
			for _, turn := range append(c.turns, c.other) {
				requests = append(requests, with(turn))
			}
			got := asked(t, c.path, requests...)
			for i, workflow := range got {
				if same := workflow == got[0]; same != (i < len(c.turns)) || !strings.HasPrefix(workflow, "conversation-") {
					t.Errorf("request %d is in the workflow %q, the first in %q", i, workflow, got[0])
				}
			}
		})
	}
}

// A request that goes on from an answer belongs where that does.
func TestWorkflowOfAChain(t *testing.T) {
	got := asked(t, "/v1/responses",
		with(`{"input":"hi"}`, "Assay-Workflow", "mine"),                   // resp_1
		with(`{"input":"more","previous_response_id":"resp_1"}`),           // resp_2
		with(`{"input":"and more","previous_response_id":"resp_2"}`),       // resp_3
		with(`{"input":"from elsewhere","previous_response_id":"resp_x"}`), // resp_4
		with(`{"input":"and on","previous_response_id":"resp_4"}`))
	if strings.Join(got, " ") != "mine mine mine resp_x resp_x" {
		t.Errorf("workflows %v", got)
	}
}

// The workflow that the proxy was given beats all guesses, and nothing that a request names.
func TestWorkflowOfTheProxy(t *testing.T) {
	r := newRig(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r.post(t, question)
	r.post(t, `{"user":"u"}`)
	r.close()
	for _, f := range r.log.frames {
		if want := map[string]string{question: "w", `{"user":"u"}`: "u"}[string(f.Body)]; want != "" && f.Workflow != want {
			t.Errorf("%s is in the workflow %q", f.Body, f.Workflow)
		}
	}
}

// rpc sends a JSON-RPC request in a session.
func rpc(t *testing.T, r *rig, session, body string) string {
	return readAll(t, r.post(t, body, "Content-Type", "application/json", "Mcp-Session-Id", session))
}

// Positions of a session never begin anew in one stream, however many sessions there are and after a restart too.
func TestSessionsKeepTheirPositions(t *testing.T) {
	upstream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{}}`)
	})
	const call = `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	taken := map[string]bool{}
	for range 2 { // restarts
		r := newRig(t, upstream)
		rpc(t, r, "first", call)
		proxy.ForgetSessions(r.proxy)
		rpc(t, r, "first", call)
		rpc(t, r, "first", call)
		r.close()
		for _, f := range r.log.frames {
			place := fmt.Sprint(f.Source, f.Stream, f.Position)
			if taken[place] {
				t.Errorf("two frames have position %d of %s", f.Position, f.Stream)
			}
			taken[place] = true
			if f.Source == streams.SourceJSONRPC && !strings.HasPrefix(f.Stream, "mcp-") {
				t.Errorf("stream %s", f.Stream)
			}
		}
	}
}

// Two requests of one id, in one session or in none, are answered each by its own, also when both are open at once.
func TestConcurrentRequestsOfOneID(t *testing.T) {
	for _, session := range []string{"one", ""} {
		both := make(chan struct{}, 2)
		proceed := make(chan struct{})
		r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			both <- struct{}{}
			<-proceed
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"result":{"for":%s}}`, body[len(`{"jsonrpc":"2.0","id":1,"method":`):len(body)-1])
		}))
		done := make(chan struct{})
		for _, method := range []string{"p", "q"} {
			go func() {
				rpc(t, r, session, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q}`, method))
				done <- struct{}{}
			}()
		}
		<-both
		<-both
		close(proceed)
		<-done
		<-done
		r.close()
		said := map[string]string{}
		for _, f := range r.log.frames {
			if f.Source == streams.SourceJSONRPC {
				said[f.Stream] += string(f.Body)
			}
		}
		for stream, text := range said {
			if strings.Contains(text, `"method":"p"`) == strings.Contains(text, `"for":"q"`) || strings.Count(text, "result") != 1 {
				t.Errorf("session %q, stream %s: %s", session, stream, text)
			}
		}
		if len(said) != 2 {
			t.Errorf("session %q: %d streams", session, len(said))
		}
		for _, x := range r.log.exchanges(t) {
			if x.Protocol != "jsonrpc" {
				t.Errorf("%+v", x)
			}
		}
	}
}
