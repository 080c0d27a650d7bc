// Package formats recognises what a JSON object is by what it says. Files, HTTP and the decoders share its one table, so that
// what is captured as a format is decoded as that format. Names of files and labels tell nothing here.
//
//	record ──► Of: the first row of the table whose test holds ──► Format ──► Source, Session
package formats

import (
	"strings"

	"github.com/valyala/fastjson"

	"assay/streams"
)

// Format is what a record is written in.
type Format string

// The formats that the table knows. Unknown is any other object: what a model streams and state events are told apart by
// their decoders.
const (
	Unknown          Format = ""
	OTLP             Format = "otlp"               // an export of spans or logs of OpenTelemetry
	ClaudeCode       Format = "claude-code"        // a line of a transcript of Claude Code
	Codex            Format = "codex"              // a line of a rollout of Codex
	CodexExec        Format = "codex-exec"         // an event of codex exec --json
	CodexLegacy      Format = "codex-legacy"       // a line of a rollout before version 0.33
	GeminiCLI        Format = "gemini-cli"         // a chat of Gemini CLI, or a line of one
	Qwen             Format = "qwen-code"          // a line of a transcript of Qwen Code
	Pi               Format = "pi"                 // a line of a session of pi or OpenClaw
	OpenCode         Format = "opencode"           // a session, message or part of opencode's storage
	Copilot          Format = "copilot"            // an event of Copilot CLI
	A2A              Format = "a2a"                // a message of A2A without JSON-RPC around it
	AGUI             Format = "ag-ui"              // an event of AG-UI
	AGUIRequest      Format = "ag-ui-request"      // what an AG-UI client asks
	UIMessage        Format = "ui-message"         // a part of the AI SDK's UI message stream
	LangGraph        Format = "langgraph"          // an event of a LangGraph server: see IsLangGraph
	Ollama           Format = "ollama"             // a chunk of Ollama
	Bedrock          Format = "bedrock"            // an event of Bedrock's ConverseStream, or Converse's answer
	OpenAI           Format = "openai"             // Chat Completions, OpenRouter's, vLLM's and others' dialects of it, and Responses
	Anthropic        Format = "anthropic"          // Messages
	Gemini           Format = "gemini"             // generateContent
	Interactions     Format = "interactions"       // an event, or an answer, of Gemini's Interactions API
	Realtime         Format = "realtime"           // what OpenAI's Realtime API says besides the events of an answer
	GeminiLive       Format = "gemini-live"        // what the server of Gemini's Live API says
	GeminiLiveClient Format = "gemini-live-client" // what its client says
	Failure          Format = "failure"            // an error instead of an answer, or in the middle of one
	JSONRPC          Format = "jsonrpc"            // JSON-RPC 2.0, whoever's
)

// row is one row of the table.
type row struct {
	format Format
	is     func(v *fastjson.Value, typ string) bool // typ is the member type of v, "" where that is no string
}

