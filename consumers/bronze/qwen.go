package bronze

import (
	"cmp"
	"strconv"

	"github.com/valyala/fastjson"
)

// qwen decodes a line of a transcript of Qwen Code: an envelope like Claude Code's with messages like Gemini's.
func (d *decoder) qwen(e *Event, v *fastjson.Value) {
	e.WorkflowID = valid(text(v, "sessionId"))
	e.Time = eventTime(v.Get("timestamp"))
	within := func(id string) string { // the session, since ids may be short
		if id == "" {
			return ""
		}
		return e.WorkflowID + "/" + id
	}
	e.ParentID = within(text(v, "parentUuid"))
	r := d.record(e, within(text(v, "uuid")))
	parts := v.Get("message").GetArray("parts")
	switch text(v, "type") {
	case "user":
		if said := cmp.Or(textAt(v, "systemPayload", "displayText"), blocksText(v.Get("message", "parts"))); said != "" {
			role := RoleUser
			if text(v, "provenance") == "system" || text(v, "subtype") != "" { // a notification, not what a person typed
				role = RoleSystem
			}
			r.message(role, "").say(FragmentText, "0", said)
		}
	case "assistant":
		r.qwenAnswer(v, parts)
	case "tool_result":
		for _, part := range parts {
			r.qwenResult(part.Get("functionResponse"), text(v.Get("toolCallResult"), "status"))
		}
	}
	r.noteIfNothing()
}

func (r *record) qwenAnswer(v *fastjson.Value, parts []*fastjson.Value) {
	e := r.message(RoleAssistant, "")
	e.Capability = text(v, "model")
	for i, part := range parts {
		typ := FragmentText
		if part.GetBool("thought") {
			typ = FragmentReasoning
		}
		e.say(typ, strconv.Itoa(i), text(part, "text"))
	}
	if u := v.Get("usageMetadata"); u != nil {
		output, thoughts := count(u, "candidatesTokenCount"), count(u, "thoughtsTokenCount")
		e.tokens(count(u, "promptTokenCount"), output, count(u, "cachedContentTokenCount"), thoughts)
	}
	for _, part := range parts {
		if call := part.Get("functionCall"); call != nil {
			r.call(text(call, "id"), text(call, "name"), render(call.Get("args")))
		}
	}
}

func (r *record) qwenResult(response *fastjson.Value, status string) {
	if response == nil {
		return
	}
	e := r.answer(text(response, "id"))
	said := response.Get("response")
	e.Capability, e.Payload, e.Text = text(response, "name"), render(said), text(said, "output", "error")
	if status == "error" || isString(said, "error") {
		e.broke(e.Text)
	}
}
