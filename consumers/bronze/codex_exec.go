package bronze

import (
	"cmp"

	"github.com/valyala/fastjson"
)

// codexExec decodes an event of `codex exec --json`, or a notification of its app server. An item comes again as it grows,
// under an id that is its own in the run; usage is told once a turn.
func (d *decoder) codexExec(e *Event, v *fastjson.Value) {
	params := v
	if p := v.Get("params"); p != nil {
		params = p
	}
	if thread := text(params, "thread_id", "threadId"); thread != "" {
		e.WorkflowID = valid(thread)
	}
	e.Provider = ProviderOpenAI
	r := d.record(e, "")
	switch text(v, "type", "method") {
	case "item.started", "item.updated", "item.completed", "item.agent_message.delta", "item/started", "item/completed":
		r.codexExecItem(params.Get("item"))
	case "turn.completed", "turn/completed":
		r.codexExecTurn(params)
	case "turn.failed", "error":
		failure := r.event(KindAgentError)
		failure.Phase = PhaseError
		failure.broke(cmp.Or(errorTextOf(v.Get("error")), text(v, "message")))
	case "turn_aborted":
		aborted := r.event(KindAgentError)
		aborted.Phase, aborted.Status, aborted.Error = PhaseEnd, StatusCancelled, text(v, "reason")
	case "tool.call.required":
		r.call(text(v, "call_id"), text(v, "tool_name"), render(v.Get("arguments")))
	case "tool.call.completed":
		output := v.Get("output")
		answer := r.answer(text(v, "call_id"))
		answer.Capability, answer.Payload, answer.Text = text(v, "tool_name"), cmp.Or(render(output), "null"), blocksText(output)
	}
	r.noteIfNothing()
}

func (r *record) codexExecItem(item *fastjson.Value) {
	id := r.first.StreamID + "/" + text(item, "id")
	switch typ := text(item, "type"); typ {
	case "agent_message", "agentMessage":
		r.message(RoleAssistant, id).say(FragmentText, "0", cmp.Or(text(item, "text"), blocksText(item.Get("content"))))
	case "reasoning":
		r.message(RoleAssistant, id).say(FragmentReasoning, "0", cmp.Or(text(item, "text"), blocksText(item.Get("summary"))))
	case "command_execution", "mcp_tool_call", "file_change", "web_search", "commandExecution", "mcpToolCall", "fileChange",
		"webSearch":
		r.codexExecCall(item, id, typ)
	case "error":
		failure := r.event(KindAgentError)
		failure.Phase = PhaseError
		failure.broke(text(item, "message"))
	}
}

func (r *record) codexExecCall(item *fastjson.Value, id, typ string) {
	arguments := item.Get("arguments")
	for _, key := range []string{"command", "query", "changes"} {
		if arguments == nil {
			arguments = item.Get(key)
		}
	}
	r.call(id, cmp.Or(text(item, "tool"), typ), render(arguments))
	status := text(item, "status")
	if status != "completed" && status != "failed" && status != "declined" {
		return
	}
	answer := r.answer(id)
	answer.Payload = cmp.Or(render(item.Get("result")), render(item.Get("aggregated_output")), "null")
	answer.Text = cmp.Or(blocksText(item.Get("result", "content")), text(item, "aggregated_output"))
	code := item.Get("exit_code")
	switch {
	case status == "declined":
		answer.Status = StatusCancelled
	case status == "failed" || is(code, fastjson.TypeNumber) && code.GetFloat64() != 0 || present(item, "error"):
		answer.broke(cmp.Or(errorTextOf(item.Get("error")), answer.Text))
	}
}

func (r *record) codexExecTurn(v *fastjson.Value) {
	turn := v.Get("turn")
	if usage := v.Get("usage"); is(usage, fastjson.TypeObject) {
		e := r.event(KindUsage)
		e.IntentID, e.Phase, e.Status = text(v, "turn_id"), PhaseEnd, StatusOK
		e.tokens(count(usage, "input_tokens"), count(usage, "output_tokens"), count(usage, "cached_input_tokens"),
			count(usage, "reasoning_output_tokens"))
	}
	if failure := errorTextOf(turn.Get("error")); failure != "" || text(turn, "status") == "failed" || present(v, "error") {
		e := r.event(KindAgentError)
		e.Phase = PhaseError
		e.broke(cmp.Or(failure, errorTextOf(v.Get("error"))))
	}
}
