// Package sample generates a short session of an imaginary agent, so that a new user sees something before they have
// data of their own: a user's question, a model's answers with reasoning, hesitations and calls of tools, a request that is
// refused because there were too many, tool calls over JSON-RPC of which two fail, state events with a token buffer for the
// forget gate, and a promotion.
//
// The session is the same every time but for when it happened.
package sample

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"assay/streams"
)

// Workflow is the id of the workflow that the session belongs to.
const Workflow = "sample-session"

// Long is how long the session takes.
const Long = 50 * time.Second

// Frames returns the session as it would have been captured from start on, in the order in which it was.
func Frames(start time.Time) []*streams.Frame {
	s := &session{start: start.UTC()}
	s.conversation()
	s.tools()
	s.states()
	slices.SortStableFunc(s.frames, func(a, b *streams.Frame) int {
		return cmp.Or(a.Captured.Compare(b.Captured), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Position, b.Position))
	})
	return s.frames
}

// Stream is one source stream of the session, as a file might hold it.
type Stream struct {
	ID          string
	Source      string // sse, jsonrpc or event
	ContentType string
	Body        []byte
}

// Session returns the streams of the session, but those that only a proxy sees: requests, and how their exchanges went.
func Session() []Stream {
	var all []Stream
	for _, f := range Frames(time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)) {
		if f.ContentType == streams.ContentJSON {
			continue
		}
		i := slices.IndexFunc(all, func(s Stream) bool { return s.ID == f.Stream })
		if i < 0 {
			i, all = len(all), append(all, Stream{ID: f.Stream, Source: string(f.Source), ContentType: f.ContentType})
		}
		all[i].Body = append(all[i].Body, f.Body...)
	}
	return all
}

// session is one that is being written.
type session struct {
	start  time.Time
	frames []*streams.Frame
	next   map[string]uint64 // position in each stream
}

// add appends a frame of so many events to a stream, captured so long after the start.
func (s *session) add(after time.Duration, f streams.Frame, body []byte, events int) {
	if s.next == nil {
		s.next = map[string]uint64{}
	}
	f.Workflow, f.Captured, f.Position, f.Count, f.Body = Workflow, s.start.Add(after), s.next[f.Stream], events, body
	s.next[f.Stream] += uint64(events)
	s.frames = append(s.frames, &f)
}

const model = "sample-model-1"

// conversation is what a proxy before the model sees.
func (s *session) conversation() {
	history := []any{
		map[string]any{"role": "system", "content": "You are a careful build engineer. Say what you find before you change anything."},
		map[string]any{"role": "user", "content": "The build has failed since I moved the repository. Why, and can you mend it?"},
	}
	hear := func(x *exchange, result string) {
		history = append(history, x.message(), map[string]any{"role": "tool", "tool_call_id": x.call.id, "content": result})
	}

	look := &exchange{
		number: 1, at: 0, first: 900 * time.Millisecond,
		reasoning: "The user moved the repository, so something holds a path. The linker's message will tell which archive is missing.",
		text: "So, uh, the build fails because, um, the linker never sees the archive: er, " +
			"its path is, uh, relative to the wrong folder. I will look for the flag that sets it.",
		call: call{"sample-call-1", "read_build_log", `{"lines":20}`}, input: 142, cached: 64, output: 71,
	}
	s.exchange(look, history)
	hear(look, "ld: cannot find native/libassay.a: No such file or directory\nmake: *** [build] Error 1")

	s.exchange(&exchange{number: 2, at: 32 * time.Second, status: 429, refusal: "Rate limit reached for requests; try again in 2 s."}, history)

	mend := &exchange{
		number: 3, at: 35 * time.Second, first: 700 * time.Millisecond, text: "The flag names the archive relative to the folder that make starts in. ",
		call:  call{"sample-call-2", "edit_file", `{"path":"build.mk","replace":"native/libassay.a","with":"$(CURDIR)/native/libassay.a"}`},
		input: 268, cached: 142, output: 58,
	}
	s.exchange(mend, history)
	hear(mend, "build.mk: 1 replacement")

	s.exchange(&exchange{
		number: 4, at: 43 * time.Second, first: 600 * time.Millisecond, input: 341, cached: 268, output: 44,
		text: "The build passes again: the flag in build.mk now names the archive by its absolute path, so it no longer matters where make starts.",
	}, history)
}

