package bronze

import (
	"cmp"
	"strings"

	"github.com/valyala/fastjson"
)

// langGraph decodes an event of a LangGraph server's stream of a run. What it says depends on the mode that its name tells: whole
// states repeat all messages, tuples bring pieces, partial messages bring all that there is so far. Whichever it is, a message is
// known by its id, and a whole one replaces its pieces.
//
// Checkpoints and callbacks repeat the same once more; they are kept as notes.
func (d *decoder) langGraph(e *Event, v *fastjson.Value, name string) {
	payload := e.Payload
	r := d.record(e, "")
	mode, _, _ := strings.Cut(name, "|") // what follows names the subgraph
	switch mode {
	case "messages/partial":
		for _, m := range v.GetArray() {
			r.langChain(m, nil, langPartial)
		}
	case "messages/complete":
		for _, m := range v.GetArray() {
			r.langChain(m, nil, langWhole)
		}
	case "messages":
		r.langChain(v.Get("0"), v.Get("1"), langPiece)
	case "values":
		r.langMessages(v)
	case "updates":
		v.GetObject().Visit(func(_ []byte, update *fastjson.Value) { r.langMessages(update) })
	case "events":
		if text(v, "event") == "on_chat_model_end" {
			r.langChain(cmp.Or(v.Get("data", "output"), v.Get("data", "output", "generations", "0", "0", "message")), v.Get("metadata"), langWhole)
		}
	case "error":
		failure := r.event(KindAgentError)
		failure.Phase, failure.IntentID = PhaseError, d.intent()
		failure.broke(text(v, "message", "error"))
	}
	if r.begun == 0 {
		note := r.event(KindNote)
		note.IntentID = cmp.Or(note.WorkflowID, note.StreamID)
	}
	if e.Payload == "" {
		e.Payload = payload
	}
}

// langMode is how much a message of a stream is.
type langMode int

const (
	langWhole   langMode = iota // all of it
	langPartial                 // all that there is so far
	langPiece                   // what follows the pieces before
)

// langMessages decodes the messages of a state.
func (r *record) langMessages(state *fastjson.Value) {
	if !is(state, fastjson.TypeObject) {
		return
	}
	messages := state.Get("messages")
	if is(messages, fastjson.TypeObject) {
		r.langChain(messages, nil, langWhole)
	}
	for _, m := range messages.GetArray() {
		r.langChain(m, nil, langWhole)
	}
}

// langChain decodes a message as LangChain writes it, in Python or, with a constructor around it, in JavaScript.
func (r *record) langChain(m, metadata *fastjson.Value, mode langMode) {
	typ := text(m, "type", "role")
	if typ == "constructor" {
		class := m.GetArray("id")
		if len(class) == 0 {
			return
		}
		typ = string(class[len(class)-1].GetStringBytes())
		m = m.Get("kwargs")
	}
	if m == nil {
		return
	}
	id := text(m, "id")
	switch strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(typ, "Chunk")), "message") {
	case "human", "user":
		r.langSaid(RoleUser, id, m)
	case "system", "developer":
		r.langSaid(RoleSystem, id, m)
	case "tool":
		r.langResult(id, m)
	case "ai", "assistant":
		if mode == langPiece && langSilent(m) {
			return
		}
		r.langAnswer(id, m, metadata, mode)
	}
}

func (r *record) langSaid(role, id string, m *fastjson.Value) {
	if said := blocksText(m.Get("content")); said != "" {
		e := r.message(role, id)
		e.say(FragmentText, "text", said)
		r.version(e, cmp.Or(id, role))
	}
}

func (r *record) langResult(id string, m *fastjson.Value) {
	call := text(m, "tool_call_id")
	if call == "" {
		return
	}
	e := r.answer(call)
	e.Text = blocksText(m.Get("content"))
	e.Payload = jsonOrQuoted(e.Text)
	if text(m, "status") == "error" {
		e.broke(e.Text)
	}
	r.version(e, cmp.Or(id, call))
}

// langSilent tells whether a piece says nothing. Such are met under an id that no other piece has.
func langSilent(m *fastjson.Value) bool {
	said, thought := langContent(m.Get("content"))
	extra, response := m.Get("additional_kwargs"), m.Get("response_metadata")
	return said == "" && thought == "" && (!is(extra, fastjson.TypeObject) || extra.GetObject().Len() == 0) && len(m.GetArray("tool_call_chunks")) == 0 && !m.Exists("usage_metadata") &&
		text(response, "finish_reason", "stop_reason") == "" && text(m, "chunk_position") == ""
}

