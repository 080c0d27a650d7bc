// Package sample generates a short session of an imaginary agent, so that a new user sees something before they have
// data of their own: a model's answer with disfluencies, tool calls over JSON-RPC of which two fail, state events with a
// token buffer for the forget gate, and a promotion.
//
// The session is the same every time, byte for byte; playing it again adds nothing.
package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Workflow is the id of the workflow that the session belongs to.
const Workflow = "sample-session"

// Stream is one source stream of the session.
type Stream struct {
	ID          string
	Source      string // sse, jsonrpc or event
	ContentType string
	Body        []byte
}

// start is when the session is said to have happened.
var start = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

// Session returns the streams of the session in the order in which they are played.
func Session() []Stream {
	return []Stream{
		{ID: "sample/answer.sse", Source: "sse", ContentType: "text/event-stream", Body: answer()},
		{ID: "sample/tools.ndjson", Source: "jsonrpc", ContentType: "application/x-ndjson", Body: tools()},
		{ID: "sample/states.ndjson", Source: "event", ContentType: "application/x-ndjson", Body: states()},
	}
}

// answer is a model's streamed chat completion, a token a chunk, with the hesitations that the forget gate is for.
func answer() []byte {
	const text = "So, uh, the build fails because, um, the linker never sees the archive: er, " +
		"its path is, uh, relative to the wrong folder. I will look for the flag that sets it."
	var b bytes.Buffer
	chunk := func(delta map[string]any, finish any, usage any) {
		b.WriteString("data: ")
		b.Write(line(map[string]any{
			"id": "chatcmpl-sample-1", "object": "chat.completion.chunk", "created": start.Unix(), "model": "sample-model-1",
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}, "usage": usage,
		}))
		b.WriteString("\n")
	}
	b.WriteString(": the stream opens\n\n")
	chunk(map[string]any{"role": "assistant", "content": ""}, nil, nil)
	for _, token := range strings.SplitAfter(text, " ") {
		chunk(map[string]any{"content": token}, nil, nil)
	}
	chunk(map[string]any{}, "stop", map[string]any{"prompt_tokens": 42, "completion_tokens": 37, "total_tokens": 79})
	b.WriteString("data: [DONE]\n\n")
	return b.Bytes()
}

// tools is a Model Context Protocol session of both directions; every fifth call fails.
func tools() []byte {
	var b bytes.Buffer
	add := func(message map[string]any) {
		message["jsonrpc"] = "2.0"
		b.Write(line(message))
	}
	add(map[string]any{"id": 1, "method": "initialize", "params": map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "sample", "version": "1"},
	}})
	add(map[string]any{"id": 1, "result": map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{"tools": map[string]any{}},
		"serverInfo": map[string]any{"name": "sample-tools", "version": "1"},
	}})
	add(map[string]any{"method": "notifications/initialized"})
	for i, query := range []string{
		"linker flag", "archive path", "cgo LDFLAGS", "static library", "missing symbol",
		"search path", "relative path", "build cache", "SRCDIR", "undefined reference",
	} {
		id, tool := i+2, []string{"search_code", "read_file", "run_build"}[i%3]
		add(map[string]any{"id": id, "method": "tools/call", "params": map[string]any{
			"name": tool, "arguments": map[string]any{"query": query}, "_meta": map[string]any{"progressToken": id},
		}})
		add(map[string]any{"method": "notifications/progress", "params": map[string]any{"progressToken": id, "progress": 0.5}})
		switch {
		case i == 4:
			add(map[string]any{"id": id, "error": map[string]any{"code": -32602, "message": "unknown argument: query"}})
		default:
			add(map[string]any{"id": id, "result": map[string]any{
				"content": []any{map[string]any{"type": "text", "text": fmt.Sprintf("%s: %d matches for %q", tool, i+1, query)}},
				"isError": i == 9,
			}})
		}
	}
	return b.Bytes()
}

// states is the agent's own account: a buffer of tokens as it thinks, a tool use and what it saw, and a promotion.
func states() []byte {
	var b bytes.Buffer
	at := func(seconds float64) float64 { return float64(start.Unix()) + seconds }
	events := []map[string]any{
		{
			"topology_class": "continuous_observation", "event_cid": "sample-ev-1", "timestamp": at(1), "intent_id": "think-1",
			"agent_id": "sample-agent", "stream_cid": "sample-stream",
			"token_buffer": []string{"uh", "the", "archive", "er", "is", "um", "missing", "uh"},
			"disfluency_contract": map[string]any{
				"decay_threshold": 0.8, "repair_marker_regex": "^(uh|um|er)$", "max_lookback_window": 8,
			},
		},
		{
			"topology_class": "tool_invocation", "event_cid": "sample-ev-2", "timestamp": at(2), "intent_id": "step-1",
			"agent_id": "sample-agent", "tool_name": "run_build", "parameters": map[string]any{"target": "all"},
		},
		{
			"topology_class": "observation", "event_cid": "sample-ev-3", "timestamp": at(3.5), "intent_id": "step-1",
			"source_node_cid": "sample-agent", "triggering_invocation_cid": "sample-ev-2",
			"payload": map[string]any{"observation": "The build passes once the flag names the archive by its absolute path."},
		},
		{
			"topology_class": "epistemic_promotion", "event_cid": "sample-promotion-1", "timestamp": at(4),
			"source_episodic_event_cids":     []string{"sample-ev-1", "sample-ev-2", "sample-ev-3"},
			"crystallized_semantic_node_cid": "sample-node-1", "compression_ratio": 0.25,
		},
	}
	for _, event := range events {
		event["workflow_id"] = Workflow
		b.Write(line(event))
	}
	return b.Bytes()
}

// line renders a value as one line of JSON; json.Marshal sorts the keys of maps, so it is the same every time.
func line(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // every value above is a literal
	}
	return append(text, '\n')
}