// table lists the formats in the order in which they are tried: those that say most about themselves first.
var table = []row{
	{JSONRPC, func(v *fastjson.Value, _ string) bool { return v.Exists("jsonrpc") }},
	{OTLP, isOTLP},
	{GeminiCLI, isGeminiCLI},
	{ClaudeCode, isClaudeCode},
	{Qwen, isQwen},
	{Codex, isCodex},
	{CodexExec, isCodexExec},
	{CodexLegacy, isCodexLegacy},
	{Pi, isPi},
	{Copilot, func(v *fastjson.Value, typ string) bool {
		return objectAt(v, "data") && str(v, "id") != "" && str(v, "timestamp") != "" && copilotTypes[typ]
	}},
	{OpenCode, isOpenCode},
	{AGUIRequest, func(v *fastjson.Value, _ string) bool {
		return stringAt(v, "threadId") && stringAt(v, "runId") && (arrayAt(v, "messages") || v.Exists("resume"))
	}},
	{AGUI, func(v *fastjson.Value, typ string) bool { return aguiTypes[typ] }},
	{UIMessage, isUIMessage},
	{Realtime, isRealtime},
	{GeminiLive, func(v *fastjson.Value, _ string) bool {
		return objectAt(v, "serverContent") || arrayAt(v.Get("toolCall"), "functionCalls")
	}},
	{GeminiLiveClient, func(v *fastjson.Value, _ string) bool {
		return arrayAt(v.Get("clientContent"), "turns") || arrayAt(v.Get("toolResponse"), "functionResponses") ||
			objectAt(v, "realtimeInput") || objectAt(v, "setupComplete") || stringAt(v.Get("setup"), "model")
	}},
	{A2A, isA2A},
	{Ollama, isOllama},
	{Bedrock, isBedrock},
	{Interactions, isInteraction},
	{OpenAI, isOpenAI},
	{Failure, func(v *fastjson.Value, typ string) bool {
		return fields(v) == 1 && (stringAt(v, "error") || stringAt(v.Get("error"), "message")) || typ == "error" && objectAt(v, "error")
	}},
	{Anthropic, isAnthropic},
	{Gemini, func(v *fastjson.Value, _ string) bool {
		return arrayAt(v, "candidates") || objectAt(v, "usageMetadata") || objectAt(v, "promptFeedback")
	}},
}

// Of returns the format of an object.
func Of(v *fastjson.Value) Format {
	if v == nil || v.Type() != fastjson.TypeObject {
		return Unknown
	}
	typ := str(v, "type")
	for i := range table {
		if table[i].is(v, typ) {
			return table[i].format
		}
	}
	return Unknown
}

// Source returns under which source of the log a format is kept.
func (f Format) Source() streams.Source {
	switch f {
	case OTLP:
		return streams.SourceOTLP
	case JSONRPC:
		return streams.SourceJSONRPC
	}
	return streams.SourceEvent
}

// Session returns the session that a record of the format tells, "" if it tells none. Where only the first record of a file
// does, it is the workflow of them all.
func (f Format) Session(v *fastjson.Value) string {
	switch f {
	case ClaudeCode:
		if id := str(v, "session_id"); id != "" {
			return id
		}
		return str(v, "sessionId")
	case Qwen, GeminiCLI:
		return str(v, "sessionId")
	case Codex:
		if str(v, "type") == "session_meta" {
			return str(v.Get("payload"), "id")
		}
	case CodexLegacy, Pi:
		if str(v, "type") == "session" || !v.Exists("type") {
			return str(v, "id")
		}
	case CodexExec:
		return str(v, "thread_id")
	case Copilot:
		return str(v.Get("data"), "sessionId")
	case OpenCode:
		if id := str(v, "sessionID"); id != "" {
			return id
		}
		return str(v, "id")
	}
	return ""
}

func isOTLP(v *fastjson.Value, _ string) bool {
	if arrayAt(v, "resourceSpans") || arrayAt(v, "resourceLogs") || arrayAt(v, "resourceMetrics") {
		return true
	}
	if stringAt(v.Get("data", "0"), "traceID") && arrayAt(v.Get("data", "0"), "spans") {
		return true // as Jaeger's queries answer
	}
	batch := v.Get("batches", "0")
	return arrayAt(batch, "instrumentationLibrarySpans") || arrayAt(batch, "scopeSpans") || IsSDKSpan(v) || IsSDKSpan(v.Get("spans", "0")) ||
		IsLangfuse(v)
}

// IsSDKSpan knows a span as an SDK of OpenTelemetry writes it itself, or what was dumped of one.
func IsSDKSpan(v *fastjson.Value) bool {
	if !stringAt(v, "name") || !objectAt(v, "attributes") {
		return false
	}
	switch context := v.Get("context"); {
	case context.Exists("trace_id") && context.Exists("span_id"):
		return v.Exists("start_time")
	case stringAt(v, "traceId"):
		return v.Exists("status") && (v.Exists("startTime") || v.Exists("timestamp"))
	}
	return stringAt(v.Get("_spanContext"), "traceId") || stringAt(v.Get("spanContext"), "traceId")
}

