package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// decodeGeneric decodes a JSON object in an SSE body that does not say what it is. Some providers send so little that
// only the shape of the whole gives them away; of others, the text is taken where one is found.
func decodeGeneric(e *Event, v *fastjson.Value, name string) {
	e.Kind = KindSSEEvent
	switch fields := v.GetObject().Len(); {
	case fields == 1 && isString(v, "value"):
		decodeWriterText(e, v)
		return
	case name == "done" && (fields == 0 || fields == 1 && isString(v, "reason")):
		decodeReplicateDone(e, v)
		return
	}
	e.Capability = text(v, "model", "model_id")
	e.Text = anyText(v)
	if name == "error" || present(v, "error") && v.Get("error").Type() != fastjson.TypeFalse {
		message := v.Get("error")
		if message == nil {
			message = v
		}
		e.fail(errorText(message))
	}
}

// anyText returns the member of v that most likely is what a reader wants to find.
func anyText(v *fastjson.Value) string {
	return text(v, keysText...)
}

// keysText are the members that may hold what a reader wants to find, the likeliest first.
var keysText = []string{
	"text", "content", "delta", "output", "message", "value", "generated_text", "completion", "response",
	"token", "chunk", "result", "observation", "thought", "description", "summary", "data",
}

// decodePlain decodes an SSE event whose data is no JSON object.
func decodePlain(e *Event, data, name string) {
	e.Kind, e.Text = KindSSEEvent, data
	switch {
	case data == "[DONE]":
		e.Kind, e.Phase, e.Status, e.Text = KindStreamEnd, PhaseEnd, StatusOK, ""
	case name == "output": // Replicate
		e.Provider = ProviderReplicate
		e.piece(Fragment{Part: "0/text", Type: FragmentText, Text: data})
		e.Kind, e.Phase = KindTextDelta, PhaseDelta
	case name == "error":
		e.fail(data)
	case data == "", name == "ping", name == "heartbeat", name == "keepalive", name == "keep-alive":
		e.Kind = KindHeartbeat
	}
}

// decodeReplicateDone decodes the end of a Replicate stream, {} or a reason.
func decodeReplicateDone(e *Event, v *fastjson.Value) {
	e.Provider = ProviderReplicate
	e.FinishReason = text(v, "reason")
	switch e.FinishReason {
	case "error":
		e.fail("the prediction failed")
	case "canceled":
		e.end(StatusCancelled)
	default:
		e.end(StatusOK)
	}
}

// decodeWriterText decodes a chunk of Writer's text completions, {"value": "…"}.
func decodeWriterText(e *Event, v *fastjson.Value) {
	e.Provider, e.Text = ProviderWriter, text(v, "value")
	e.piece(Fragment{Part: "0/text", Type: FragmentText, Text: e.Text})
	e.Kind, e.Phase = KindTextDelta, PhaseDelta
}

// decodeWatsonx decodes a chunk of IBM watsonx's text generation, which carries its own time. The chunk with a stop
// reason is the last.
func decodeWatsonx(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderWatsonx
	e.Capability = text(v, "model_id")
	e.Time = eventTime(v.Get("created_at"))
	var input, output int64 = -1, -1
	for i, result := range v.GetArray("results") {
		e.piece(Fragment{Part: decimal(i) + "/text", Type: FragmentText, Text: text(result, "generated_text")})
		if reason := text(result, "stop_reason"); reason != "" && !strings.EqualFold(reason, "not_finished") {
			e.FinishReason = reason
		}
		input = max(input, count(result, "input_token_count"))
		output = max(output, count(result, "generated_token_count"))
	}
	if e.FinishReason == "" {
		e.delta()
		if input > 0 { // the first chunk tells the size of the prompt, and nobody else does
			e.InputTokens = input
		}
		return
	}
	e.InputTokens, e.OutputTokens = input, output
	e.end(StatusOK)
}