// exchange is a request to the model with its answer.
type exchange struct {
	number                int
	at, first             time.Duration // of the request after the start, of the answer's beginning after that
	reasoning, text       string
	call                  call // that the answer asks for, if it has a name
	input, cached, output int
	status                int // 0: 200
	refusal               string
}

type call struct{ id, name, arguments string }

func (x *exchange) id() string { return fmt.Sprintf("sample-exchange-%d", x.number) }

// message is the answer as later requests repeat it.
func (x *exchange) message() map[string]any {
	return map[string]any{"role": "assistant", "content": x.text, "tool_calls": []any{map[string]any{
		"id": x.call.id, "type": "function", "function": map[string]any{"name": x.call.name, "arguments": x.call.arguments},
	}}}
}

func (s *session) exchange(x *exchange, history []any) {
	request := line(map[string]any{"model": model, "messages": history, "stream": true})
	s.add(x.at, streams.Frame{
		Source: streams.SourceEvent, ContentType: streams.ContentJSON, Stream: x.id() + "/client", Exchange: x.id(), Side: streams.SideClient,
	}, request, 1)
	end, answered := x.at+400*time.Millisecond, 0
	if x.status == 0 {
		end, answered = s.answer(x)
	}
	record := map[string]any{
		"exchange": x.id(), "method": "POST", "path": "/v1/chat/completions", "status": cmp.Or(x.status, 200), "end": "complete",
		"started_at": s.start.Add(x.at).Format(time.RFC3339Nano), "ended_at": s.start.Add(end).Format(time.RFC3339Nano),
		"first_byte_at": s.start.Add(min(end, x.at+x.first)).Format(time.RFC3339Nano), "request_bytes": len(request), "response_bytes": answered,
	}
	if x.refusal != "" {
		record["error"], record["rate_limit"] = x.refusal, map[string]any{"retry-after": "2"}
	}
	s.add(end+time.Millisecond, streams.Frame{
		Source: streams.SourceHTTP, ContentType: streams.ContentJSON, Stream: x.id() + "/http", Exchange: x.id(),
	}, line(record), 1)
}

// chunkEvery is how often the model sends some tokens, chunkEvents how many events these are.
const (
	chunkEvery  = 180 * time.Millisecond
	chunkEvents = 4
)

// answer is a model's streamed chat completion, a token a chunk, with the hesitations that the forget gate is for. It returns
// when it ended, and its bytes.
func (s *session) answer(x *exchange) (end time.Duration, size int) {
	var events [][]byte
	chunk := func(delta map[string]any, finish any, usage any) {
		events = append(events, fmt.Appendf(nil, "data: %s\n", line(map[string]any{
			"id": fmt.Sprintf("chatcmpl-sample-%d", x.number), "object": "chat.completion.chunk", "created": s.start.Add(x.at).Unix(), "model": model,
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}}, "usage": usage,
		})))
	}
	chunk(map[string]any{"role": "assistant", "content": ""}, nil, nil)
	for _, token := range strings.SplitAfter(x.reasoning, ", ") {
		if token != "" {
			chunk(map[string]any{"reasoning_content": token}, nil, nil)
		}
	}
	for _, token := range strings.SplitAfter(x.text, " ") {
		if token != "" {
			chunk(map[string]any{"content": token}, nil, nil)
		}
	}
	finish := "stop"
	if x.call.name != "" {
		finish = "tool_calls"
		chunk(map[string]any{"tool_calls": []any{map[string]any{
			"index": 0, "id": x.call.id, "type": "function", "function": map[string]any{"name": x.call.name, "arguments": x.call.arguments},
		}}}, nil, nil)
	}
	chunk(map[string]any{}, finish, map[string]any{
		"prompt_tokens": x.input, "completion_tokens": x.output, "total_tokens": x.input + x.output,
		"prompt_tokens_details": map[string]any{"cached_tokens": x.cached},
	})
	events[0] = append([]byte(": the stream opens\n\n"), events[0]...) // a comment, which is no event
	events = append(events, []byte("data: [DONE]\n\n"))
	end = x.at + x.first
	for several := range slices.Chunk(events, chunkEvents) {
		body := bytes.Join(several, nil)
		s.add(end, streams.Frame{
			Source: streams.SourceSSE, ContentType: streams.ContentSSE, Stream: fmt.Sprintf("sample/answer-%d.sse", x.number), Exchange: x.id(), Side: streams.SideServer,
		}, body, len(several))
		end, size = end+chunkEvery, size+len(body)
	}
	return end, size
}