// IsLangfuse knows a trace with its observations as Langfuse exports it.
func IsLangfuse(v *fastjson.Value) bool {
	first := v.Get("observations", "0")
	if first == nil {
		first = v.Get("trace", "observations", "0")
	}
	return stringAt(first, "traceId") && stringAt(first, "type") && first.Exists("startTime")
}

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

func isOllama(v *fastjson.Value, _ string) bool {
	done := v.Get("done")
	return done != nil && (done.Type() == fastjson.TypeTrue || done.Type() == fastjson.TypeFalse) && stringAt(v, "model") &&
		stringAt(v, "created_at")
}

func isBedrock(v *fastjson.Value, _ string) bool {
	if objectAt(v, "output") && objectAt(v.Get("output"), "message") && stringAt(v, "stopReason") {
		return true
	}
	if fields(v) > 2 {
		return false
	}
	for _, key := range []string{
		"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "throttlingException",
		"modelStreamErrorException", "modelTimeoutException", "internalServerException", "validationException", "serviceUnavailableException",
	} {
		if objectAt(v, key) {
			return true
		}
	}
	return objectAt(v.Get("metadata"), "usage")
}

// IsLangGraph knows the events of a LangGraph server's run by the SSE event's name and by shape: the names alone are common words.
func IsLangGraph(name string, v *fastjson.Value) bool {
	mode, _, _ := strings.Cut(name, "|") // what follows names the subgraph
	switch mode {
	case "metadata":
		return stringAt(v, "run_id")
	case "messages/partial", "messages/complete":
		return is(v, fastjson.TypeArray) && stringAt(v.Get("0"), "type")
	case "messages/metadata":
		return is(v, fastjson.TypeObject)
	case "messages":
		return objectAt(v, "0") && (v.Get("1").Exists("langgraph_node") || v.Get("1").Exists("ls_model_type"))
	case "values":
		message := v.Get("messages", "0")
		return stringAt(message, "type") && message.Exists("content") || stringAt(message, "role") && fields(v) == 1 || str(message, "type") == "constructor" || v.Exists("__interrupt__")
	case "updates":
		known := v.Exists("__interrupt__")
		v.GetObject().Visit(func(_ []byte, update *fastjson.Value) {
			known = known || stringAt(update.Get("messages", "0"), "type") || stringAt(update.Get("messages"), "type")
		})
		return known
	case "debug", "tasks", "checkpoints":
		return objectAt(v, "payload") && v.Exists("step")
	case "events":
		return strings.HasPrefix(str(v, "event"), "on_") && stringAt(v, "run_id")
	case "end":
		return is(v, fastjson.TypeNull)
	case "error":
		return stringAt(v, "error") && stringAt(v, "message") && fields(v) == 2
	}
	return false
}

// LangGraphTuple takes an event of a LangGraph run apart that is written as a tuple: mode and payload, with the path of the subgraph before
// them where there are any. It is not ok for other values.
func LangGraphTuple(v *fastjson.Value) (mode string, payload *fastjson.Value, ok bool) {
	tuple := v.GetArray()
	if len(tuple) == 3 && is(tuple[0], fastjson.TypeArray) {
		tuple = tuple[1:]
	}
	if len(tuple) != 2 {
		return "", nil, false
	}
	mode, payload = string(tuple[0].GetStringBytes()), tuple[1]
	return mode, payload, IsLangGraph(mode, payload)
}

func isOpenAI(v *fastjson.Value, typ string) bool {
	object := str(v, "object")
	return arrayAt(v, "choices") || strings.HasPrefix(object, "chat.completion") || object == "text_completion" ||
		object == "response" || strings.HasPrefix(typ, "response.")
}

