package query

import (
	"slices"
	"testing"
)

func TestTurnsAreWhatPeopleRead(t *testing.T) {
	shown := turns([]Entity{
		{Kind: "message", Text: "It rains.", Reasoning: "hm", IntentID: "m1", Status: "ok",
			Result: `[{"id":"c1","name":"weather","arguments":"{}"},{"id":"c2","name":"clock","arguments":"{}"}]`},
		{Kind: "call", IntentID: "c1", Capability: "weather", Request: `{"method":"tools/call","params":{"name":"weather","arguments":{"city":"Oslo"}}}`,
			Result: `{"jsonrpc":"2.0","result":{"content":[]}}`, Status: "ok"},
		{Kind: "call", Request: `{"city":"Oslo"}`, Text: "rain", Result: `"rain"`, Status: "ok"},
		{Kind: "call", Request: `{"type":"tool_invocation","parameters":{"path":"a"}}`, Status: "open", Text: "path a"},
		{Kind: "call", Status: "error", Error: "no such file", Text: "no such file"},
		{Kind: "call", Capability: "book", Request: `{"args":{"to":"Rome"}}`, Status: "error", Error: "no seats", Text: `book {"args":{"to":"Rome"}}`},
		{Kind: "message", Status: "ok"}, // a stream without a word
		{Kind: "observation", Text: "seen"},
	})
	type line struct{ speaker, arguments, answer string }
	want := []line{
		{"assistant", "", ""},
		{"call", `{"city":"Oslo"}`, `{"content":[]}`},
		{"call", `{"city":"Oslo"}`, "rain"},
		{"call", `{"path":"a"}`, ""},
		{"call", "", ""},
		{"call", `{"to":"Rome"}`, ""},
		{"observation", "", ""},
	}
	var got []line
	for _, turn := range shown {
		got = append(got, line{turn.Speaker, turn.Arguments, turn.Answer})
	}
	if !slices.Equal(got, want) {
		t.Errorf("turns are\n%q, want\n%q", got, want)
	}
	if asks := shown[0].Asks; len(asks) != 1 || asks[0].Name != "clock" {
		t.Errorf("the message asks for %v; the other call is a turn of its own", asks)
	}
}
