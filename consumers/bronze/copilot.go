package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// copilot decodes an event of Copilot CLI. Only the first names the session, so the workflow is the frame's.
func (d *decoder) copilot(e *Event, v *fastjson.Value) {
	e.Time, e.ParentID = eventTime(v.Get("timestamp")), text(v, "parentId")
	id := text(v, "id")
	if e.WorkflowID != "" {
		id = e.WorkflowID + "/" + id
	}
	r := d.record(e, id)
	data := v.Get("data")
	switch text(v, "type") {
	case "user.message":
		r.message(RoleUser, "").say(FragmentText, "0", text(data, "content"))
	case "system.message":
		r.message(RoleSystem, "").say(FragmentText, "0", text(data, "content"))
	case "assistant.message":
		m := r.message(RoleAssistant, text(data, "messageId"))
		m.say(FragmentReasoning, "0", text(data, "reasoningText"))
		m.say(FragmentText, "1", text(data, "content"))
		m.Capability = text(data, "model")
		m.tokens(-1, count(data, "outputTokens"), -1, -1)
		for _, call := range data.GetArray("toolRequests") {
			r.call(text(call, "toolCallId"), text(call, "name"), render(call.Get("arguments")))
		}
	case "tool.execution_start":
		r.call(text(data, "toolCallId"), text(data, "toolName"), render(data.Get("arguments")))
	case "tool.execution_complete":
		answer := r.answer(text(data, "toolCallId"))
		answer.Text = cmp.Or(blocksText(data.Get("result")), errorTextOf(data.Get("error")))
		answer.Payload = cmp.Or(render(data.Get("result")), render(data.Get("error")), "null")
		if present(data, "success") && !data.GetBool("success") {
			answer.broke(answer.Text)
		}
	case "session.error", "subagent.failed":
		failure := r.event(KindAgentError)
		failure.Phase = PhaseError
		failure.broke(cmp.Or(text(data, "message"), errorTextOf(data.Get("error"))))
	case "session.title_changed":
		r.note().Title = text(data, "title")
	}
	r.noteIfNothing()
}

// errorTextOf is errorText, or "" where there is no error.
func errorTextOf(v *fastjson.Value) string {
	if v == nil || v.Type() == fastjson.TypeNull {
		return ""
	}
	return errorText(v)
}
