package gold

import (
	"fmt"
	"testing"
	"time"

	"assay/consumers/bronze"
	"assay/consumers/gold/model"
	"assay/streams"
)

// A call over HTTP ends with its exchange if nobody answers it, and is what its answer says if somebody does. The record of the
// exchange is no entity of its own.
func TestCallsEndWithTheirExchange(t *testing.T) {
	for name, c := range map[string]struct {
		answer, more  string // more members of the record
		end           string
		status, error string
	}{
		"answered":      {answer: `{"jsonrpc":"2.0","id":"Q","result":{"content":[]}}`, end: "complete", status: "ok"},
		"no answer":     {more: `,"unanswered":["Q"]`, end: "complete", status: "error", error: "the exchange ended without an answer"},
		"client left":   {more: `,"unanswered":["Q"]`, end: "client_left", status: "cancelled", error: "the client left before the answer was complete"},
		"cut":           {more: `,"unanswered":["Q"],"error":"reset"`, end: "upstream_cut", status: "error", error: "reset"},
		"cancelled":     {more: `,"unanswered":["Q"],"cancelled":"user stopped"`, end: "complete", status: "cancelled", error: "user stopped"},
		"failed":        {answer: `{"jsonrpc":"2.0","id":"Q","error":{"code":1,"message":"no"}}`, end: "complete", status: "error", error: "no"},
		"a task of A2A": {answer: `{"jsonrpc":"2.0","id":"Q","result":{"id":"t","kind":"task","status":{"state":"working"}}}`, end: "complete", status: "open"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newTalk()
			const stream = "mcp-1/a"
			k.add(streams.SourceJSONRPC, streams.ContentJSON, stream, "x1", streams.SideClient, `{"jsonrpc":"2.0","id":"Q","method":"tools/call","params":{"name":"tool"}}`)
			if c.answer != "" {
				k.add(streams.SourceJSONRPC, streams.ContentJSON, stream, "x1", streams.SideServer, c.answer)
			}
			k.add(streams.SourceHTTP, streams.ContentJSON, "x1/http", "x1", "", fmt.Sprintf(
				`{"exchange":"x1","method":"POST","path":"/mcp","protocol":"jsonrpc","status":200,"started_at":%q,"ended_at":%q,"end":%q,"session":%q,"requests":["Q"]%s}`,
				k.clock.Add(-time.Second).Format(time.RFC3339Nano), k.clock.Format(time.RFC3339Nano), c.end, stream, c.more))
			h := k.hear(t)
			if len(h.entities) != 1 {
				t.Fatalf("%d entities", len(h.entities))
			}
			e := h.entities[0]
			if e.Kind != model.KindCall || e.Capability != "tool" || e.Status != c.status || e.Error != c.error {
				t.Errorf("%s %s %s: %s", e.Kind, e.Capability, e.Status, e.Error)
			}
			calls := h.metrics["tool"]
			if calls == nil || calls.Calls != 1 || (calls.Errors == 1) != (c.status == string(bronze.StatusError)) {
				t.Errorf("metrics %+v", calls)
			}
		})
	}
}

// A call in A2A's HTTP binding is its exchange, and ends as the task in its answer did.
func TestCallsOfA2AOverHTTPEndAsTheirTask(t *testing.T) {
	for state, status := range map[string]string{"TASK_STATE_COMPLETED": "ok", "TASK_STATE_FAILED": "error", "TASK_STATE_CANCELED": "cancelled"} {
		k := newTalk()
		k.add(streams.SourceEvent, streams.ContentJSON, "x1/client", "x1", streams.SideClient,
			`{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"May I fly?"}]},"configuration":{}}`)
		k.add(streams.SourceSSE, streams.ContentSSE, "x1/server", "x1", streams.SideServer,
			`data: {"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_SUBMITTED"}}}`+"\n\n"+
				`data: {"artifactUpdate":{"taskId":"t","contextId":"c","artifact":{"artifactId":"a","parts":[{"text":"You may."}]}}}`+"\n\n"+
				`data: {"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"`+state+`","message":{"messageId":"n","role":"ROLE_AGENT","parts":[{"text":"so it is"}]}}}}`+"\n\n")
		k.add(streams.SourceHTTP, streams.ContentJSON, "x1/http", "x1", "", fmt.Sprintf(
			`{"exchange":"x1","method":"POST","path":"/v1/message:stream","status":200,"started_at":%q,"ended_at":%q,"end":"complete"}`,
			k.clock.Add(-time.Second).Format(time.RFC3339Nano), k.clock.Format(time.RFC3339Nano)))
		h := k.hear(t)
		if len(h.entities) != 1 {
			t.Fatalf("%s: %d entities", state, len(h.entities))
		}
		e, calls := h.entities[0], h.metrics["SendStreamingMessage"]
		if e.Kind != model.KindCall || e.Capability != "SendStreamingMessage" || e.Status != status || e.Text != "so it is" {
			t.Errorf("%s: %s %s %s %q", state, e.Kind, e.Capability, e.Status, e.Text)
		}
		if calls == nil || calls.Calls != 1 || (calls.Errors == 1) != (status == "error") {
			t.Errorf("%s: metrics %+v", state, calls)
		}
	}
}

// An exchange without requests belongs to its session.
func TestExchangesWithoutRequestsBelongToTheirSession(t *testing.T) {
	k := newTalk()
	k.add(streams.SourceJSONRPC, streams.ContentJSON, "mcp-1/a", "x1", streams.SideClient, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	for _, x := range []string{"x1", "x2"} {
		k.add(streams.SourceHTTP, streams.ContentJSON, x+"/http", x, "", fmt.Sprintf(
			`{"exchange":%q,"method":"GET","path":"/mcp","protocol":"jsonrpc","status":405,"end":"complete","session":"mcp-1/a"}`, x))
	}
	h := k.hear(t)
	if len(h.entities) != 1 || h.entities[0].Kind != model.KindSession || h.entities[0].Events != 3 || h.entities[0].Status != "ok" {
		t.Errorf("%d entities, the first %+v", len(h.entities), h.entities[0])
	}
}
