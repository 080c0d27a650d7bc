package bronze

import (
	"strings"

	"github.com/valyala/fastjson"

	"assay/internal/capture/formats"
	"assay/streams"
)

// object decodes a JSON object by what it says; the source that it came from does not matter. name is the value of the
// SSE event's event field, "" outside SSE.
func (d *decoder) object(e *Event, v *fastjson.Value, name string) {
	format := formats.Of(v)
	if !inRecords(format) {
		e.Payload = string(d.raw)
	}
	switch {
	case d.frame.Source == streams.SourceHTTP && isString(v, "exchange"):
		d.exchange(e, v)
	case format == formats.JSONRPC:
		decodeJSONRPC(e, v, d.frame)
		d.acp(e, v)
	case d.told(e, v, format):
	case format == formats.A2A && d.frame.Exchange != "":
		d.a2aREST(e, v)
	case isCloudEvent(v):
		decodeCloudEvent(e, v)
	case len(d.mapping) > 0: // who maps members knows what they are
		d.mapped(e, v)
	case isString(v, "topology_class"):
		d.state(e, v)
	case d.model(e, v, name, format):
	case d.frame.Source != streams.SourceSSE && d.request(e, v):
	case d.frame.Source != streams.SourceSSE || isStateEvent(v):
		d.state(e, v)
		if e.IntentID == "" && e.EventID == "" && e.Kind != KindPromotion {
			e.IntentID = valid(d.frame.Exchange) // an answer, or a request, of an API that is not known
		}
	default:
		e.IntentID = d.intent()
		decodeGeneric(e, v, name)
	}
}

// inRecords reports whether what a record of the format says is all in events that are made of it, so that it is not kept as it is besides.
func inRecords(format formats.Format) bool {
	switch format {
	case formats.OTLP, formats.ClaudeCode, formats.Codex, formats.CodexExec, formats.CodexLegacy, formats.GeminiCLI, formats.Qwen, formats.Pi,
		formats.OpenCode, formats.Copilot,
		formats.DroidExec, formats.Kimi, formats.Cursor, formats.Hermes, formats.Antigravity, formats.Muse:
		return true
	}
	return false
}

// told decodes a record of a transcript or of telemetry, which may hold several events. It reports whether v is one.
func (d *decoder) told(e *Event, v *fastjson.Value, format formats.Format) bool {
	switch format {
	case formats.OTLP:
		d.otlp(e, v)
	case formats.AGUI:
		d.agui(e, v)
	case formats.AGUIRequest:
		d.aguiRequest(e, v)
	case formats.UIMessage:
		d.uiMessage(e, v)
	case formats.Realtime:
		d.realtime(e, v)
	case formats.GeminiLiveClient:
		d.geminiLiveClient(e, v)
	case formats.ClaudeCode:
		d.claudeCode(e, v)
	case formats.Codex:
		d.codex(e, v)
	case formats.CodexExec:
		d.codexExec(e, v)
	case formats.CodexLegacy:
		d.codexLegacy(e, v)
	case formats.GeminiCLI:
		d.geminiCLI(e, v)
	case formats.Qwen:
		d.qwen(e, v)
	case formats.Pi:
		d.pi(e, v)
	case formats.OpenCode:
		d.openCode(e, v)
	case formats.Copilot:
		d.copilot(e, v)
	case formats.DroidExec:
		d.droidExec(e, v)
	case formats.Kimi:
		d.kimi(e, v)
	case formats.Cursor:
		d.cursor(e, v)
	case formats.Hermes:
		d.hermes(e, v)
	case formats.Antigravity:
		d.antigravity(e, v)
	case formats.Muse:
		d.muse(e, v)
	default:
		return false
	}
	return true
}

// model decodes an event of a model's answer, if v is one.
func (d *decoder) model(e *Event, v *fastjson.Value, name string, format formats.Format) bool {
	decode := recogniseModel(v, name, format)
	if decode == nil {
		return false
	}
	e.IntentID, e.Role, e.CapabilityKind = d.intent(), RoleAssistant, CapabilityModel
	decode(e, v, name)
	e.Text = e.prose()
	d.toolCalls(e)
	return true
}

