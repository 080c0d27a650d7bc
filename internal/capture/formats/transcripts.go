package formats

import (
	"strings"

	"github.com/valyala/fastjson"
)

func isGeminiCLI(v *fastjson.Value, typ string) bool {
	switch {
	case stringAt(v, "sessionId") && stringAt(v, "projectHash"):
		return true
	case objectAt(v, "$set"), v.Exists("$rewindTo"):
		return true
	}
	return stringAt(v, "id") && stringAt(v, "timestamp") && v.Exists("content") &&
		(typ == "user" || typ == "gemini" || typ == "info" || typ == "error" || typ == "warning") && !v.Exists("uuid")
}

func isClaudeCode(v *fastjson.Value, typ string) bool {
	switch typ {
	case "user", "assistant":
		return (stringAt(v, "sessionId") || stringAt(v, "uuid")) && present(v, "message") && !arrayAt(v.Get("message"), "parts")
	case "system", "attachment", "progress", "tool_use", "tool_result":
		return stringAt(v, "sessionId") && stringAt(v, "uuid") || typ == "system" && stringAt(v, "session_id") && stringAt(v, "subtype")
	case "result":
		return stringAt(v, "session_id") && stringAt(v, "subtype")
	case "stream_event": // pieces of what comes whole as well
		return stringAt(v, "session_id") && objectAt(v, "event")
	case "summary":
		return stringAt(v, "summary") && (v.Exists("leafUuid") || stringAt(v, "sessionId"))
	case "file-history-snapshot":
		return objectAt(v, "snapshot")
	case "queue-operation", "mode", "permission-mode", "ai-title", "custom-title", "agent-name", "last-prompt", "pr-link",
		"worktree-state", "relocated":
		return stringAt(v, "sessionId")
	}
	return false
}

func isQwen(v *fastjson.Value, _ string) bool {
	return stringAt(v, "uuid") && stringAt(v, "sessionId") && stringAt(v, "type") &&
		(arrayAt(v.Get("message"), "parts") || v.Exists("usageMetadata") || v.Exists("systemPayload") || v.Exists("toolCallResult"))
}

func isCodex(v *fastjson.Value, typ string) bool {
	switch typ {
	case "session_meta", "response_item", "event_msg", "turn_context", "compacted", "world_state", "inter_agent_communication",
		"inter_agent_communication_metadata":
		return objectAt(v, "payload")
	}
	return false
}

func isCodexExec(v *fastjson.Value, typ string) bool {
	switch typ {
	case "item.started", "item.updated", "item.completed", "item.agent_message.delta":
		return objectAt(v, "item")
	case "thread.started", "turn.started", "turn.completed", "turn.failed", "turn.continuation", "tool.call.required",
		"tool.call.completed", "thread.tokenUsage.updated", "thread/tokenUsage/updated", "turn/diff/updated",
		"turn/compaction/completed":
		return true
	case "turn_aborted":
		return stringAt(v, "turn_id")
	}
	method := str(v, "method")
	return objectAt(v, "params") && (strings.HasPrefix(method, "turn/") || strings.HasPrefix(method, "thread/") || strings.HasPrefix(method, "item/"))
}

// isCodexLegacy knows the lines that had no envelope.
func isCodexLegacy(v *fastjson.Value, typ string) bool {
	switch {
	case !v.Exists("type") && stringAt(v, "id") && stringAt(v, "timestamp") && (v.Exists("instructions") || v.Exists("git")):
		return true
	case !v.Exists("type") && stringAt(v, "role") && (stringAt(v, "created_at") || stringAt(v, "timestamp")) &&
		(stringAt(v, "message") || stringAt(v, "content")):
		return true
	case typ == "message" && arrayAt(v, "content") && stringAt(v, "role") && !v.Exists("stop_reason") && !v.Exists("model"):
		kind := str(v.Get("content", "0"), "type")
		return kind == "input_text" || kind == "output_text"
	case typ == "function_call" || typ == "function_call_output" || typ == "local_shell_call":
		return stringAt(v, "call_id") || stringAt(v, "timestamp") || objectAt(v, "function")
	case typ == "tool_call" || typ == "tool_result" || typ == "function_result":
		return (stringAt(v, "timestamp") || stringAt(v, "created_at")) && (objectAt(v, "function") || v.Exists("result"))
	case str(v, "record_type") == "state":
		return true
	}
	return false
}