// tools is a Model Context Protocol session of both directions; every fifth call fails.
func (s *session) tools() {
	at := 6 * time.Second
	add := func(side streams.Side, message map[string]any) {
		message["jsonrpc"] = "2.0"
		s.add(at, streams.Frame{
			Source: streams.SourceJSONRPC, ContentType: streams.ContentNDJSON, Stream: "sample/tools.ndjson", Side: side,
		}, line(message), 1)
	}
	add(streams.SideClient, map[string]any{"id": 1, "method": "initialize", "params": map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "sample", "version": "1"},
	}})
	at += 35 * time.Millisecond
	add(streams.SideServer, map[string]any{"id": 1, "result": map[string]any{
		"protocolVersion": "2025-06-18", "capabilities": map[string]any{"tools": map[string]any{}},
		"serverInfo": map[string]any{"name": "sample-tools", "version": "1"},
	}})
	add(streams.SideClient, map[string]any{"method": "notifications/initialized"})
	for i, query := range []string{
		"linker flag", "archive path", "cgo LDFLAGS", "static library", "missing symbol",
		"search path", "relative path", "build cache", "SRCDIR", "undefined reference",
	} {
		id, tool := i+2, []string{"search_code", "read_file", "run_build"}[i%3]
		at += 700 * time.Millisecond
		add(streams.SideClient, map[string]any{"id": id, "method": "tools/call", "params": map[string]any{
			"name": tool, "arguments": map[string]any{"query": query}, "_meta": map[string]any{"progressToken": id},
		}})
		took := []time.Duration{180, 45, 2400}[i%3]*time.Millisecond + time.Duration(i*i)*7*time.Millisecond
		at += took / 2
		add(streams.SideServer, map[string]any{"method": "notifications/progress", "params": map[string]any{"progressToken": id, "progress": 0.5}})
		at += took / 2
		switch {
		case i == 4:
			add(streams.SideServer, map[string]any{"id": id, "error": map[string]any{"code": -32602, "message": "unknown argument: query"}})
		default:
			add(streams.SideServer, map[string]any{"id": id, "result": map[string]any{
				"content": []any{map[string]any{"type": "text", "text": fmt.Sprintf("%s: %d matches for %q", tool, i+1, query)}},
				"isError": i == 9,
			}})
		}
	}
}

// states is the agent's own account: a buffer of tokens as it thinks, a tool use and what it saw, and a promotion.
func (s *session) states() {
	at := func(seconds float64) float64 { return float64(s.start.UnixMicro())/1e6 + seconds }
	events := []map[string]any{
		{
			"topology_class": "continuous_observation", "event_cid": "sample-ev-1", "timestamp": at(5), "intent_id": "think-1",
			"agent_id": "sample-agent", "stream_cid": "sample-stream",
			"token_buffer": []string{"uh", "the", "archive", "er", "is", "um", "missing", "uh"},
			"disfluency_contract": map[string]any{
				"decay_threshold": 0.8, "repair_marker_regex": "^(uh|um|er)$", "max_lookback_window": 8,
			},
		},
		{
			"topology_class": "tool_invocation", "event_cid": "sample-ev-2", "timestamp": at(39), "intent_id": "step-1",
			"agent_id": "sample-agent", "tool_name": "run_build", "parameters": map[string]any{"target": "all"},
		},
		{
			"topology_class": "observation", "event_cid": "sample-ev-3", "timestamp": at(40.5), "intent_id": "step-1",
			"source_node_cid": "sample-agent", "triggering_invocation_cid": "sample-ev-2",
			"payload": map[string]any{"observation": "The build passes once the flag names the archive by its absolute path."},
		},
		{
			"topology_class": "epistemic_promotion", "event_cid": "sample-promotion-1", "timestamp": at(47),
			"source_episodic_event_cids":     []string{"sample-ev-1", "sample-ev-2", "sample-ev-3"},
			"crystallized_semantic_node_cid": "sample-node-1", "compression_ratio": 0.25,
		},
	}
	for _, event := range events {
		event["workflow_id"] = Workflow
		after := time.Duration((event["timestamp"].(float64) - at(0)) * float64(time.Second))
		s.add(after, streams.Frame{Source: streams.SourceEvent, ContentType: streams.ContentNDJSON, Stream: "sample/states.ndjson"}, line(event), 1)
	}
}

// line renders a value as one line of JSON; json.Marshal sorts the keys of maps, so it is the same every time.
func line(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // every value above is a literal
	}
	return append(text, '\n')
}
