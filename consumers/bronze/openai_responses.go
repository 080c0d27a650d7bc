package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// decodeResponses decodes the events of OpenAI's Responses streams. Each part of the answer comes in deltas and then
// once more, whole, in its done event, so that it survives the shedding of deltas.
func decodeResponses(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderOpenAI
	e.Capability = textAt(v, "response", "model")
	typ := text(v, "type")
	switch typ {
	case "response.created":
		e.start()
	case "response.completed", "response.done", "response.incomplete", "response.failed", "response.cancelled":
		responseEnd(e, v.Get("response"))
	case "error":
		e.fail(errorText(v))
	case "response.output_item.added", "response.output_item.done":
		responseItem(e, v.Get("item"), index(v, "output_index"), typ == "response.output_item.done")
		e.delta()
	default:
		responsePiece(e, v, strings.TrimPrefix(typ, "response."))
		e.delta()
	}
}

// decodeWholeResponse decodes an answer of the Responses API that was not streamed.
func decodeWholeResponse(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderOpenAI
	e.Capability = text(v, "model")
	for i, item := range v.GetArray("output") {
		part := decimal(i)
		responseItem(e, item, part, true)
		for j, content := range item.GetArray("content") {
			e.piece(Fragment{Part: part + "/text/" + decimal(j), Type: FragmentText, Text: text(content, "text")})
			e.piece(Fragment{Part: part + "/refusal/" + decimal(j), Type: FragmentRefusal, Text: text(content, "refusal")})
		}
		for j, summary := range item.GetArray("summary") {
			e.piece(Fragment{Part: part + "/reasoning/" + decimal(j), Type: FragmentReasoning, Text: text(summary, "text")})
		}
	}
	e.wholeMessage()
	responseEnd(e, v)
}

// responseEnd takes how a response ended and what it cost.
func responseEnd(e *Event, r *fastjson.Value) {
	if r == nil {
		e.end(StatusOK)
		return
	}
	usage := r.Get("usage")
	e.usage(usage, "input_tokens", "output_tokens")
	e.details(usage, []string{"input_tokens_details", "cached_tokens"}, []string{"output_tokens_details", "reasoning_tokens"})
	e.details(usage, []string{"input_token_details", "cached_tokens"}, nil) // Realtime
	e.FinishReason = text(r, "status")
	switch e.FinishReason {
	case "failed":
		e.fail(errorText(r.Get("error")))
	case "cancelled":
		e.end(StatusCancelled)
	case "incomplete":
		if reason := textAt(r, "incomplete_details", "reason"); reason != "" {
			e.FinishReason = reason
		}
		e.end(StatusOK)
	default:
		e.end(StatusOK)
	}
}

// responseItem takes the id and name of a tool call and, when the item is done, all of its input.
func responseItem(e *Event, item *fastjson.Value, part string, done bool) {
	if item == nil || !strings.HasSuffix(string(item.GetStringBytes("type")), "_call") {
		return
	}
	f := Fragment{Part: part + "/tool_call", Type: FragmentToolCall, ID: text(item, "call_id", "id"), Name: text(item, "name")}
	if f.Name == "" {
		f.Name = strings.TrimSuffix(text(item, "type"), "_call") // web_search, code_interpreter, …
	}
	if done {
		f.Text, f.Whole = text(item, "arguments", "input", "code"), true
		hostedResult(e, item, f.ID)
	}
	e.piece(f)
}

// hostedResult takes how a call ended that OpenAI runs by itself. Others end when the next request tells what they answered.
func hostedResult(e *Event, item *fastjson.Value, id string) {
	switch typ := text(item, "type"); typ {
	case "web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call":
		failed := text(item, "status") == "failed" || present(item, "error")
		said := text(item, "output")
		if failed {
			said = errorText(item.Get("error"))
		}
		if id != "" {
			e.results = append(e.results, toolEnd{id: id, text: said, failed: failed})
		}
	}
}

// responsePiece takes a delta, or the whole of a part that is done. typ is the event's type without its prefix.
func responsePiece(e *Event, v *fastjson.Value, typ string) {
	part := index(v, "output_index")
	dot := strings.LastIndexByte(typ, '.') + 1
	what, stage := strings.TrimSuffix(typ[:dot], "."), typ[dot:]
	f := Fragment{Whole: stage == "done", Text: text(v, "delta")}
	if stage != "delta" && stage != "done" {
		return
	}
	switch what {
	case "output_text", "text", "output_audio_transcript", "audio_transcript": // the last three are Realtime's
		f.Type, f.Part = FragmentText, part+"/text/"+index(v, "content_index")
	case "refusal":
		f.Type, f.Part = FragmentRefusal, part+"/refusal/"+index(v, "content_index")
	case "reasoning_text":
		f.Type, f.Part = FragmentReasoning, part+"/reasoning_text/"+index(v, "content_index")
	case "reasoning_summary_text":
		f.Type, f.Part = FragmentReasoning, part+"/reasoning/"+index(v, "summary_index")
	case "function_call_arguments", "mcp_call_arguments", "custom_tool_call_input", "code_interpreter_call_code":
		f.Type, f.Part = FragmentToolCall, part+"/tool_call"
	default:
		return
	}
	if f.Whole {
		f.Text = text(v, "text", "transcript", "arguments", "refusal", "input", "code")
	}
	e.piece(f)
}
