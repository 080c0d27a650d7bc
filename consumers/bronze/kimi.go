package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// kimi decodes a line of a session of Kimi CLI. No line names the session, so the workflow is the frame's. Each step of a turn is one
// answer of the model: what begins it, its parts, the request that says which model it is, and what ends it name turn and step.
func (d *decoder) kimi(e *Event, v *fastjson.Value) {
	e.Time = eventTime(cmp.Or(v.Get("time"), v.Get("created_at")))
	r := d.record(e, "")
	switch text(v, "type") {
	case "context.append_message":
		r.kimiMessage(v.Get("message"))
	case "context.append_loop_event":
		r.kimiStep(v.Get("event"))
	case "llm.request":
		if step := text(v, "turnStep"); step != "" {
			asked := r.event(KindMessageStart)
			asked.IntentID, asked.Phase, asked.Role = "step/"+step, PhaseStart, RoleAssistant
			asked.Capability, asked.Provider = text(v, "model", "modelAlias"), text(v, "provider")
		}
	case "context.apply_compaction":
		r.event(KindCompaction).Text = text(v, "summary")
	}
	r.noteIfNothing()
}

// kimiMessage decodes a message that is no answer: few of the user's role are what a person typed.
func (r *record) kimiMessage(m *fastjson.Value) {
	role := text(m, "role")
	if origin := textAt(m, "origin", "kind"); role == RoleUser && origin != "" && origin != "user" {
		role = RoleSystem
	}
	if said := blocksText(m.Get("content")); said != "" && (role == RoleUser || role == RoleSystem) {
		r.message(role, "").say(FragmentText, "0", said)
	}
}

func (r *record) kimiStep(step *fastjson.Value) {
	intent := "step/" + scalar(step.Get("turnId")) + "." + scalar(step.Get("step"))
	switch text(step, "type") {
	case "content.part":
		part, id := step.Get("part"), text(step, "uuid")
		e := r.event(KindMessage)
		e.IntentID, e.Role = intent, RoleAssistant
		e.say(FragmentReasoning, id, text(part, "think"))
		e.say(FragmentText, id, text(part, "text"))
	case "step.end":
		e := r.message(RoleAssistant, intent)
		e.FinishReason = text(step, "finishReason")
		if u := step.Get("usage"); u != nil {
			cached, written, input := count(u, "inputCacheRead"), count(u, "inputCacheCreation"), count(u, "inputOther")
			if input >= 0 {
				input += max(cached, 0) + max(written, 0)
			}
			e.tokens(input, count(u, "output"), cached, -1)
			e.written(written, -1)
		}
	case "tool.call":
		r.call(text(step, "toolCallId", "uuid"), text(step, "name"), render(step.Get("args"))).ParentID = intent
	case "tool.result":
		result := step.Get("result")
		e := r.answer(text(step, "toolCallId", "parentUuid"))
		e.Payload, e.Text = cmp.Or(render(result), "null"), blocksText(result)
		if result.GetBool("isError") {
			e.broke(e.Text)
		}
	}
}
