package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// openCode decodes a file of opencode's storage: a session, a message or a part of one. Files are rewritten while the agent
// works, so an event is known by its id and what it says.
func (d *decoder) openCode(e *Event, v *fastjson.Value) {
	session := text(v, "sessionID")
	r := d.record(e, "")
	switch {
	case session == "":
		if isString(v, "projectID") {
			e.WorkflowID = valid(text(v, "id"))
		}
		note := r.note()
		note.Title, note.Time = text(v, "title"), eventTime(v.Get("time", "created"))
	case isString(v, "messageID"):
		e.WorkflowID = valid(session)
		r.openCodePart(v)
	default:
		e.WorkflowID = valid(session)
		r.openCodeMessage(v)
	}
	r.noteIfNothing()
	for _, told := range r.all() {
		r.version(told, text(v, "id"))
	}
}

func (r *record) openCodeMessage(v *fastjson.Value) {
	role := text(v, "role")
	if role != RoleUser && role != RoleAssistant {
		return
	}
	e := r.message(role, text(v, "id"))
	e.Time = eventTime(v.Get("time", "created"))
	if role == RoleUser {
		return
	}
	e.Capability = cmp.Or(text(v, "modelID"), textAt(v, "model", "modelID"))
	e.Provider = cmp.Or(text(v, "providerID"), textAt(v, "model", "providerID"))
	e.FinishReason, e.ParentID = text(v, "finish"), text(v, "parentID")
	e.openCodeTokens(v)
	if done := eventTime(v.Get("time", "completed")); !done.IsZero() {
		e.Time = done
	}
	if failure := v.Get("error"); is(failure, fastjson.TypeObject) {
		e.broke(cmp.Or(textAt(failure, "data", "message"), text(failure, "name")))
	}
}

func (e *Event) openCodeTokens(v *fastjson.Value) {
	t := v.Get("tokens")
	if t == nil {
		return
	}
	input, output := count(t, "input"), count(t, "output")
	cached, reasoning := count(t, "cache", "read"), count(t, "reasoning")
	if input >= 0 {
		input += max(cached, 0) + max(count(t, "cache", "write"), 0)
	}
	if output >= 0 {
		output += max(reasoning, 0)
	}
	e.tokens(input, output, cached, reasoning)
	e.written(count(t, "cache", "write"), -1)
	if cost := v.Get("cost"); is(cost, fastjson.TypeNumber) {
		e.CostUSD = cost.GetFloat64()
	}
}

func (r *record) openCodePart(v *fastjson.Value) {
	message := text(v, "messageID")
	switch text(v, "type") {
	case "text", "reasoning":
		if v.GetBool("synthetic") {
			return
		}
		e := r.event(KindMessage)
		e.IntentID, e.Time = message, eventTime(v.Get("time", "start"))
		e.Phase, e.Status = PhaseEnd, StatusOK
		typ := FragmentText
		if text(v, "type") == "reasoning" {
			typ = FragmentReasoning
		}
		e.say(typ, text(v, "id"), text(v, "text"))
	case "tool":
		r.openCodeTool(v, message)
	case "step-finish":
		e := r.event(KindMessage)
		e.IntentID, e.Phase, e.Status = message, PhaseEnd, StatusOK
		e.FinishReason = text(v, "reason")
	case "compaction":
		r.event(KindCompaction)
	}
}

func (r *record) openCodeTool(v *fastjson.Value, message string) {
	id, state := text(v, "callID"), v.Get("state")
	e := r.call(id, text(v, "tool"), render(state.Get("input")))
	e.Time, e.ParentID = eventTime(state.Get("time", "start")), message
	status := text(state, "status")
	if status != "completed" && status != "error" {
		return
	}
	answer := r.answer(id)
	answer.Time = eventTime(state.Get("time", "end"))
	answer.Text = text(state, "output", "error")
	answer.Payload = quote([]byte(answer.Text))
	if status == "error" || count(state, "metadata", "exit") > 0 {
		answer.broke(answer.Text)
	}
}
