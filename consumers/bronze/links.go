package bronze

import (
	"strings"

	"github.com/valyala/fastjson"

	"assay/streams"
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

// Side is from where a call of a tool is seen. Of the sides that see the same call the least counts.
type Side byte

// The sides.
const (
	SideNone    Side = iota
	SideCarries      // a request of MCP carries it out
	SideTimes        // a span times it
	SideAsks         // a model asks for it
)

// SideOf is the side of an event of a kind, SideNone if it does not say which call it is about so that others can say the same.
func SideOf(kind, capabilityKind, source, intent, parent string) Side {
	switch kind {
	case KindRPCRequest:
		if capabilityKind == CapabilityTool && (NamesCall(parent) || IsSpan(parent)) {
			return SideCarries
		}
	case KindToolCall, KindToolCallEcho, KindToolResult, KindToolResultEcho:
		if source == string(streams.SourceOTLP) {
			return SideTimes
		}
		if NamesCall(intent) {
			return SideAsks
		}
	}
	return SideNone
}

// callIDMin is the least length of an id of a call that names it wherever it is met: what providers make up by chance is longer, and
// what only counts is shorter.
const callIDMin = 20

// NamesCall tells whether an id of a call is one that no other call has, in whatever workflow.
func NamesCall(id string) bool {
	return len(id) >= callIDMin && !strings.ContainsAny(id, "/:") && strings.ContainsAny(id, "0123456789")
}

// IsSpan tells whether a name is that of a span.
func IsSpan(name string) bool { return len(name) == 32+1+16 && name[32] == '/' }

// CrossesWorkflows tells whether an event says of which call it is a view to partitions that do not have its workflow.
func (e *Event) CrossesWorkflows() bool {
	side := SideOf(e.Kind, e.CapabilityKind, e.Source, e.IntentID, e.ParentID)
	return side == SideCarries || side == SideTimes
}
