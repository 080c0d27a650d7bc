package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// toolCallKeys are where clients of MCP say which call of their model a request carries out.
var toolCallKeys = []string{
	"claudecode/toolUseId", "toolUseId", "tool_use_id", "toolCallId", "tool_call_id", "gen_ai.tool.call.id", "anthropic/toolUseId", "openai/toolCallId",
}

// causeOf is what a request of MCP says of its cause: the call of a model that it carries out, by its id, else the span that made it.
func causeOf(params *fastjson.Value) string {
	meta := params.Get("_meta")
	if id := text(meta, toolCallKeys...); id != "" {
		return valid(id)
	}
	return traceParent(textAt(meta, "traceparent"))
}

// traceParent is the span that W3C's trace context names as a cause, as telemetry of the span names it itself; "" if it names none.
func traceParent(context string) string {
	parts := strings.Split(context, "-")
	if len(parts) < 4 || len(parts[1]) != 32 || len(parts[2]) != 16 {
		return ""
	}
	return valid(strings.ToLower(parts[1] + "/" + parts[2]))
}
