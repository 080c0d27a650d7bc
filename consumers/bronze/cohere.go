package bronze

import "github.com/valyala/fastjson"

// decodeCohere decodes the events of Cohere's chat streams, version 2.
func decodeCohere(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderCohere
	part := index(v, "index")
	switch text(v, "type") {
	case "message-start":
		e.start()
		return
	case "message-end":
		e.cohereUsage(v.Get("delta", "usage"))
		e.cohereEnd(textAt(v, "delta", "finish_reason"), v.Get("delta", "error"))
		return
	case "content-start", "content-delta":
		content := v.Get("delta", "message", "content")
		if content == nil {
			break
		}
		e.piece(Fragment{Part: part + "/text", Type: FragmentText, Text: text(content, "text")})
		e.piece(Fragment{Part: part + "/reasoning", Type: FragmentReasoning, Text: text(content, "thinking")})
	case "tool-plan-delta":
		e.piece(Fragment{Part: "plan", Type: FragmentReasoning, Text: textAt(v, "delta", "message", "tool_plan")})
	case "tool-call-start", "tool-call-delta":
		if call := v.Get("delta", "message", "tool_calls"); call != nil {
			openAIToolCall(e, call, part+"/tool_call")
		}
	}
	e.delta()
}

// cohereUsage takes what the model read and wrote rather than what is billed.
func (e *Event) cohereUsage(usage *fastjson.Value) {
	if usage == nil {
		return
	}
	counted := "tokens"
	if !isObject(usage, counted) {
		counted = "billed_units"
	}
	e.usage(usage.Get(counted), "input_tokens", "output_tokens")
	e.details(usage, []string{"cached_tokens"}, nil)
}

func (e *Event) cohereEnd(reason string, err *fastjson.Value) {
	e.FinishReason = reason
	switch {
	case is(err, fastjson.TypeString), is(err, fastjson.TypeObject):
		e.fail(errorText(err))
	case reason == "ERROR", reason == "ERROR_TOXIC":
		e.fail("the model stopped with " + reason)
	case reason == "USER_CANCEL":
		e.end(StatusCancelled)
	default:
		e.end(StatusOK)
	}
}

// decodeCohereWhole decodes an answer that was not streamed, version 2.
func decodeCohereWhole(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderCohere
	message := v.Get("message")
	for i, block := range message.GetArray("content") {
		part := decimal(i)
		e.piece(Fragment{Part: part + "/text", Type: FragmentText, Text: text(block, "text")})
		e.piece(Fragment{Part: part + "/reasoning", Type: FragmentReasoning, Text: text(block, "thinking")})
	}
	e.piece(Fragment{Part: "plan", Type: FragmentReasoning, Text: text(message, "tool_plan")})
	for i, call := range message.GetArray("tool_calls") {
		openAIToolCall(e, call, decimal(i)+"/tool_call")
	}
	e.wholeMessage()
	e.cohereUsage(v.Get("usage"))
	e.cohereEnd(text(v, "finish_reason"), nil)
}

func isCohereV1(eventType string) bool {
	switch eventType {
	case "stream-start", "text-generation", "stream-end", "tool-calls-generation", "tool-calls-chunk",
		"citation-generation", "search-queries-generation", "search-results":
		return true
	}
	return false
}

// decodeCohereV1 decodes the events of Cohere's chat streams, version 1.
func decodeCohereV1(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderCohere
	switch text(v, "event_type") {
	case "stream-start":
		e.start()
		return
	case "stream-end":
		e.cohereUsage(v.Get("response", "meta"))
		e.cohereEnd(text(v, "finish_reason"), v.Get("error"))
		return
	case "text-generation":
		e.piece(Fragment{Part: "0/text", Type: FragmentText, Text: text(v, "text")})
	case "tool-calls-chunk":
		e.piece(Fragment{Part: "plan", Type: FragmentReasoning, Text: text(v, "text")})
		if call := v.Get("tool_call_delta"); is(call, fastjson.TypeObject) {
			e.piece(Fragment{
				Part: index(call, "index") + "/tool_call", Type: FragmentToolCall,
				Name: text(call, "name"), Text: text(call, "parameters"),
			})
		}
	case "tool-calls-generation":
		for i, call := range v.GetArray("tool_calls") {
			f := Fragment{Part: decimal(i) + "/tool_call", Type: FragmentToolCall, Name: text(call, "name"), Whole: true}
			if parameters := call.Get("parameters"); parameters != nil {
				f.Text = compact(parameters)
			}
			e.piece(f)
		}
	}
	e.delta()
}
