package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// realtime decodes what OpenAI's Realtime API says besides the events of its answers, over a WebSocket: the items of the conversation
// as the server has them, what was understood of the user's voice, and requests for an answer. The Responses API over a WebSocket asks
// in the same way, with all that its requests hold. The rest is bookkeeping, and sound.
func (d *decoder) realtime(e *Event, v *fastjson.Value) {
	typ := text(v, "type")
	if typ == "response.create" {
		if !d.request(e, v) {
			e.Kind, e.Phase, e.Role, e.IntentID, e.CapabilityKind = KindModelRequest, PhaseStart, RoleAssistant, d.intent(), CapabilityModel
			e.Provider = ProviderOpenAI
		}
		return
	}
	r := d.record(e, "")
	item := v.Get("item")
	switch typ {
	case "conversation.item.created", "conversation.item.added", "conversation.item.done":
		r.realtimeItem(item)
	case "conversation.item.input_audio_transcription.completed":
		m := r.message(RoleUser, text(v, "item_id"))
		m.say(FragmentText, "transcript", text(v, "transcript"))
	}
	r.noteIfNothing()
}

// realtimeItem decodes an item of a conversation. What the model says is told by its answers.
func (r *record) realtimeItem(item *fastjson.Value) {
	id := text(item, "id")
	switch text(item, "type") {
	case "message":
		if role := chatRole(text(item, "role")); role != RoleAssistant {
			if said := blocksText(item.Get("content")); said != "" {
				m := r.message(role, id)
				m.say(FragmentText, "text", said)
				r.version(m, id)
			}
		}
	case "function_call_output":
		answer := r.answer(text(item, "call_id"))
		answer.Text = text(item, "output")
		answer.Payload = jsonOrQuoted(answer.Text)
		r.version(answer, id)
	}
}

// geminiLiveClient decodes what a client says in Gemini's Live API, over a WebSocket: turns, and what tools answered. The rest is set-up
// and sound.
func (d *decoder) geminiLiveClient(e *Event, v *fastjson.Value) {
	e.Provider = ProviderGemini
	r := d.record(e, "")
	for _, turn := range v.GetArray("clientContent", "turns") {
		if said := blocksText(turn.Get("parts")); said != "" {
			m := r.message(roleOf(text(turn, "role"), RoleUser), "")
			m.say(FragmentText, "text", said)
		}
	}
	for _, response := range v.GetArray("toolResponse", "functionResponses") {
		answer := r.answer(text(response, "id"))
		answer.Payload = render(response.Get("response"))
		answer.Text = text(response.Get("response"), "output", "result", "error")
		if response.Get("response").Exists("error") {
			answer.broke(answer.Text)
		}
	}
	r.noteIfNothing()
}

// decodeGeminiLive decodes what the server says: pieces of a turn, as text or as what was spoken, calls of tools, and the turn's end.
func decodeGeminiLive(e *Event, v *fastjson.Value, _ string) {
	e.Provider = ProviderGemini
	content := v.Get("serverContent")
	for i, p := range content.GetArray("modelTurn", "parts") {
		geminiPiece(e, p, "0", i)
	}
	e.piece(Fragment{Part: "0/transcript", Type: FragmentText, Text: textAt(content, "outputTranscription", "text")})
	for i, call := range v.GetArray("toolCall", "functionCalls") {
		e.piece(Fragment{
			Part: "0/call/" + decimal(int(e.Position)) + "." + decimal(i), Type: FragmentToolCall, ID: text(call, "id"), Name: text(call, "name"),
			Text: argumentsOf(call),
		})
	}
	e.usage(v.Get("usageMetadata"), "promptTokenCount", "responseTokenCount", "toolUsePromptTokenCount")
	if thoughts := count(v, "usageMetadata", "thoughtsTokenCount"); thoughts > 0 {
		e.OutputTokens = max(e.OutputTokens, 0) + thoughts
	}
	e.details(v.Get("usageMetadata"), []string{"cachedContentTokenCount"}, []string{"thoughtsTokenCount"})
	switch {
	case content.GetBool("interrupted"):
		e.end(StatusCancelled)
		e.FinishReason = "interrupted"
	case content.GetBool("turnComplete"):
		e.end(StatusOK)
		e.FinishReason = strings.ToLower(text(content, "turnCompleteReason"))
	default:
		e.delta()
	}
}
