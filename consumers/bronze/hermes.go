package bronze

import (
	"cmp"
	"strconv"

	"github.com/valyala/fastjson"
)

// hermes decodes a session of Hermes: one document, which is written anew as it grows, with messages as Chat Completions has them. A
// message is known by its place and what it says.
func (d *decoder) hermes(e *Event, v *fastjson.Value) {
	e.WorkflowID = valid(text(v, "session_id"))
	r := d.record(e, "")
	began := eventTime(v.Get("session_start"))
	about := r.note()
	about.Title, about.Time = text(v, "title"), began
	about.Payload = "null" // it changes each time that the document is written
	r.version(about, "session")
	model := text(v, "model")
	for i, m := range v.GetArray("messages") {
		place, from := strconv.Itoa(i), len(d.parts)
		switch role := chatRole(text(m, "role")); role {
		case RoleUser, RoleSystem:
			if said := messageText(m.Get("content")); said != "" {
				r.message(role, place).say(FragmentText, "0", said)
			}
		case RoleAssistant:
			answer := r.message(role, place)
			answer.Capability, answer.FinishReason = model, text(m, "finish_reason")
			answer.say(FragmentReasoning, "0", text(m, "reasoning", "reasoning_content"))
			answer.say(FragmentText, "1", messageText(m.Get("content")))
			for _, call := range m.GetArray("tool_calls") {
				of := cmp.Or(call.Get("function"), call)
				r.call(text(call, "id", "call_id"), text(of, "name"), argumentsOf(of)).ParentID = place
			}
		case RoleTool:
			answer := r.answer(text(m, "tool_call_id"))
			content := m.Get("content")
			answer.Capability, answer.Text = text(m, "tool_name", "name"), resultText(content)
			answer.Payload = textAsJSON(answer.Text)
			if m.GetBool("is_error") {
				answer.broke(answer.Text)
			}
		}
		at := eventTime(cmp.Or(m.Get("timestamp"), m.Get("created_at")))
		for j := from; j < len(d.parts); j++ {
			told := &d.parts[j]
			told.Time = at
			r.version(told, place)
		}
	}
}
