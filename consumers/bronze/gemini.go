package bronze

import (
	"strconv"

	"github.com/valyala/fastjson"
)

// decodeGemini decodes GenerateContentResponse objects, each of which is a chunk of a stream or a whole answer; the one
// with a finish reason is the last.
//
// Every chunk repeats the usage so far. It is taken from each, since a stream may break off, and does not keep a chunk from being
// shed, since the next one has it too.
func decodeGemini(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderGemini
	e.Capability = text(v, "modelVersion")
	for _, candidate := range v.GetArray("candidates") {
		if reason := text(candidate, "finishReason"); reason != "" {
			e.FinishReason = reason
		}
		part := index(candidate, "index")
		for i, p := range candidate.GetArray("content", "parts") {
			geminiPiece(e, p, part, i)
		}
	}
	e.usage(v.Get("usageMetadata"), "promptTokenCount", "candidatesTokenCount", "toolUsePromptTokenCount")
	if thoughts := count(v, "usageMetadata", "thoughtsTokenCount"); thoughts > 0 {
		e.OutputTokens = max(e.OutputTokens, 0) + thoughts
	}
	e.details(v.Get("usageMetadata"), []string{"cachedContentTokenCount"}, []string{"thoughtsTokenCount"})
	e.repeated = true
	blocked := textAt(v, "promptFeedback", "blockReason")
	switch {
	case blocked != "":
		e.FinishReason = blocked
		e.fail("prompt blocked: " + blocked)
	case e.FinishReason == "":
		e.delta()
		return
	default:
		e.end(StatusOK)
	}
}

// geminiPiece takes the i-th part of a chunk. Pieces of text go on from chunk to chunk; a function call comes whole, and
// nothing but its place tells two calls apart.
func geminiPiece(e *Event, p *fastjson.Value, part string, i int) {
	if call := p.Get("functionCall"); is(call, fastjson.TypeObject) {
		f := Fragment{
			Part: part + "/tool_call/" + strconv.FormatUint(e.Position, 10) + "." + decimal(i), Type: FragmentToolCall,
			ID: text(call, "id"), Name: text(call, "name"),
		}
		f.Text = argumentsOf(call)
		if f.ID == "" {
			f.ID = callID(f.Name, f.Text)
		}
		e.piece(f)
		return
	}
	f := Fragment{Part: part + "/text", Type: FragmentText, Text: text(p, "text")}
	if isTrue(p, "thought") {
		f.Part, f.Type = part+"/reasoning", FragmentReasoning
	}
	e.piece(f)
}
