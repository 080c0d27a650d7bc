package gold

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"assay/streams"
)

// The pieces of events of one place have an order, in whatever order and commits they came.
func TestPiecesOfOnePlaceHaveAnOrder(t *testing.T) {
	var pieces []capture
	for _, text := range []string{"one ", "two ", "three "} {
		pieces = append(pieces, message(text, "end")[0])
	}
	texts := map[string]bool{}
	for _, together := range []bool{true, false} {
		g := open(t, testOptions(newMemory()))
		if together {
			deliver(t, g, 1, [][]capture{pieces})
		} else {
			deliver(t, g, 1, [][]capture{pieces[:1]}, [][]capture{pieces[1:2]}, [][]capture{pieces[2:]})
		}
		e, err := g.Entity(pieces[0].Entity)
		if err != nil {
			t.Fatal(err)
		}
		texts[e.Text] = true
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(pieces)
	}
	if len(texts) != 1 {
		t.Errorf("it is any of %v", texts)
	}
}

// A conversation through a proxy is read as it went, though an answer's exchange begins before the question that it carries, by the
// clock of whoever tells of the exchange.
func TestAConversationIsReadAsItWent(t *testing.T) {
	k := newTalk()
	// The record of an exchange says that it began a little before its request was captured.
	ended := func(exchange string, began time.Time) {
		k.add(streams.SourceHTTP, streams.ContentJSON, exchange+"/http", exchange, "", fmt.Sprintf(
			`{"exchange":%q,"method":"POST","path":"/v1/chat/completions","status":200,"started_at":%q,"ended_at":%q,"end":"complete"}`,
			exchange, began.Format(time.RFC3339Nano), k.clock.Format(time.RFC3339Nano)))
	}
	began := k.clock
	const system = `{"role":"system","content":"You are a meteorologist."},{"role":"user","content":"Shall I take my purple umbrella?"}`
	k.asks("x1", `{"model":"gpt-x","stream":true,"messages":[`+system+`]}`)
	k.says("x1", `{"id":"c1","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","tool_calls":[{"index":0,"id":"call_7","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}]}}]}`,
		`{"id":"c1","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`, `[DONE]`)
	ended("x1", began)
	began = k.clock
	k.asks("x2", `{"model":"gpt-x","stream":true,"messages":[`+system+`,{"role":"assistant","tool_calls":[{"id":"call_7","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}]},{"role":"tool","tool_call_id":"call_7","content":"rain, 4 degrees"}]}`)
	k.says("x2", `{"id":"c2","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":"It rains in Oslo."}}]}`,
		`{"id":"c2","object":"chat.completion.chunk","model":"gpt-x","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`, `[DONE]`)
	ended("x2", began)
	g := open(t, testOptions(newMemory()))
	defer g.Close()
	k.deliver(t, g, k.frames, 3)
	var told []string
	for _, e := range conversation(t, g, Turns{Limit: 2, MaxBytes: 1 << 20}, k.workflow) {
		told = append(told, e.Role+" "+e.Capability+" "+e.Text)
	}
	want := []string{
		"system  You are a meteorologist.", "user  Shall I take my purple umbrella?", "assistant gpt-x ", "tool get_weather rain, 4 degrees",
		"assistant gpt-x It rains in Oslo.",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%q, want\n%q", told, want)
	}
	w, err := g.Workflow(k.workflow)
	if err != nil || w.Title != "Shall I take my purple umbrella?" || w.Calls != 3 || w.Errors != 0 || w.OpenCalls != 0 {
		t.Errorf("%+v, error %v", w, err)
	}
}
