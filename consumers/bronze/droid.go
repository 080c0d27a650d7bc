package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// droidExec decodes an event of what Factory's Droid prints as stream-json. What it says at the end it may have said before; both have the
// text in common, and so are one message.
func (d *decoder) droidExec(e *Event, v *fastjson.Value) {
	e.WorkflowID = valid(text(v, "session_id"))
	e.Time = eventTime(v.Get("timestamp"))
	id := text(v, "id")
	if id != "" {
		id = e.WorkflowID + "/" + text(v, "type") + "/" + id
	}
	r := d.record(e, id)
	switch text(v, "type") {
	case "message":
		if said := text(v, "text"); text(v, "role") == RoleUser {
			r.message(RoleUser, "").say(FragmentText, "0", said)
		} else {
			r.message(RoleAssistant, "said/"+digestOf(said)[:16]).say(FragmentText, "0", said)
		}
	case "completion":
		if said := text(v, "finalText"); said != "" {
			r.message(RoleAssistant, "said/"+digestOf(said)[:16]).say(FragmentText, "0", said)
		}
	case "tool_call":
		r.call(text(v, "toolCallId", "id"), text(v, "toolName", "toolId"), render(v.Get("parameters")))
	case "tool_result":
		answer := r.answer(text(v, "toolCallId", "id"))
		value := v.Get("value")
		answer.Payload = cmp.Or(render(value), render(v.Get("error")), "null")
		answer.Text = cmp.Or(string(value.GetStringBytes()), joinLines(text(value, "stdout", "output", "text"), text(value, "stderr")), errorTextOf(v.Get("error")))
		if v.GetBool("isError") || present(v, "error") || count(value, "exitCode") > 0 {
			answer.broke(answer.Text)
		}
	}
	r.noteIfNothing()
}
