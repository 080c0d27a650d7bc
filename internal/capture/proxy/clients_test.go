package proxy_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/internal/capture/proxy"
	"assay/internal/test/npm"
	"assay/internal/test/program"
)

// decoded returns the events of all that the proxy has recorded.
func (r *rig) decoded() (all []bronze.Event) {
	r.close()
	for i, f := range r.log.frames {
		all = append(all, bronze.Decode(f, uint64(i+1))...)
	}
	return all
}

// modelAndChat serves what a program with the AI SDK asks for: a model that calls a tool first, and the chat of a page.
func modelAndChat(t *testing.T) http.Handler {
	chunk := func(delta, rest string) string {
		return `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m-1","choices":[{"index":0,"delta":` + delta + rest + "\n\n"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if !strings.Contains(string(body), `"role":"tool"`) {
			_, _ = io.WriteString(w, chunk(`{"role":"assistant","tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"wind","arguments":"{}"}}]}`, `}]}`)+
				chunk(`{}`, `,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":3}}`)+"data: [DONE]\n\n")
			return
		}
		_, _ = io.WriteString(w, chunk(`{"role":"assistant","content":"You may."}`, `}]}`)+
			chunk(`{}`, `,"finish_reason":"stop"}],"usage":{"prompt_tokens":30,"completion_tokens":6}}`)+"data: [DONE]\n\n")
	})
	mux.HandleFunc("POST /api/chat", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Vercel-Ai-Ui-Message-Stream", "v1")
		for _, part := range []string{
			`{"type":"start","messageId":"m1"}`, `{"type":"start-step"}`, `{"type":"tool-input-available","toolCallId":"call_2","toolName":"wind","input":{}}`,
			`{"type":"tool-output-available","toolCallId":"call_2","output":"9 m/s"}`, `{"type":"finish-step"}`, `{"type":"start-step"}`,
			`{"type":"text-start","id":"t"}`, `{"type":"text-delta","id":"t","delta":"You "}`, `{"type":"text-delta","id":"t","delta":"may."}`,
			`{"type":"text-end","id":"t"}`, `{"type":"finish-step"}`, `{"type":"finish"}`, `[DONE]`,
		} {
			_, _ = io.WriteString(w, "data: "+part+"\n\n")
		}
	})
	return mux
}

// What a program with the AI SDK says and hears passes the proxy, and is recorded as two answers of a model, a call that came of the
// first, and an answer of a chat with its call.
func TestTheAISDKThroughTheProxy(t *testing.T) {
	dir := npm.Packages(t, "ai-6.0.326", "ai@6.0.326", "@ai-sdk/openai-compatible@2.0.92")
	script, err := os.ReadFile(filepath.Join("testdata", "ai_sdk.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(modelAndChat(t))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	r := newRigOf(t, proxy.Options{Upstream: target, Workflow: "w"})
	node := exec.CommandContext(t.Context(), "node", "--input-type=module", "-", r.URL)
	node.Dir, node.Stdin = dir, strings.NewReader(string(script))
	out, err := node.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got struct {
		Text   string
		Output int
		Parts  []struct{ Type, Text string }
	}
	if err := json.Unmarshal(out, &got); err != nil || got.Text != "You may." || got.Output != 9 || len(got.Parts) == 0 {
		t.Errorf("the client gets %s, %v", out, err)
	}
	texts, calls, results, output := map[string]string{}, map[string]bool{}, map[string]bool{}, int64(0)
	for _, e := range r.decoded() {
		switch e.Kind {
		case bronze.KindToolCall:
			calls[e.IntentID] = true
		case bronze.KindToolResult, bronze.KindToolResultEcho:
			results[e.IntentID+" "+e.Text] = true
		}
		for _, f := range e.Fragments {
			if f.Type == bronze.FragmentText && e.Role == bronze.RoleAssistant {
				texts[e.IntentID] += f.Text
			}
		}
		output += max(e.OutputTokens, 0)
	}
	said := fmt.Sprint(texts)
	if strings.Count(said, "You may.") != 2 || !calls["call_1"] || !calls["call_2"] || !results["call_1 9 m/s"] || !results["call_2 9 m/s"] || output != 9 {
		t.Errorf("recorded are %s, the calls %v with %v, and %d tokens", said, calls, results, output)
	}
}

// The SDK of A2A talks to its own server through the proxy: each call ends as its task did, in JSON-RPC and over HTTP, streamed and not.
func TestTheA2ASDKThroughTheProxy(t *testing.T) {
	python := program.Python(t, "TEST_A2A_PYTHON", "import uvicorn, a2a.server.routes", "a2a-sdk[http-server] and uvicorn")
	address := program.FreeAddress(t)
	target, err := url.Parse("http://" + address)
	if err != nil {
		t.Fatal(err)
	}
	r := newRigOf(t, proxy.Options{Upstream: target, Workflow: "w"})
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "a2a_sdk.py"), target.Port(), r.URL).Output()
	if err != nil || strings.Count(string(out), "True False\n") != 4 || strings.Count(string(out), "False True\n") != 4 {
		t.Fatalf("the client gets %s, %v", out, err)
	}
	asked, ended := map[string]bool{}, map[string]bronze.Status{}
	for _, e := range r.decoded() {
		switch {
		case e.Provider != bronze.ProviderA2A || e.Kind == bronze.KindExchange || e.Kind == bronze.KindExchangeEnd:
		case e.Phase == bronze.PhaseStart:
			asked[e.IntentID] = e.Text != ""
		case e.Phase == bronze.PhaseEnd, e.Phase == bronze.PhaseError:
			ended[e.IntentID] = e.Status
		}
	}
	failed := 0
	for _, status := range ended {
		if status == bronze.StatusError {
			failed++
		}
	}
	if len(asked) != 8 || len(ended) != 8 || failed != 4 {
		t.Errorf("%d calls are recorded, %d have ended, %d of them failed", len(asked), len(ended), failed)
	}
}
