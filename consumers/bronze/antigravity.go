package bronze

import (
	"strings"

	"github.com/valyala/fastjson"
)

// antigravity decodes a step of a trajectory of Antigravity. No step names the session, so the workflow is the frame's. What a plan asks
// for has no id; each step that carried something out is a call with its result.
func (d *decoder) antigravity(e *Event, v *fastjson.Value) {
	e.Time = eventTime(v.Get("created_at"))
	e.Provider = ProviderGemini
	r := d.record(e, "")
	said, typ := text(v, "content"), text(v, "type")
	switch {
	case typ == "USER_INPUT":
		if _, request, found := strings.Cut(said, "<USER_REQUEST>"); found {
			request, _, _ = strings.Cut(request, "</USER_REQUEST>")
			said = strings.TrimSpace(request)
		}
		if said != "" {
			r.message(RoleUser, "").say(FragmentText, "0", said)
		}
	case typ == "PLANNER_RESPONSE":
		m := r.message(RoleAssistant, "")
		m.say(FragmentReasoning, "0", text(v, "thinking"))
		m.say(FragmentText, "1", said)
		for i, call := range v.GetArray("tool_calls") {
			m.piece(Fragment{
				Part: "call/" + decimal(i), Type: FragmentToolCall, Name: text(call, "name"), Text: argumentsOf(call), Whole: true,
			})
		}
	case typ == "CHECKPOINT":
		r.event(KindCompaction).Text = said
	case text(v, "source") == "MODEL":
		id := "step/" + scalar(v.Get("step_index")) + "/" + digestOf(string(r.d.raw))[:16]
		r.call(id, strings.ToLower(typ), "")
		answer := r.answer(id)
		answer.Payload, answer.Text = quote([]byte(said)), said
		switch status := text(v, "status"); {
		case strings.Contains(status, "ERROR"), strings.Contains(status, "FAIL"):
			answer.broke(said)
		case strings.Contains(status, "CANCEL"):
			answer.Status = StatusCancelled
		}
	case said != "":
		r.message(RoleSystem, "").say(FragmentText, "0", said)
	}
	r.noteIfNothing()
}