// toolCalls makes each tool call that begins in an answer's event an event of its own, whose intent is the call's id. Where the
// arguments are not complete yet, its fragment says which part of the message they are.
func (d *decoder) toolCalls(e *Event) {
	for _, f := range e.Fragments {
		if f.Type != FragmentToolCall || f.ID == "" || f.Name == "" {
			continue
		}
		p := d.part(e)
		p.Kind, p.Phase, p.IntentID, p.ParentID = KindToolCall, PhaseStart, f.ID, e.IntentID
		p.Capability, p.CapabilityKind = f.Name, CapabilityTool
		p.Fragments = []Fragment{{Part: f.Part, Type: f.Type, ID: f.ID, Name: f.Name}}
		switch {
		case f.Whole && f.Text == "":
			p.Payload = "{}"
		case f.Whole, isJSONObject(f.Text):
			p.Payload = textAsJSON(f.Text)
		}
	}
	for i := range e.results {
		p := d.part(e)
		p.Kind, p.ParentID = KindToolResult, e.IntentID
		e.results[i].fill(p)
	}
}

// modelDecoder fills e from v, an event of a model stream.
type modelDecoder func(e *Event, v *fastjson.Value, name string)

// recogniseModel returns the decoder of a model's event, nil if v is none.
func recogniseModel(v *fastjson.Value, name string, format formats.Format) modelDecoder {
	object := string(v.GetStringBytes("object"))
	switch {
	case strings.HasPrefix(object, "thread."):
		return decodeAssistants
	case format == formats.GeminiLive:
		return decodeGeminiLive
	case format == formats.Interactions:
		return decodeInteraction
	case object == "response":
		return decodeWholeResponse
	case strings.HasPrefix(object, "chat.completion"), object == "text_completion", isArray(v, "choices"):
		return decodeOpenAIChat
	case isArray(v, "candidates"), v.Exists("usageMetadata"), v.Exists("promptFeedback"):
		return decodeGemini
	case isBool(v, "done") && isString(v, "model") && (isObject(v, "message") || isString(v, "response")):
		return decodeOllama
	case format == formats.Failure && name == "":
		return decodeFailure
	case format == formats.Bedrock:
		return decodeBedrock
	case isString(v, "finish_reason") && isObject(v, "message"):
		return decodeCohereWhole
	case isArray(v, "results") && v.Exists("results", "0", "generated_text"):
		return decodeWatsonx
	}
	if decode := recogniseType(string(v.GetStringBytes("type")), v, name); decode != nil {
		return decode
	}
	if isCohereV1(string(v.GetStringBytes("event_type"))) {
		return decodeCohereV1
	}
	return nil
}

// recogniseType knows the providers that tell their events apart by a type.
func recogniseType(typ string, v *fastjson.Value, name string) modelDecoder {
	switch typ {
	case "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop":
		return decodeAnthropic
	case "message":
		if isArray(v, "content") && v.Exists("role") && v.Exists("stop_reason") {
			return decodeAnthropic
		}
	case "ping":
		if name == "ping" {
			return decodeAnthropic
		}
	case "error":
		switch {
		case name != "" && isObject(v, "error"):
			return decodeAnthropic
		case name != "" && isString(v, "message"):
			return decodeResponses
		}
	case "message-start", "content-start", "content-delta", "content-end", "tool-plan-delta", "tool-call-start",
		"tool-call-delta", "tool-call-end", "citation-start", "citation-end", "message-end":
		return decodeCohere
	}
	if strings.HasPrefix(typ, "response.") {
		return decodeResponses
	}
	return nil
}

// isStateEvent tells a state event in an SSE body, where many other things have a type, by the names that only state
// events have.
func isStateEvent(v *fastjson.Value) bool {
	if IsRetraction(text(v, "type", "event_type")) || retractionKind(v) != "" {
		return true
	}
	if !isString(v, "type") && !isString(v, "event_type") {
		return false
	}
	switch text(v, "type", "event_type") {
	case KindToolInvocation, KindObservation, KindPromotion, KindContinuous, KindContinuousState,
		KindNodeStarted, KindTokenChunk, KindToolExecution, KindStateTransitioned:
		return true
	}
	for _, key := range []string{"event_cid", "event_id", "workflow_id", "intent_id", "agent_id"} {
		if isString(v, key) {
			return true
		}
	}
	return false
}
