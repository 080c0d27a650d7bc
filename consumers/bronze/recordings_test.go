package bronze_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"assay/consumers/bronze"
	"assay/internal/capture/framing"
	"assay/streams"
)

// providers by a piece of the endpoint. What runs on localhost imitates OpenAI.
var providers = []struct{ endpoint, provider string }{
	{"azure.com", bronze.ProviderAzure}, {"anthropic", bronze.ProviderAnthropic}, {"cohere", bronze.ProviderCohere},
	{"deepseek", bronze.ProviderDeepSeek}, {"groq", bronze.ProviderGroq}, {"mistral", bronze.ProviderMistral},
	{"writer", bronze.ProviderWriter}, {"replicate", bronze.ProviderReplicate}, {"cloud.ibm.com", bronze.ProviderWatsonx},
	{"openai.com", bronze.ProviderOpenAI}, {"localhost", bronze.ProviderOpenAI},
}

func providerAt(endpoint string) string {
	for _, p := range providers {
		if strings.Contains(endpoint, p.endpoint) {
			return p.provider
		}
	}
	return "unknown endpoint " + endpoint
}

func TestRecordedStreams(t *testing.T) {
	data := recordings(t)
	total := 0
	for _, r := range sseRecordings(t, data) {
		body := readFile(t, data, "sse", r.File)
		events := bronze.Decode(frameOf(streams.SourceSSE, r.File, body), 1)
		for _, e := range events {
			if e.Part == 0 {
				total++
			}
		}
		if got, want := providerOf(events), providerAt(r.Endpoint); got != want {
			t.Errorf("%s: provider %q, want %q", r.File, got, want)
		}
		text := reassemble(events, bronze.FragmentText, bronze.FragmentReasoning, bronze.FragmentRefusal)
		if want := extract(t, body, proseOf); text != want {
			t.Errorf("%s: text is %.200q, want %.200q", r.File, text, want)
		}
		if got, want := reassemble(events, bronze.FragmentToolCall), extract(t, body, argumentsOf); got != want {
			t.Errorf("%s: arguments are %.200q, want %.200q", r.File, got, want)
		}
		checkStream(t, r, events)
	}
	if total != 15_243 {
		t.Errorf("%d events, want 15,243", total)
	}
}

// checkStream checks what every complete answer of a model shows.
func checkStream(t *testing.T, r recording, events []bronze.Event) {
	t.Helper()
	ends, model := 0, ""
	for _, e := range events {
		switch {
		case e.Disposition != bronze.Kept:
			t.Errorf("%s at %d: %s: %s", r.File, e.Position, e.Disposition, e.Reason)
		case e.Kind == bronze.KindSSEEvent, e.Kind == bronze.KindStreamError:
			t.Errorf("%s at %d: %s of %s", r.File, e.Position, e.Kind, e.Payload)
		case e.Part > 0 && e.Kind == bronze.KindToolCall && e.ParentID == r.File: // a call of its own
		case e.IntentID != r.File:
			t.Errorf("%s at %d: intent %q", r.File, e.Position, e.IntentID)
		case e.Sheddable && (e.Phase == bronze.PhaseEnd || e.FinishReason != ""):
			t.Errorf("%s at %d: the end is sheddable", r.File, e.Position)
		}
		if e.Phase == bronze.PhaseEnd {
			ends++
		}
		if e.Capability != "" && e.CapabilityKind == bronze.CapabilityModel {
			model = e.Capability
		}
	}
	// Writer's completions end without a word.
	if ends == 0 && !strings.Contains(r.Endpoint, "writer.com/v1/completions") {
		t.Errorf("%s: no event ends the message", r.File)
	}
	silent := []string{"cohere", "replicate", "writer.com/v1/completions"} // on the model
	named := !slices.ContainsFunc(silent, func(s string) bool { return strings.Contains(r.Endpoint, s) })
	if (model != "") != named {
		t.Errorf("%s: model %q at %s", r.File, model, r.Endpoint)
	}
}

// extract concatenates what pick finds in each event of an SSE body, choice by choice, with nothing but the paths in
// common with the decoders.
func extract(t *testing.T, body []byte, pick func(event any) string) string {
	t.Helper()
	joined := make([]string, 4) // as many choices as were ever asked for
	for b := range framing.ParseSSE(body, true) {
		var v any
		switch {
		case string(b.Type) == "output":
			v = map[string]any{"value": string(b.Data)}
		case json.Unmarshal(b.Data, &v) != nil:
			continue
		}
		choice, _ := at(v, "choices", 0, "index").(float64)
		joined[int(choice)] += pick(v)
	}
	return strings.Join(joined, "")
}

