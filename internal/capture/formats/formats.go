// Package formats recognises what a JSON object is by what it says. Files, HTTP and the decoders share its one table, so that
// what is captured as a format is decoded as that format. Names of files and labels tell nothing here.
//
//	record ──► Of: the first row of the table whose test holds ──► Format ──► Source, Session
package formats

import (
	"math/bits"

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
	Pi               Format = "pi"                 // a line of a session of pi, OpenClaw or Droid
	DroidExec        Format = "droid-exec"         // an event of droid exec
	Kimi             Format = "kimi"               // a line of a session of Kimi CLI
	Cursor           Format = "cursor"             // a line of a transcript of Cursor
	Hermes           Format = "hermes"             // a session of Hermes
	Antigravity      Format = "antigravity"        // a step of a trajectory of Antigravity
	Muse             Format = "muse"               // a record of a session of Muse Code
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
	marks  []string                                 // an object of the format has one of these members at least
	is     func(v *fastjson.Value, typ string) bool // typ is the member type of v, "" where that is no string
}

// table lists the formats in the order in which they are tried: those that say most about themselves first. The tests of coding agents
// are in transcripts.go, of model APIs in models.go, of what agents and pages speak in protocols.go, of traces in telemetry.go.
var table = []row{
	{JSONRPC, []string{"jsonrpc"}, func(v *fastjson.Value, _ string) bool { return v.Exists("jsonrpc") }},
	{OTLP, []string{"resourceSpans", "resourceLogs", "resourceMetrics", "data", "batches", "attributes", "spans", "observations", "trace"}, isOTLP},
	{GeminiCLI, []string{"projectHash", "$set", "$rewindTo", "content"}, isGeminiCLI},
	{Qwen, []string{"uuid"}, isQwen},
	{ClaudeCode, []string{"type"}, isClaudeCode},
	{Codex, []string{"payload"}, isCodex},
	{CodexExec, []string{"type", "method"}, isCodexExec},
	{CodexLegacy, []string{"type", "instructions", "git", "role", "record_type"}, isCodexLegacy},
	{Pi, []string{"type"}, isPi},
	{Kimi, []string{"time", "protocol_version"}, isKimi},
	{Hermes, []string{"session_id"}, isHermes},
	{DroidExec, []string{"session_id"}, isDroidExec},
	{Antigravity, []string{"step_index"}, func(v *fastjson.Value, typ string) bool {
		return typ != "" && stringAt(v, "source") && stringAt(v, "created_at")
	}},
	{Muse, []string{"payload_type"}, func(v *fastjson.Value, _ string) bool {
		return stringAt(v.Get("stream"), "id") && objectAt(v, "payload")
	}},
	{Cursor, []string{"role"}, isCursor},
	{Copilot, []string{"data"}, func(v *fastjson.Value, typ string) bool {
		return objectAt(v, "data") && str(v, "id") != "" && str(v, "timestamp") != "" && copilotTypes[typ]
	}},
	{OpenCode, []string{"sessionID", "projectID", "worktree"}, isOpenCode},
	{AGUIRequest, []string{"threadId"}, func(v *fastjson.Value, _ string) bool {
		return stringAt(v, "threadId") && stringAt(v, "runId") && (arrayAt(v, "messages") || v.Exists("resume"))
	}},
	{AGUI, []string{"type"}, func(v *fastjson.Value, typ string) bool { return aguiTypes[typ] }},
	{UIMessage, []string{"type"}, isUIMessage},
	{Realtime, []string{"type"}, isRealtime},
	{GeminiLive, []string{"serverContent", "toolCall"}, func(v *fastjson.Value, _ string) bool {
		return objectAt(v, "serverContent") || arrayAt(v.Get("toolCall"), "functionCalls")
	}},
	{GeminiLiveClient, []string{"clientContent", "toolResponse", "realtimeInput", "setupComplete", "setup"}, func(v *fastjson.Value, _ string) bool {
		return arrayAt(v.Get("clientContent"), "turns") || arrayAt(v.Get("toolResponse"), "functionResponses") ||
			objectAt(v, "realtimeInput") || objectAt(v, "setupComplete") || stringAt(v.Get("setup"), "model")
	}},
	{A2A, []string{"kind", "statusUpdate", "artifactUpdate", "task", "message", "status"}, isA2A},
	{Ollama, []string{"done"}, isOllama},
	{Bedrock, bedrockMarks, isBedrock},
	{Interactions, []string{"event_type", "object", "steps", "outputs"}, isInteraction},
	{OpenAI, []string{"choices", "object", "type"}, isOpenAI},
	{Failure, []string{"error"}, func(v *fastjson.Value, typ string) bool {
		return fields(v) == 1 && (stringAt(v, "error") || stringAt(v.Get("error"), "message")) || typ == "error" && objectAt(v, "error")
	}},
	{Anthropic, []string{"type"}, isAnthropic},
	{Gemini, []string{"candidates", "usageMetadata", "promptFeedback"}, func(v *fastjson.Value, _ string) bool {
		return arrayAt(v, "candidates") || objectAt(v, "usageMetadata") || objectAt(v, "promptFeedback")
	}},
}

// Of returns the format of an object.
func Of(v *fastjson.Value) Format {
	if v == nil || v.Type() != fastjson.TypeObject {
		return Unknown
	}
	var rows uint64 // those of which v has a mark
	v.GetObject().Visit(func(key []byte, _ *fastjson.Value) { rows |= marked[string(key)] })
	typ := str(v, "type")
	for ; rows != 0; rows &= rows - 1 {
		if r := &table[bits.TrailingZeros64(rows)]; r.is(v, typ) {
			return r.format
		}
	}
	return Unknown
}

// marked tells of each mark which rows of the table have it, a bit each.
var marked = func() map[string]uint64 {
	rows := map[string]uint64{}
	for i, r := range table {
		for _, mark := range r.marks {
			rows[mark] |= 1 << i
		}
	}
	return rows
}()

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
		if typ := str(v, "type"); typ == "session" || typ == "session_start" || typ == "" {
			return str(v, "id")
		}
	case CodexExec:
		return str(v, "thread_id")
	case Hermes, DroidExec:
		return str(v, "session_id")
	case Muse:
		return str(v.Get("stream"), "id")
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
