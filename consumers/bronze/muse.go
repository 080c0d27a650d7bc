package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// muse decodes a record of a session of Muse Code: of a run, what was committed to it. How much a call of the model took comes in a record
// of its own, before or after what it said.
func (d *decoder) muse(e *Event, v *fastjson.Value) {
	session := textAt(v, "stream", "id")
	e.WorkflowID = valid(session)
	e.Time, e.ParentID = eventTime(v.Get("recorded_at")), text(v, "causation_id")
	r := d.record(e, session+"/"+text(v, "id"))
	event := v.Get("payload", "event")
	switch text(event, "kind") {
	case "started":
		if prompt := text(event, "prompt"); prompt != "" {
			r.message(RoleUser, "").say(FragmentText, "0", prompt)
		}
	case "reasoning_committed":
		if thought := text(event, "text"); thought != "" {
			r.message(RoleAssistant, "").say(FragmentReasoning, "0", thought)
		}
	case "assistant_message_committed":
		r.message(RoleAssistant, text(event, "message_id")).say(FragmentText, "0", text(event, "text"))
	case "assistant_tool_calls_committed":
		for _, call := range event.GetArray("tool_calls") {
			r.call(text(call, "call_id", "id"), text(call, "name"), argumentsOf(call))
		}
	case "tool_result_batch_committed":
		for _, result := range event.GetArray("results") {
			answer := r.answer(text(result, "tool_call_id"))
			answer.Text = text(result, "text", "error")
			answer.Payload = textAsJSON(answer.Text)
			if present(result, "error") || isTrue(result, "is_error", "failed") {
				answer.broke(answer.Text)
			}
		}
	case "model_completed":
		used, u := r.event(KindUsage), event.Get("usage")
		used.IntentID, used.Role, used.Phase, used.Status = used.EventID, RoleAssistant, PhaseEnd, StatusOK
		used.Capability, used.FinishReason = text(event, "model"), text(event, "finish_reason")
		used.tokens(count(u, "input_tokens"), count(u, "output_tokens"), max(count(u, "cache_read_tokens"), count(u, "cached_tokens")), count(u, "reasoning_tokens"))
		used.written(count(u, "cache_write_tokens"), -1)
	case "terminal":
		if how := text(event, "terminal"); how != "completed" {
			end := r.event(KindAgentError)
			end.Phase = PhaseError
			end.broke(cmp.Or(text(event, "reason"), how))
			if how == "cancelled" || how == "canceled" || how == "aborted" {
				end.Phase, end.Status = PhaseEnd, StatusCancelled
			}
		}
	}
	r.noteIfNothing()
}
