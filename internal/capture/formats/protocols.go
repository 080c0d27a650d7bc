package formats

import (
	"strings"

	"github.com/valyala/fastjson"
)

func isUIMessage(v *fastjson.Value, typ string) bool {
	switch typ {
	case "start":
		return fields(v) == 1 || stringAt(v, "messageId") || v.Exists("messageMetadata")
	case "start-step", "finish-step", "reset-step", "abort":
		return true
	case "finish":
		return fields(v) == 1 || v.Exists("messageMetadata") || stringAt(v, "finishReason")
	case "text-start", "text-delta", "text-end", "reasoning-start", "reasoning-delta", "reasoning-end":
		return stringAt(v, "id")
	case "error":
		return stringAt(v, "errorText")
	case "file":
		return stringAt(v, "url") && stringAt(v, "mediaType") && !v.Exists("messageID")
	case "source-url", "source-document":
		return stringAt(v, "sourceId")
	case "message-metadata":
		return v.Exists("messageMetadata")
	}
	return stringAt(v, "toolCallId") && (strings.HasPrefix(typ, "tool-input-") || strings.HasPrefix(typ, "tool-output-") ||
		strings.HasPrefix(typ, "tool-approval-")) || strings.HasPrefix(typ, "data-") && v.Exists("data")
}

func isA2A(v *fastjson.Value, _ string) bool {
	switch kind := str(v, "kind"); {
	case kind == "message" && arrayAt(v, "parts"), kind == "task" && objectAt(v, "status"), kind == "status-update",
		kind == "artifact-update":
		return true
	case objectAt(v, "statusUpdate"), objectAt(v, "artifactUpdate"):
		return true
	case objectAt(v, "task") && objectAt(v.Get("task"), "status"), objectAt(v, "message") && arrayAt(v.Get("message"), "parts"),
		stringAt(v.Get("message"), "messageId") && arrayAt(v.Get("message"), "content"):
		return !v.Exists("uuid") && !v.Exists("sessionId")
	}
	status := v.Get("status")
	return stringAt(v, "id") && stringAt(status, "state") && (stringAt(v, "contextId") || stringAt(v, "sessionId") || v.Exists("artifacts"))
}

var aguiTypes = set("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "STEP_STARTED", "STEP_FINISHED", "TEXT_MESSAGE_START",
	"TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "TEXT_MESSAGE_CHUNK", "THINKING_START", "THINKING_END",
	"THINKING_TEXT_MESSAGE_START", "THINKING_TEXT_MESSAGE_CONTENT", "THINKING_TEXT_MESSAGE_END", "REASONING_START",
	"REASONING_END", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END",
	"REASONING_MESSAGE_CHUNK", "REASONING_ENCRYPTED_VALUE", "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END",
	"TOOL_CALL_CHUNK", "TOOL_CALL_RESULT", "STATE_SNAPSHOT", "STATE_DELTA", "MESSAGES_SNAPSHOT", "ACTIVITY_SNAPSHOT",
	"ACTIVITY_DELTA", "RAW", "CUSTOM")
