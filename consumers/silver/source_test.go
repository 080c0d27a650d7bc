package silver

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"assay/streams"
)

// source is a source stream: events in the wire format of one decoder, each complete with what ends it.
type source struct {
	source      streams.Source
	contentType string
	stream      string
	workflow    string
	shed        float64
	events      []string
}

// formats write the event at a place, which no other event has.
var formats = []struct {
	source      streams.Source
	contentType string
	event       func(t *rapid.T, place string) string
}{
	{streams.SourceSSE, streams.ContentSSE, func(t *rapid.T, _ string) string {
		return fmt.Sprintf("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", word(t))
	}},
	{streams.SourceSSE, streams.ContentSSE, func(t *rapid.T, _ string) string {
		return fmt.Sprintf("event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":%q}}\r\n\r\n", word(t))
	}},
	{streams.SourceSSE, streams.ContentSSE, func(t *rapid.T, _ string) string {
		return rapid.SampledFrom([]string{": quiet\n\ndata: plain\n\n", "data: a\ndata: b\n\n", "data: [DONE]\n\n", "data: \xff\n\n"}).Draw(t, "sse")
	}},
	{streams.SourceJSONRPC, streams.ContentNDJSON, func(t *rapid.T, place string) string {
		return rapid.SampledFrom([]string{
			fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"method":"tools/call","params":{"name":"t"}}`+"\n", place),
			fmt.Sprintf(`{"jsonrpc":"2.0","id":%q,"result":{"content":[{"type":"text","text":%q}]}}`+"\n", place, word(t)),
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2}}` + "\n",
			"not JSON\n",
		}).Draw(t, "rpc")
	}},
	{streams.SourceEvent, streams.ContentNDJSON, func(t *rapid.T, place string) string {
		return rapid.SampledFrom([]string{
			fmt.Sprintf(`{"topology_class":"tool_invocation","event_cid":"t-%s","intent_id":%q,"workflow_id":"W|1","tool_name":"t"}`+"\n", place, word(t)),
			fmt.Sprintf(`{"topology_class":"epistemic_promotion","event_cid":"p-%s","timestamp":1}`+"\n", place),
			fmt.Sprintf(`{"type":"odd","workflow_id":%q}`+"\n", word(t)),
			fmt.Sprintf(`{"type":"TokenStreamChunk","chunk":%q,"intent_id":"i"}`+"\n", word(t)),
			// Several events: the call that opens, and two messages, the second said before.
			fmt.Sprintf(`{"model":"m","messages":[{"role":"user","content":%q},{"role":"user","content":%[1]q}]}`+"\n", place),
			"[1,\n",
		}).Draw(t, "event")
	}},
}

func word(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "uh", "Ä", "z|z", "\\"}).Draw(t, "word")
}

// drawSources draws streams. A name that is new each time keeps them apart from all others.
func drawSources(t *rapid.T, name string) []source {
	sources := make([]source, rapid.IntRange(1, 4).Draw(t, "streams"))
	for i := range sources {
		format := formats[rapid.IntRange(0, len(formats)-1).Draw(t, "format")]
		s := source{
			source: format.source, contentType: format.contentType, stream: fmt.Sprintf("%s|%d", name, i),
			workflow: rapid.SampledFrom([]string{"wf", "Wf 2", ""}).Draw(t, "workflow"),
			shed:     rapid.SampledFrom([]float64{0, 0.3, 0.7, 1}).Draw(t, "shed"),
		}
		for position := range rapid.IntRange(1, 12).Draw(t, "events") {
			s.events = append(s.events, format.event(t, fmt.Sprintf("%s/%d/%d", name, i, position)))
		}
		sources[i] = s
	}
	return sources
}

// frame is the frame of the events from one position to before another.
func (s *source) frame(from, to int) *streams.Frame {
	f := &streams.Frame{
		Source: s.source, Workflow: s.workflow, ContentType: s.contentType, Stream: s.stream, Shed: s.shed,
		Position: uint64(from), Count: to - from, Captured: time.Unix(1_700_000_000, int64(from)).UTC(),
	}
	for _, e := range s.events[from:to] {
		f.Body = append(f.Body, e...)
	}
	return f
}

// cut cuts a stream into frames anywhere.
func (s *source) cut(t *rapid.T) (frames []*streams.Frame) {
	for from := 0; from < len(s.events); {
		to := rapid.IntRange(from+1, len(s.events)).Draw(t, "cut")
		frames = append(frames, s.frame(from, to))
		from = to
	}
	return frames
}