func isPi(v *fastjson.Value, typ string) bool {
	switch typ {
	case "session":
		return stringAt(v, "cwd") && stringAt(v, "id")
	case "session_start": // Droid's
		return stringAt(v, "id") && (stringAt(v, "cwd") || stringAt(v, "title") || stringAt(v, "sessionTitle"))
	case "message":
		return stringAt(v.Get("message"), "role")
	case "model_change", "thinking_level_change", "branch_summary", "session_info", "label", "leaf", "custom", "custom_message":
		return stringAt(v, "timestamp") && (stringAt(v, "id") || v.Exists("modelId") || v.Exists("thinkingLevel"))
	case "compaction":
		return stringAt(v, "summary")
	}
	return false
}

func isOpenCode(v *fastjson.Value, _ string) bool {
	switch {
	case stringAt(v, "sessionID") && stringAt(v, "messageID"):
		return stringAt(v, "type")
	case stringAt(v, "sessionID"):
		return stringAt(v, "role") && objectAt(v, "time")
	case stringAt(v, "projectID"):
		return stringAt(v, "id") && objectAt(v, "time")
	case stringAt(v, "worktree"):
		return stringAt(v, "id") && objectAt(v, "time")
	}
	return false
}

var copilotTypes = set("session.start", "session.resume", "session.shutdown", "session.error", "session.info", "session.warning",
	"session.model_change", "session.mode_changed", "session.plan_changed", "session.title_changed", "session.compaction_start",
	"session.compaction_complete", "session.truncation", "session.context_changed", "session.task_complete", "user.message",
	"assistant.message", "assistant.reasoning", "assistant.turn_start", "assistant.turn_end", "assistant.usage",
	"assistant.intent", "tool.execution_start", "tool.execution_complete", "tool.execution_partial_result",
	"tool.user_requested", "subagent.started", "subagent.completed", "subagent.failed", "subagent.selected", "hook.start",
	"hook.end", "skill.invoked", "system.message", "system.notification", "abort", "permission.requested",
	"permission.completed")

// isKimi knows the lines by type and by how they tell the time.
func isKimi(v *fastjson.Value, typ string) bool {
	if typ == "metadata" {
		return stringAt(v, "protocol_version") && v.Exists("created_at")
	}
	family, _, found := strings.Cut(typ, ".")
	if !found || !is(v.Get("time"), fastjson.TypeNumber) {
		return false
	}
	switch family {
	case "config", "tools", "turn", "context", "llm", "usage", "permission", "plan_mode", "full_compaction", "micro_compaction", "goal", "skill":
		return true
	}
	return false
}

func isHermes(v *fastjson.Value, _ string) bool {
	return stringAt(v, "session_id") && arrayAt(v, "messages") && (stringAt(v, "session_start") || stringAt(v, "last_updated"))
}

func isDroidExec(v *fastjson.Value, typ string) bool {
	switch typ {
	case "message":
		return stringAt(v, "session_id") && stringAt(v, "role") && stringAt(v, "text")
	case "tool_call", "tool_result":
		return stringAt(v, "session_id") && (stringAt(v, "toolCallId") || stringAt(v, "toolId") || stringAt(v, "toolName"))
	case "completion":
		return stringAt(v, "session_id") && stringAt(v, "finalText")
	}
	return false
}

func isCursor(v *fastjson.Value, typ string) bool {
	role := str(v, "role")
	return typ == "" && (role == "user" || role == "assistant") && (arrayAt(v.Get("message"), "content") || stringAt(v.Get("message"), "content")) &&
		!v.Exists("uuid")
}