// isRealtime knows the events by type. Those of answers, but for their beginning, are those of the Responses API.
func isRealtime(v *fastjson.Value, typ string) bool {
	switch typ {
	case "response.create", "session.update", "session.created", "session.updated", "conversation.created", "rate_limits.updated":
		return true
	}
	return strings.HasPrefix(typ, "conversation.item.") || strings.HasPrefix(typ, "input_audio_buffer.") || strings.HasPrefix(typ, "output_audio_buffer.")
}

func isInteraction(v *fastjson.Value, _ string) bool {
	family, _, _ := strings.Cut(str(v, "event_type"), ".")
	switch family {
	case "interaction":
		return objectAt(v, "interaction") || stringAt(v, "interaction_id")
	case "step", "content":
		return v.Exists("index") || objectAt(v, "delta") || objectAt(v, "step") || objectAt(v, "content")
	}
	return str(v, "object") == "interaction" || stringAt(v, "status") && stringAt(v, "model") && (arrayAt(v, "steps") || arrayAt(v, "outputs"))
}

func isAnthropic(v *fastjson.Value, typ string) bool {
	switch typ {
	case "message_start", "message_delta", "message_stop", "content_block_start", "content_block_delta", "content_block_stop":
		return true
	case "message":
		return arrayAt(v, "content") && v.Exists("role") && v.Exists("stop_reason")
	}
	return false
}

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}

var copilotTypes = set("session.start", "session.resume", "session.shutdown", "session.error", "session.info", "session.warning",
	"session.model_change", "session.mode_changed", "session.plan_changed", "session.title_changed", "session.compaction_start",
	"session.compaction_complete", "session.truncation", "session.context_changed", "session.task_complete", "user.message",
	"assistant.message", "assistant.reasoning", "assistant.turn_start", "assistant.turn_end", "assistant.usage",
	"assistant.intent", "tool.execution_start", "tool.execution_complete", "tool.execution_partial_result",
	"tool.user_requested", "subagent.started", "subagent.completed", "subagent.failed", "subagent.selected", "hook.start",
	"hook.end", "skill.invoked", "system.message", "system.notification", "abort", "permission.requested",
	"permission.completed")

var aguiTypes = set("RUN_STARTED", "RUN_FINISHED", "RUN_ERROR", "STEP_STARTED", "STEP_FINISHED", "TEXT_MESSAGE_START",
	"TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "TEXT_MESSAGE_CHUNK", "THINKING_START", "THINKING_END",
	"THINKING_TEXT_MESSAGE_START", "THINKING_TEXT_MESSAGE_CONTENT", "THINKING_TEXT_MESSAGE_END", "REASONING_START",
	"REASONING_END", "REASONING_MESSAGE_START", "REASONING_MESSAGE_CONTENT", "REASONING_MESSAGE_END",
	"REASONING_MESSAGE_CHUNK", "REASONING_ENCRYPTED_VALUE", "TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END",
	"TOOL_CALL_CHUNK", "TOOL_CALL_RESULT", "STATE_SNAPSHOT", "STATE_DELTA", "MESSAGES_SNAPSHOT", "ACTIVITY_SNAPSHOT",
	"ACTIVITY_DELTA", "RAW", "CUSTOM")

// The values of members, as far as they are of the type in question. A nil value has no members.

func str(v *fastjson.Value, key string) string { return string(v.GetStringBytes(key)) }

func present(v *fastjson.Value, key string) bool {
	member := v.Get(key)
	return member != nil && member.Type() != fastjson.TypeNull
}

func stringAt(v *fastjson.Value, key string) bool { return is(v.Get(key), fastjson.TypeString) }
func objectAt(v *fastjson.Value, key string) bool { return is(v.Get(key), fastjson.TypeObject) }
func arrayAt(v *fastjson.Value, key string) bool  { return is(v.Get(key), fastjson.TypeArray) }

func is(v *fastjson.Value, t fastjson.Type) bool { return v != nil && v.Type() == t }

func fields(v *fastjson.Value) int { return v.GetObject().Len() }