func proseOf(v any) string {
	switch typ, object := str(v, "type"), str(v, "object"); {
	case strings.HasPrefix(typ, "response.") && typ != "response.output_text.delta":
		return ""
	case typ == "response.output_text.delta":
		return str(v, "delta")
	case object == "thread.message.delta":
		return str(v, "delta", "content", 0, "text", "value")
	}
	return str(v, "choices", 0, "delta", "content") + str(v, "choices", 0, "text") + // OpenAI and many others
		str(v, "delta", "text") + str(v, "delta", "thinking") + // Anthropic
		str(v, "delta", "message", "content", "text") + str(v, "delta", "message", "tool_plan") + // Cohere
		str(v, "results", 0, "generated_text") + str(v, "value") // watsonx, Writer and Replicate
}

func argumentsOf(v any) string {
	joined := str(v, "delta", "partial_json") + str(v, "delta", "message", "tool_calls", "function", "arguments")
	if str(v, "type") == "response.function_call_arguments.delta" {
		joined += str(v, "delta")
	}
	if str(v, "object") == "thread.run.step.delta" {
		joined += str(v, "delta", "step_details", "tool_calls", 0, "code_interpreter", "input")
	}
	calls, _ := at(v, "choices", 0, "delta", "tool_calls").([]any)
	for _, call := range calls {
		joined += str(call, "function", "arguments")
	}
	return joined
}

// at walks down objects by name and arrays by index.
func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			array, _ := v.([]any)
			if step >= len(array) {
				return nil
			}
			v = array[step]
		}
	}
	return v
}

func str(v any, path ...any) string {
	s, _ := at(v, path...).(string)
	return s
}

func TestRecordedSessions(t *testing.T) {
	data := recordings(t)
	total := 0
	for _, file := range []string{"server-everything.ndjson", "server-memory.ndjson"} {
		events := bronze.Decode(frameOf(streams.SourceJSONRPC, file, readFile(t, data, "jsonrpc", file)), 1)
		total += len(events)
		if got := providerOf(events); got != bronze.ProviderMCP {
			t.Errorf("%s: provider %q", file, got)
		}
		checkPairs(t, file, events)
	}
	if total != 788 {
		t.Errorf("%d messages, want 788", total)
	}
}

// checkPairs checks that every answer belongs to exactly one request and every request is answered.
func checkPairs(t *testing.T, file string, events []bronze.Event) {
	t.Helper()
	open := map[string]bool{}
	for _, e := range events {
		switch e.Kind {
		case bronze.KindRPCRequest:
			if open[e.IntentID] {
				t.Errorf("%s at %d: intent %q asked twice", file, e.Position, e.IntentID)
			}
			open[e.IntentID] = true
		case bronze.KindRPCResponse, bronze.KindRPCError:
			if !open[e.IntentID] {
				t.Errorf("%s at %d: %q answers no request", file, e.Position, e.IntentID)
			}
			delete(open, e.IntentID)
		case bronze.KindRPCNotification, bronze.KindRPCProgress:
		default:
			t.Errorf("%s at %d: %s %s %s", file, e.Position, e.Disposition, e.Kind, e.Reason)
		}
		failed := bytes.Contains(e.Raw, []byte(`"isError":true`)) || bytes.Contains(e.Raw, []byte(`"error":{`))
		if failed != (e.Status == bronze.StatusError) || failed != (e.Error != "") {
			t.Errorf("%s at %d: status %q, error %q of %.200s", file, e.Position, e.Status, e.Error, e.Raw)
		}
	}
	if len(open) != 0 {
		t.Errorf("%s: no answer to %v", file, open)
	}
}

func TestRecordedStateEvents(t *testing.T) {
	body := readFile(t, recordings(t), "events", "swe-agent.ndjson")
	events := bronze.Decode(frameOf(streams.SourceEvent, "swe-agent", body), 1)
	kinds, invocations := map[string]int{}, map[string]bronze.Event{}
	for _, e := range events {
		kinds[e.Kind]++
		if e.Time.IsZero() || e.EventID == "" || e.WorkflowID == "wf" {
			t.Errorf("at %d: time %v, id %q, workflow %q", e.Position, e.Time, e.EventID, e.WorkflowID)
		}
		switch e.Kind {
		case bronze.KindToolInvocation:
			invocations[e.EventID] = e
		case bronze.KindObservation:
			cause, ok := invocations[e.ParentID]
			if !ok || cause.IntentID != e.IntentID || cause.WorkflowID != e.WorkflowID || cause.AgentID != e.AgentID {
				t.Errorf("at %d: observation %+v of invocation %+v", e.Position, e, cause)
			}
		}
	}
	want := map[string]int{bronze.KindToolInvocation: 108, bronze.KindObservation: 108, bronze.KindPromotion: 12}
	for kind, n := range want {
		if kinds[kind] != n {
			t.Errorf("%d of kind %s, want %d", kinds[kind], kind, n)
		}
	}
	if len(events) != 228 {
		t.Errorf("%d events, want 228", len(events))
	}
}
