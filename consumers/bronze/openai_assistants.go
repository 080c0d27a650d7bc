package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// decodeAssistants decodes the thread.* objects of OpenAI's Assistants streams. One stream is one run, which may make
// several messages and steps; parts are named after them. name is the SSE event's, such as thread.run.created.
func decodeAssistants(e *Event, v *fastjson.Value, name string) {
	e.Provider = ProviderOpenAI
	e.AgentID = text(v, "assistant_id")
	switch text(v, "object") {
	case "thread.run":
		e.Capability = text(v, "model")
		assistantsRun(e, v, name)
		return
	case "thread.message", "thread.message.delta":
		assistantsMessage(e, v)
	case "thread.run.step", "thread.run.step.delta":
		assistantsStep(e, v)
	}
	e.delta()
}

// assistantsRun takes the state of the run, which is the whole answer.
func assistantsRun(e *Event, v *fastjson.Value, name string) {
	e.usage(v.Get("usage"), "prompt_tokens", "completion_tokens")
	switch status := text(v, "status"); status {
	case "completed":
		e.FinishReason = status
		e.end(StatusOK)
	case "incomplete":
		e.FinishReason = status
		if reason := textAt(v, "incomplete_details", "reason"); reason != "" {
			e.FinishReason = reason
		}
		e.end(StatusOK)
	case "cancelled":
		e.FinishReason = status
		e.end(StatusCancelled)
	case "failed", "expired":
		e.FinishReason = status
		e.fail(errorText(v.Get("last_error")))
	default:
		e.delta()
		if strings.HasSuffix(name, ".created") {
			e.start()
		}
	}
}

// assistantsMessage takes pieces of a message or, when it is complete, its whole content.
func assistantsMessage(e *Event, v *fastjson.Value) {
	content := v.GetArray("content")
	if delta := v.Get("delta"); delta != nil {
		content = delta.GetArray("content")
	}
	for i, item := range content {
		at := decimal(i)
		if item.Exists("index") {
			at = index(item, "index")
		}
		part, whole := text(v, "id"), text(v, "status") == "completed"
		if isObject(item, "text") {
			e.piece(Fragment{Part: part + "/text/" + at, Type: FragmentText, Text: textAt(item, "text", "value"), Whole: whole})
		}
		if isString(item, "refusal") {
			e.piece(Fragment{Part: part + "/refusal/" + at, Type: FragmentRefusal, Text: text(item, "refusal"), Whole: whole})
		}
	}
}

// assistantsStep takes pieces of the tool calls of a step or, when it is complete, all of them.
func assistantsStep(e *Event, v *fastjson.Value) {
	details := v.Get("step_details")
	if delta := v.Get("delta", "step_details"); delta != nil {
		details = delta
	}
	if details == nil {
		return
	}
	for i, call := range details.GetArray("tool_calls") {
		at := decimal(i)
		if call.Exists("index") {
			at = index(call, "index")
		}
		f := Fragment{
			Part: text(v, "id") + "/tool_call/" + at, Type: FragmentToolCall, ID: text(call, "id"),
			Whole: text(v, "status") == "completed",
		}
		if call.Exists("code_interpreter") {
			f.Text = textAt(call, "code_interpreter", "input")
		} else {
			f.Name, f.Text = textAt(call, "function", "name"), textAt(call, "function", "arguments")
		}
		if f.Name == "" && f.ID != "" {
			f.Name = text(call, "type") // code_interpreter, file_search
		}
		e.piece(f)
	}
}
