package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// request decodes a request to a model's API, if v is one: an event that opens the call, and each message of the conversation
// that it brings as an event of its own. An HTTP exchange is one call, so the answer has the same intent.
//
// Shapes differ little among Chat Completions, Responses, Anthropic Messages, Gemini, Cohere, Bedrock Converse and Ollama, and
// are disjoint where they do, so one reading serves them all.
func (d *decoder) request(e *Event, v *fastjson.Value) bool {
	items, ok := d.asked(v)
	if !ok {
		return false
	}
	e.Kind, e.Phase, e.Role, e.IntentID = KindModelRequest, PhaseStart, RoleAssistant, d.intent()
	e.Capability, e.CapabilityKind = text(v, "model", "modelId"), CapabilityModel
	e.Provider = requestProvider(v)
	e.Payload = settings(v)
	h := history{d: d, e: e, seen: map[string]int{}, after: lastAnswer(items)}
	for _, key := range []string{"system", "instructions", "systemInstruction", "system_instruction", "preamble"} {
		h.message(RoleSystem, messageText(v.Get(key)))
	}
	h.base = previous(v, e.IntentID)
	for i, item := range items {
		h.item(i, item)
	}
	h.message(RoleUser, text(v, "prompt", "message"))
	return true
}

// asked returns the items of the conversation that v brings. It is not ok if v is no request to a model.
func (d *decoder) asked(v *fastjson.Value) (items []*fastjson.Value, ok bool) {
	for _, key := range []string{"type", "event_type", "object", "choices"} {
		if v.Exists(key) && text(v, key) != "response.create" { // as the Responses API is asked over a WebSocket
			return nil, false
		}
	}
	addressed := isString(v, "model") || isString(v, "modelId") || d.frame.Exchange != "" || v.Exists("inferenceConfig")
	switch {
	case isArray(v, "messages"):
		items = v.GetArray("messages")
		return items, addressed && (len(items) == 0 || isString(items[0], "role"))
	case isArray(v, "contents"):
		items = v.GetArray("contents")
		return items, len(items) > 0 && isArray(items[0], "parts")
	case v.Exists("input"):
		return responsesInput(v)
	case isArray(v, "chat_history") && isString(v, "message"):
		return v.GetArray("chat_history"), true
	default:
		return nil, isString(v, "prompt") && isString(v, "model")
	}
}

// responsesInput returns the input of a request to the Responses API: a text or a list of items. Embeddings, moderations and
// speech have an input, too.
func responsesInput(v *fastjson.Value) (items []*fastjson.Value, ok bool) {
	model := strings.ToLower(text(v, "model"))
	for _, other := range []string{"embed", "moderation", "tts", "rerank"} {
		if strings.Contains(model, other) {
			return nil, false
		}
	}
	for _, key := range []string{"encoding_format", "dimensions", "voice", "input_type"} {
		if v.Exists(key) {
			return nil, false
		}
	}
	if model == "" && !v.Exists("previous_response_id") && !v.Exists("conversation") && !v.Exists("prompt") {
		return nil, false
	}
	input := v.Get("input")
	switch {
	case is(input, fastjson.TypeString):
		return []*fastjson.Value{input}, true
	case is(input, fastjson.TypeArray):
		items = input.GetArray()
		return items, len(items) == 0 || is(items[0], fastjson.TypeObject)
	}
	return nil, false
}

// previous names what a request goes on from that brings no more than what is new. What it brings is then new even if it was
// said before.
func previous(v *fastjson.Value, intent string) string {
	if id := text(v, "previous_response_id"); id != "" {
		return id
	}
	if present(v, "conversation") {
		return intent
	}
	return ""
}

// requestProvider guesses who is asked. The answer may know better.
func requestProvider(v *fastjson.Value) string {
	model := string(v.GetStringBytes("model"))
	switch {
	case isArray(v, "contents"):
		return ProviderGemini
	case v.Exists("inferenceConfig"), v.Exists("modelId"):
		return ProviderBedrock
	case v.Exists("anthropic_version"), v.Exists("system") && v.Exists("max_tokens"), strings.HasPrefix(model, "claude-"):
		return ProviderAnthropic
	case strings.HasPrefix(model, "command-"):
		return ProviderCohere
	case v.Exists("keep_alive"), v.Exists("options"):
		return ProviderOllama
	}
	return openAIProvider(v)
}

// settingBytesMax bounds a member of a request's settings.
const settingBytesMax = 1 << 10

// settings is a request without the conversation and without what is large, such as the schemas of tools: each request
// repeats these, and the log has them.
func settings(v *fastjson.Value) string {
	var b strings.Builder
	b.WriteByte('{')
	v.GetObject().Visit(func(key []byte, member *fastjson.Value) {
		switch string(key) {
		case "messages", "contents", "input", "chat_history", "system", "instructions", "systemInstruction", "system_instruction",
			"preamble", "prompt", "message":
			return
		}
		value := compact(member)
		if len(value) > settingBytesMax {
			return
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteString(quote(key))
		b.WriteByte(':')
		b.WriteString(value)
	})
	b.WriteByte('}')
	return b.String()
}