// langAnswer decodes what a model answers, or a piece of it.
func (r *record) langAnswer(id string, m, metadata *fastjson.Value, mode langMode) {
	response := m.Get("response_metadata")
	e := r.event(KindMessage)
	if mode != langWhole {
		e.Kind = KindMessageDelta
	}
	e.Role, e.IntentID, e.CapabilityKind, e.Phase = RoleAssistant, cmp.Or(id, r.d.intent()), CapabilityModel, PhaseDelta
	e.Capability = cmp.Or(text(response, "model_name", "model"), text(metadata, "ls_model_name"))
	e.Provider = cmp.Or(text(response, "model_provider"), text(metadata, "ls_provider"))
	e.FinishReason = text(response, "finish_reason", "stop_reason")
	if usage := m.Get("usage_metadata"); usage != nil {
		e.written(count(usage, "input_token_details", "cache_creation"), count(usage, "input_token_details", "ephemeral_1h_input_tokens"))
		e.tokens(count(usage, "input_tokens"), count(usage, "output_tokens"), count(usage, "input_token_details", "cache_read"),
			count(usage, "output_token_details", "reasoning"))
	}
	whole := mode != langPiece
	said, thought := langContent(m.Get("content"))
	e.langPart(Fragment{Part: "text", Type: FragmentText, Text: said, Whole: whole})
	thought = cmp.Or(thought, textAt(m, "additional_kwargs", "reasoning_content"), langSummary(m.Get("additional_kwargs", "reasoning", "summary")))
	e.langPart(Fragment{Part: "reasoning", Type: FragmentReasoning, Text: thought, Whole: whole})
	if mode != langPartial {
		e.Text = said
	}
	if mode == langWhole || e.FinishReason != "" || text(m, "chunk_position") == "last" {
		e.Phase, e.Status = PhaseEnd, StatusOK
		if mode != langWhole {
			e.Kind = KindMessageEnd
		}
	}
	message := e.IntentID
	if mode == langPiece {
		for _, piece := range m.GetArray("tool_call_chunks") {
			e.langPart(Fragment{
				Part: "call/" + index(piece, "index"), Type: FragmentToolCall, ID: text(piece, "id"), Name: text(piece, "name"), Text: text(piece, "args"),
			})
		}
		fragments := e.Fragments
		for _, f := range fragments {
			if f.Type == FragmentToolCall && f.ID != "" && f.Name != "" {
				call := r.event(KindToolCall)
				call.IntentID, call.Capability, call.CapabilityKind, call.Phase, call.ParentID = f.ID, f.Name, CapabilityTool, PhaseStart, message
				call.Fragments = []Fragment{{Part: f.Part, Type: f.Type, ID: f.ID, Name: f.Name}}
			}
		}
		return
	}
	if mode == langPartial {
		return // of which the calls may not be whole
	}
	r.version(e, message)
	for _, call := range m.GetArray("tool_calls") {
		c := r.call(text(call, "id"), text(call, "name"), render(call.Get("args")))
		c.CapabilityKind, c.ParentID = CapabilityTool, message
		r.version(c, message+"/"+text(call, "id"))
	}
}

// langSummary joins the pieces of a summary of reasoning, as OpenAI's Responses have it.
func langSummary(summary *fastjson.Value) string {
	var thought strings.Builder
	for _, piece := range summary.GetArray() {
		thought.Write(piece.GetStringBytes("text"))
	}
	return thought.String()
}

func (e *Event) langPart(f Fragment) {
	if f.Text != "" || f.ID != "" || f.Name != "" {
		e.Fragments = append(e.Fragments, f)
	}
}

// langContent tells text and reasoning apart in content: a string, or blocks.
func langContent(content *fastjson.Value) (said, thought string) {
	if !is(content, fastjson.TypeArray) {
		return blocksText(content), ""
	}
	for _, block := range content.GetArray() {
		switch text(block, "type") {
		case "text", "text_delta", "":
			said += cmp.Or(text(block, "text"), string(block.GetStringBytes()))
		case "thinking", "reasoning":
			thought += text(block, "thinking", "reasoning", "text")
		}
	}
	return said, thought
}
